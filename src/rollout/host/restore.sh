# Puts the previous release back: files, units, services. Without a backup nothing was changed yet.
[[ -e $dir/backup.done ]] || exit 0
printf '%s' "$id" >"$marker"
put_back "$dir"
if ((${#enable[@]})); then quietly systemctl enable --quiet "${enable[@]}"; fi
back=()
for unit in "${restart[@]}" "${disable[@]}"; do
  [[ -e /etc/systemd/system/$unit ]] && back+=("$unit")
done
failed=0
if ((${#back[@]})); then
  quietly systemctl reset-failed "${back[@]}"
  quietly systemctl enable --quiet "${back[@]}"
  systemctl restart "${back[@]}" || failed=$?
fi
rm --force "$marker" "$dir/backup.done"
exit "$failed"
