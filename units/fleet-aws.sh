#!/bin/bash
# To be sourced by the scripts beside it: requests to AWS with the role of this instance, by curl alone. Credentials go to
# curl on its standard input: nothing of them is in an argument, in the environment or in a file.
# shellcheck disable=SC2034 # what is set here is read by who sources this

# What every request may take. Retrying is the caller's business.
aws_request=(curl --disable --silent --connect-timeout 3 --max-time 15 --proto '=http,https')

# One line on one line, without what could steer a terminal.
aws_plain() { tr --squeeze-repeats '[:cntrl:]' ' ' | head --bytes 400; }

# imds PATH: what the metadata service (IMDSv2) says. It is on a link of its own: no proxy is in between.
imds() {
  local base=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254} token
  base=${base%/}
  token=$("${aws_request[@]}" --noproxy '*' --fail --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 300' \
    "$base/latest/api/token") || return 1
  printf 'header = "X-aws-ec2-metadata-token: %s"\n' "$token" |
    "${aws_request[@]}" --noproxy '*' --fail --config - "$base/latest/$1"
}

# Sets aws_login, the lines of curl's configuration that sign a request. Else says why in aws_error.
aws_credentials() {
  local role answer status=0
  role=$(imds meta-data/iam/security-credentials/) || status=$?
  # curl says so of an answer that is an error: there is no such thing.
  if ((status == 22)); then
    aws_error='this instance has no role: give it an instance profile (aws.instance_profile)'
    # Right after a launch it may come yet.
    if ((SECONDS >= 10)); then aws_final=yes; fi
    return 1
  elif ((status)) || [[ -z $role ]]; then
    aws_error="the metadata service of this instance does not answer (curl ends with $status)"
    return 1
  fi
  if ! answer=$(imds "meta-data/iam/security-credentials/${role%%$'\n'*}") ||
    ! aws_login=$(printf '%s' "$answer" | jq --exit-status --raw-output 'select(.Code == "Success")
      | "user = \(.AccessKeyId + ":" + .SecretAccessKey | tojson)\nheader = \("x-amz-security-token: " + .Token | tojson)"' \
      2>/dev/null); then
    aws_error="the metadata service gives no credentials of the role $role"
    return 1
  fi
}

# The region that this instance is in.
aws_region() { imds meta-data/placement/region; }

# aws_call SERVICE REGION TARGET BODY FILE: one request in JSON, its answer in FILE. Not 0 when it fails: then aws_error
# says why, and aws_final is set when asking again would bring the same. What an answer holds is never shown.
aws_call() {
  local service=$1 region=$2 target=$3 body=$4 answer=$5 host code status=0 suffix=
  aws_final=
  [[ -n ${aws_login:-} ]] || aws_credentials || return 1
  if [[ $region == cn-* ]]; then suffix=.cn; fi
  host=$service
  # The one service whose address is not its name.
  if [[ $service == ecr ]]; then host=api.ecr; fi
  code=$(
    {
      printf '%s\n' "$aws_login"
      printf 'data = %s\n' "$(jq --null-input --arg body "$body" '$body')"
    } | "${aws_request[@]}" --config - --aws-sigv4 "aws:amz:$region:$service" \
      --header 'content-type: application/x-amz-json-1.1' --header "x-amz-target: $target" \
      --output "$answer" --write-out '%{http_code}' \
      "${AWS_ENDPOINT_URL:-https://$host.$region.amazonaws.com$suffix}/"
  ) || status=$?
  if ((status)); then
    aws_error="no answer of $service in $region (curl ends with $status)"
    return 1
  fi
  if [[ $code == 200 ]]; then return 0; fi
  # An error in another form than JSON comes from something in between.
  aws_error="HTTP $code $({
    jq --raw-output '"\(.__type // "" | sub(".*#"; "")): \(.message // .Message // "")"' "$answer" 2>/dev/null ||
      sed 's/<[^>]*>/ /g' "$answer"
  } | aws_plain)"
  case $code:$aws_error in
    # A role that was just attached is not known everywhere at once, and its credentials change while it lasts.
    *ExpiredToken* | *UnrecognizedClient* | *InvalidClientTokenId*) aws_login= ;;
    429:* | 5??:* | *Throttl* | *TooManyRequests* | *InternalServ* | *RequestTimeout*) ;;
    *) aws_final=yes ;;
  esac
  return 1
}
