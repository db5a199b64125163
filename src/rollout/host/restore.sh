# Puts the release back from which this switch came: files, units, services. Prints its id.
disarm
here=$(release_here)
if [[ $here != "$id" && $(under_way) != "$id" ]]; then
  # This switch changed nothing yet; a backup in its folder is of another time.
  forget_failures
  printf '%s\n' "$here"
  exit 0
fi
if [[ ! -e $dir/backup.done || -e $dir/confirmed || ! -s $dir/previous ]]; then
  echo 'the host keeps no previous release to go back to' >&2
  exit 1
fi
printf '%s' "$id" >"$marker"
put_back "$dir"
units_back "$dir"
forget_failures "${added[@]}" "${back[@]}"
failed=0
if ((${#try_restart[@]})); then systemctl try-restart "${try_restart[@]}" || failed=$?; fi
if ((${#back[@]})); then systemctl restart "${back[@]}" || failed=$?; fi
rm --force "$marker" "$dir/backup.done"
cat "$dir/previous"
exit "$failed"
