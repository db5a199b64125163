# Looks at this host: what it carries, runs and answers, in sections that are read by name. It is run many times in a
# roll, and waited for each time: what bash can read itself needs no process.
section() { printf '\n== %s\n' "$1"; }
file() { if [[ -r $1 ]]; then printf '%s\n' "$(<"$1")"; fi; }
section boot; file /proc/sys/kernel/random/boot_id
# The age of the first process: in a container the kernel is older than the host. Its start is the 22nd field of its
# stat, in hundredths of a second since the kernel's (proc(5)); the 2nd, its name, may hold anything.
section uptime
read -r kernel _ </proc/uptime
stat=$(</proc/1/stat)
read -ra stat <<<"${stat##*) }"
printf '%s\n' "$((${kernel%.*} - stat[19] / 100))"
section release; file /etc/fleet/release.json
section switching; file /var/lib/fleet/switching
section units
systemctl show --property=Id,LoadState,ActiveState,SubState,NRestarts,ExecMainStatus 'fleet-*.service'
section containers
# Both in one go; what is written out after the first begins the section of the second.
curl --silent --max-time 5 --unix-socket /var/run/docker.sock --write-out '\n== images\n' \
  'http://docker/containers/json?all=1' 'http://docker/images/json'
