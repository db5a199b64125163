# Runs as root on a host. $dir holds one change: ops (what to do), new.tar (the paths to write), record.
set -euo pipefail
state=/var/lib/fleet
marker=$state/switching

# A change whose runner died, or lost its connection, goes on here: the next one waits until it has ended.
mkdir --parents "$state"
exec {lock}>"$state/lock"
if ! flock --wait 100 "$lock"; then
  echo 'an earlier change of this host has not ended yet' >&2
  exit 1
fi

# Paths in ops are relative to /. Reads the arrays: touched, removed, enable, disable, added, restart.
load() { . "$1/ops"; }

quietly() { "$@" >/dev/null 2>&1 || true; }

# Keeps what the change will touch, once: a second try must not keep its own half-made result.
back_up() {
  [[ -e $dir/backup.done ]] && return
  local path
  : >"$dir/present"
  for path in "${touched[@]}" "${removed[@]}"; do
    if [[ -e /$path || -L /$path ]]; then printf '%s\0' "$path" >>"$dir/present"; fi
  done
  tar --create --file "$dir/backup.tar" --directory / --no-recursion --null --files-from "$dir/present"
  cp "$dir/ops" "$dir/backup.ops"
  sync -f "$dir/backup.tar"
  touch "$dir/backup.done"
}

# Puts the kept files back; services are the caller's business.
put_back() {
  local dir=$1 path
  . "$dir/backup.ops"
  quietly systemctl disable --now "${added[@]}"
  for path in "${touched[@]}"; do
    [[ -d /$path && ! -L /$path ]] || rm --force "/$path"
  done
  tar --extract --file "$dir/backup.tar" --directory / --same-owner --same-permissions
  systemctl daemon-reload
}
