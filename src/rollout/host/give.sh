# Takes the secrets that a host is given, an archive on standard input; fleet-secrets reads them from here. They stay, so
# that the host comes back from a reboot by itself.
set -euo pipefail
umask 077
given=/var/lib/fleet/given
install --directory --mode 0700 /var/lib/fleet "$given"
new=$(mktemp --directory "$given/.new.XXXXXXXX")
trap 'rm --recursive --force "$new"' EXIT
tar --extract --no-same-owner --directory "$new"
mv --force "$new"/* "$given/"
