# What this host says of its OS and of updates to it, in sections that are read by name.
section() { printf '\n== %s\n' "$1"; }
section boot; cat /proc/sys/kernel/random/boot_id
section version; cat /etc/os-release
# Flatcar's own settings first: those of /etc are stronger.
section settings; cat /usr/share/flatcar/update.conf /etc/flatcar/update.conf 2>/dev/null
# A client that finds no engine on the bus tries for 40 seconds.
section engine; timeout 8 update_engine_client -status 2>&1
section end
