#!/bin/bash
# fleet-pull IMAGE: makes sure that this host has an image. An image named by its digest never changes, so one that
# is here already needs no registry; a tag is asked for again, and the copy at hand serves when nobody answers.
set -u
image=$1
attempts=8
registry=${image%%/*}
login=${0%/*}/fleet-ecr-login
have() { docker image inspect --format '{{.Id}}' "$image" >/dev/null 2>&1; }

case $image in
  *@sha256:*) have && exit 0 ;;
esac

# Groups with images in ECR have this script. It says itself why there is no login, and without one ECR gives nothing.
if [[ $registry == *.dkr.ecr*.amazonaws.com* && -e $login ]]; then
  bash "$login" "$registry" || exit 1
  export DOCKER_CONFIG=${FLEET_ROOT:-}/run/fleet/docker
fi

delay=1
for ((attempt = 1; attempt <= attempts; attempt++)); do
  # The image's name is of no interest, what Docker has to complain of is.
  error=$(docker pull --quiet "$image" 2>&1 >/dev/null) && exit 0
  case $image in
    *@sha256:*) ;;
    *) have && exit 0 ;;
  esac
  error=${error##*$'\n'}
  case $error in
    # The registry has answered, and it will say so again.
    *'manifest unknown'* | *'not found'* | *denied* | *unauthorized*) break ;;
  esac
  echo "fleet-pull: attempt $attempt of $attempts for $image failed: $error" >&2
  if ((attempt < attempts)); then sleep "$delay"; fi
  delay=$((delay < 30 ? delay * 2 : 30))
done
echo "fleet-pull: cannot pull $image: $error" >&2
exit 1
