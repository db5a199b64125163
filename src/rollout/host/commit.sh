# The release serves: from here on there is no way back to the one before, and what fails later is no switch's doing.
if [[ -d $dir && $(release_here) == "$id" && ! -e $marker ]]; then touch "$dir/confirmed"; fi
disarm
rm --force "$state/dead-man.sh"
