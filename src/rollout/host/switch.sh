# A switch to another release that never ended is undone first, so that no file of it stays behind.
before=$(cat "$marker" 2>/dev/null || true)
if [[ -n $before && $before != "$id" && -e $state/roll/$before/backup.done ]]; then
  put_back "$state/roll/$before"
fi
load "$dir"
mkdir --parents "$state"
back_up
printf '%s' "$id" >"$marker"
if ((${#disable[@]})); then quietly systemctl disable --now "${disable[@]}"; fi
for path in "${removed[@]}"; do rm --recursive --force "/$path"; done
tar --extract --file "$dir/new.tar" --directory / --same-owner --same-permissions --touch
systemctl daemon-reload
if ((${#enable[@]})); then systemctl enable --quiet "${enable[@]}"; fi
failed=0
if ((${#restart[@]})); then
  quietly systemctl reset-failed "${restart[@]}"
  systemctl restart "${restart[@]}" || failed=$?
fi
mkdir --parents /etc/fleet
cp "$dir/record" /etc/fleet/release.json.new
mv /etc/fleet/release.json.new /etc/fleet/release.json
rm --force "$marker"
# The backups of the last three switches are enough to look back at.
find "$state/roll" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort --reverse --numeric-sort |
  tail --lines +4 | cut --delimiter ' ' --fields 2- | xargs --no-run-if-empty rm --recursive --force
exit "$failed"
