# A switch to another release that never ended is undone first, so that no file of it stays behind.
before=$(under_way)
if [[ -n $before && $before != "$id" && -e $state/roll/$before/backup.done && $(release_here) != "$before" ]]; then
  put_back "$state/roll/$before"
  units_back "$state/roll/$before"
  # The services follow below, with the release that is wanted now.
  for unit in "${back[@]}"; do
    if [[ $unit != fleet-*.service ]]; then quietly systemctl start "$unit"; fi
  done
  rm --force "$state/roll/$before/backup.done"
fi

# What was staged takes its place only now: whoever held the lock may have read what was here.
(umask 077 && mkdir --parents "$dir")
if [[ -d $staged ]]; then mv --force "$staged"/* "$dir/"; fi
rm --recursive --force "$state"/roll/*.*

# Paths in ops are relative to /. It sets the arrays: touched, removed, enable, disable, added, restart, try_restart.
. "$dir/ops"
back_up
printf '%s' "$id" >"$marker"
# This script goes on without its runner, so until its end the timer is for a host that hangs.
arm "$((wait * 2))"
if ((${#disable[@]})); then quietly systemctl disable --now "${disable[@]}"; fi
for path in "${removed[@]}"; do rm --recursive --force "/$path"; done
tar --extract --file "$dir/new.tar" --directory / --same-owner --same-permissions --touch
systemctl daemon-reload
if ((${#enable[@]})); then systemctl enable --quiet "${enable[@]}"; fi
forget_failures "${disable[@]}" "${restart[@]}"
failed=0
if ((${#try_restart[@]})); then systemctl try-restart "${try_restart[@]}" || failed=$?; fi
if ((${#restart[@]})); then systemctl restart "${restart[@]}" || failed=$?; fi
mkdir --parents /etc/fleet
install --mode 0644 "$dir/record" /etc/fleet/release.json.new
mv /etc/fleet/release.json.new /etc/fleet/release.json
rm --force "$marker"
arm "$prove"
# The backups of the last three switches are enough to look back at.
find "$state/roll" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort --reverse --numeric-sort |
  tail --lines +4 | cut --delimiter ' ' --fields 2- | xargs --no-run-if-empty rm --recursive --force
exit "$failed"
