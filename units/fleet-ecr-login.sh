#!/bin/bash
# fleet-ecr-login REGISTRY...: a login to registries of ECR with the role of this instance, for `docker pull` with
# DOCKER_CONFIG=/run/fleet/docker. Nothing is asked where the login at hand is good for an hour more.
set -euo pipefail
umask 077
# Tests run this on a machine that is no host.
root=${FLEET_ROOT:-}
folder=$root/run/fleet/docker
config=$folder/config.json
deadline=${FLEET_ECR_SECONDS:-60}
# A token is good for 12 hours (GetAuthorizationToken in the API reference of ECR).
minutes=660

# shellcheck disable=SC1091 # it has its ending in the repository only
. "${0%/*}/fleet-aws"
mkdir --parents "$folder"
# Several services may pull at once.
exec {lock}>"$folder/.lock"
flock --wait "$deadline" "$lock"
work=$(mktemp --directory "$folder/.new.XXXXXXXX")
trap 'rm --recursive --force "$work"' EXIT
trap 'exit 143' TERM INT

good() {
  [[ -n $(find "$folder/.since.$1" -mmin "-$minutes" 2>/dev/null) ]] &&
    jq --exit-status --arg registry "$1" '.auths | has($registry)' "$config" >/dev/null 2>&1
}

# ask REGISTRY: a token, in $work/answer.
ask() {
  local region delay=1
  region=$(sed --quiet --regexp-extended 's/^[0-9]+\.dkr\.ecr(-fips)?\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/\2/p' <<<"$1")
  if [[ -z $region ]]; then
    printf 'fleet-ecr-login: %s is no registry of ECR\n' "$1" >&2
    return 1
  fi
  while true; do
    aws_error='' aws_final=''
    if aws_call ecr "$region" AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken '{}' "$work/answer"; then
      return 0
    elif [[ -n $aws_final ]] || ((SECONDS >= deadline)); then
      printf 'fleet-ecr-login: %s: %s\n' "$1" "$aws_error" >&2
      return 1
    fi
    sleep "$delay"
    delay=5
  done
}

failed=0
for registry in "$@"; do
  if good "$registry"; then continue; fi
  if ! ask "$registry"; then
    failed=1
    continue
  fi
  if [[ ! -s $config ]]; then printf '{}' >"$config"; fi
  # The token is what Docker's configuration wants: "AWS:PASSWORD" in base 64.
  if ! jq --exit-status --arg registry "$registry" --slurpfile answer "$work/answer" \
    '.auths[$registry] = {auth: ($answer[0].authorizationData[0].authorizationToken | strings)}' \
    "$config" >"$work/config.json" 2>/dev/null; then
    printf 'fleet-ecr-login: %s: the answer holds no token\n' "$registry" >&2
    failed=1
    continue
  fi
  mv "$work/config.json" "$config"
  touch "$folder/.since.$registry"
done
exit "$failed"
