# Runs as root on a host. $id is the release of one change and $dir its folder: ops (what to do), new.tar (the paths to
# write), record, and once it has begun the backup. $wait is how long the longest legal change takes, in seconds.
set -euo pipefail
state=/var/lib/fleet
marker=$state/switching

# What is kept here may hold secrets of the services.
install --directory --mode 0700 "$state"

# A change whose runner died, or lost its connection, goes on here: the next one waits until it has ended.
exec {lock}>"$state/lock"
if ! flock --wait "$wait" "$lock"; then
  echo 'an earlier change of this host has not ended yet' >&2
  exit 1
fi

quietly() { "$@" >/dev/null 2>&1 || true; }

# The release that this host says it carries; nothing when it says nothing.
release_here() { sed --quiet 's/^  "release": "\([^"]*\)".*/\1/p' /etc/fleet/release.json 2>/dev/null || true; }

# The release to which a switch began and did not end.
under_way() { cat "$marker" 2>/dev/null || true; }

# The dead man's timer: unless a runner says otherwise in time, the host itself puts back what the switch replaced. It
# runs outside of any login, and its name begins with no service's.
disarm() {
  quietly systemctl stop dead-man-of-fleet.timer
  quietly systemctl reset-failed dead-man-of-fleet.timer dead-man-of-fleet.service
}

# In $1 seconds from now, in place of whatever was set before.
arm() {
  disarm
  systemd-run --quiet --collect --unit dead-man-of-fleet --on-active "$1" --timer-property AccuracySec=1s \
    --description 'Puts back the release before: the roll did not come to its end' \
    /bin/bash "$state/dead-man.sh" || echo 'no timer could be set: should fleet die now, this host keeps the new release' >&2
}

# Failures and restarts are counted from here on, for every service: what is counted then is this change's doing.
forget_failures() { quietly systemctl reset-failed 'fleet-*.service' "$@"; }

# Keeps what the change will touch, and how its units are. A second try of the same switch must not keep its own
# half-made result; any other switch keeps anew, however often this host had the same release before.
back_up() {
  local here path unit units enabled active
  here=$(release_here)
  if [[ $here == "$id" ]]; then return; fi
  if [[ -e $dir/backup.done && $(under_way) == "$id" ]]; then return; fi
  rm --force "$dir"/backup.* "$dir/confirmed" "$dir/previous"
  (
    umask 077
    : >"$dir/backup.touched"
    : >"$dir/backup.removed"
    for path in "${touched[@]}"; do
      if [[ -e /$path || -L /$path ]]; then printf '%s\0' "$path" >>"$dir/backup.touched"; fi
    done
    for path in "${removed[@]}"; do
      if [[ -e /$path || -L /$path ]]; then printf '%s\0' "$path" >>"$dir/backup.removed"; fi
    done
    tar --create --file "$dir/backup.tar" --directory / --no-recursion --null --files-from "$dir/backup.touched"
    if [[ -s $dir/backup.removed ]]; then
      tar --append --file "$dir/backup.tar" --directory / --null --files-from "$dir/backup.removed"
    fi
    units=("${enable[@]}" "${disable[@]}" "${added[@]}" "${restart[@]}")
    for unit in "${units[@]}"; do
      enabled=$(systemctl is-enabled "$unit" 2>/dev/null || true)
      active=$(systemctl is-active "$unit" 2>/dev/null || true)
      printf '%s %s %s\n' "${enabled:-none}" "${active:-none}" "$unit"
    done | sort --unique >"$dir/backup.units"
    cp "$dir/ops" "$dir/backup.ops"
    printf '%s' "$here" >"$dir/previous"
    sync -f "$dir/backup.tar"
    touch "$dir/backup.done"
  )
}

# Puts the files kept in the folder $1 back; running services are the caller's business.
put_back() {
  local from=$1 path
  . "$from/backup.ops"
  if ((${#added[@]})); then quietly systemctl disable --now "${added[@]}"; fi
  for path in "${touched[@]}"; do
    [[ -d /$path && ! -L /$path ]] || rm --force "/$path"
  done
  tar --extract --file "$from/backup.tar" --directory / --same-owner --same-permissions
  systemctl daemon-reload
}

# Units are on or off again as they were kept in the folder $1, and those that did not run are stopped. Those that ran,
# and every service, are left in the array back, to be started.
units_back() {
  local enabled active unit
  back=()
  while read -r enabled active unit; do
    case $enabled in
      enabled) quietly systemctl enable --quiet "$unit" ;;
      disabled) quietly systemctl disable --quiet "$unit" ;;
    esac
    case $active:$unit in
      *:fleet-*.service) if [[ -e /etc/systemd/system/$unit ]]; then back+=("$unit"); fi ;;
      active:* | activating:* | reloading:*) back+=("$unit") ;;
      *) quietly systemctl stop "$unit" ;;
    esac
  done <"$1/backup.units"
}
