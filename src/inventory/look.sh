# Looks at this host: what it carries, runs and answers, in sections that are read by name.
docker_api() { curl --silent --max-time 5 --unix-socket /var/run/docker.sock "http://docker$1"; }
section() { printf '\n== %s\n' "$1"; }
section boot; cat /proc/sys/kernel/random/boot_id
# The age of the first process: in a container the kernel is older than the host.
section uptime; ps -o etimes= -p 1
section release; cat /etc/fleet/release.json 2>/dev/null
section switching; cat /var/lib/fleet/switching 2>/dev/null
section units
systemctl show --property=Id,LoadState,ActiveState,SubState,NRestarts,ExecMainStatus 'fleet-*.service'
section containers; docker_api '/containers/json?all=1'
section images; docker_api '/images/json'
