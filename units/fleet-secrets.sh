#!/bin/bash
# fleet-secrets fetch SERVICE: puts the secrets of a service into memory, for its container to mount. All or none.
# fleet-secrets remove SERVICE: takes them away.
# Reads /etc/fleet/SERVICE/secrets, one secret a line, tabs between: name, file, mode, user, group, kind, source, key.
set -euo pipefail
umask 077
action=$1 service=$2
# Tests run this on a machine that is no host.
root=${FLEET_ROOT:-}
list=$root/etc/fleet/$service/secrets
folder=$root/run/fleet/secrets
given=$root/var/lib/fleet/given
# Seconds from the start. The unit's own time limit is a little longer.
deadline=${FLEET_SECRETS_SECONDS:-120}

say() { printf 'fleet-secrets: %s\n' "$1" >&2; }

if [[ $action == remove ]]; then
  rm --recursive --force "${folder:?}/$service"
  exit
fi

# shellcheck disable=SC1091 # it has its ending in the repository only
. "${0%/*}/fleet-aws"
mkdir --parents "$folder"
work=$(mktemp --directory "$folder/.$service.XXXXXXXX")
trap 'rm --recursive --force "$work"' EXIT
trap 'exit 143' TERM INT
mkdir "$work/files"
answer=$work/answer

# Sets region: that of an ARN, else the host's own.
region_of() {
  if [[ $1 == arn:* ]]; then
    region=$(cut --delimiter : --fields 4 <<<"$1")
  elif [[ -z ${home:=$(aws_region || true)} ]]; then
    aws_error='the metadata service of this instance does not say which region it is in'
    return 1
  else
    region=$home
  fi
}

# Each puts the value of the source $1 into the file $2, or says why not as aws_call does. jq's own complaints would
# quote the value.
from_ssm() {
  region_of "$1" || return 1
  aws_call ssm "$region" AmazonSSM.GetParameter \
    "$(jq --null-input --compact-output --arg name "$1" '{Name: $name, WithDecryption: true}')" "$answer" || return 1
  jq --exit-status --join-output '.Parameter.Value | strings' "$answer" >"$2" 2>/dev/null || unreadable
}

from_secretsmanager() {
  region_of "$1" || return 1
  aws_call secretsmanager "$region" secretsmanager.GetSecretValue \
    "$(jq --null-input --compact-output --arg id "$1" '{SecretId: $id}')" "$answer" || return 1
  if [[ -n $key ]]; then
    jq --exit-status --join-output --arg key "$key" '.SecretString | fromjson | objects | .[$key] | values
      | if type == "string" then . else tojson end' "$answer" >"$2" 2>/dev/null && return
    aws_error="it is no JSON object with the key $key" aws_final=yes
    return 1
  fi
  if jq --exit-status 'has("SecretString")' "$answer" >/dev/null 2>&1; then
    jq --exit-status --join-output '.SecretString | strings' "$answer" >"$2" 2>/dev/null || unreadable
  else
    jq --exit-status --join-output '.SecretBinary | strings' "$answer" 2>/dev/null | base64 --decode >"$2" 2>/dev/null ||
      unreadable
  fi
}

from_given() {
  cat "$given/$1" >"$2" 2>/dev/null && return
  aws_error="this host was not given it; 'fleet up' on the machine that has it hands it over"
  return 1
}

unreadable() {
  aws_error='the answer holds no value' aws_final=yes
  return 1
}

fetch() {
  local name=$1 kind=$2 source=$3 file=$4 delay=0.2 told=
  while true; do
    aws_error='' aws_final=''
    if "from_$kind" "$source" "$file"; then return 0; fi
    if [[ -n $aws_final ]] || ((SECONDS >= deadline)); then
      say "secret $name ($kind $source): $aws_error"
      return 1
    fi
    if [[ $told != "$aws_error" ]]; then
      told=$aws_error
      say "secret $name ($kind $source): $aws_error; trying for $((deadline - SECONDS)) s more"
    fi
    sleep "$delay"
    case $kind:$delay in
      # It comes any moment, and costs nobody anything to look for.
      given:*) ;;
      *:0.2) delay=1 ;;
      *:1) delay=2 ;;
      *:2) delay=5 ;;
    esac
  done
}

home='' region='' key=''
while IFS=$'\t' read -r name file mode user group kind source key; do
  fetch "$name" "$kind" "$source" "$work/files/$file"
  chown "$user:$group" "$work/files/$file"
  chmod "$mode" "$work/files/$file"
done <"$list"
rm --recursive --force "${folder:?}/$service"
mv --no-target-directory "$work/files" "$folder/$service"
