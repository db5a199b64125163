"""A call of an AWS API as it comes over the wire: which it is, and how its errors look. Pure."""

import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

QUERY = ("ec2", "elasticloadbalancing", "sts", "iam")
JSON = {"AmazonSSM": "ssm", "secretsmanager": "secretsmanager", "AmazonEC2ContainerRegistry_V20150921": "ecr"}


@dataclass(frozen=True)
class Call:
    """One request."""

    name: str
    service: str
    key: str | None  # the access key that it is signed with
    token: str | None  # the session token
    fields: dict  # of a query
    body: str  # to look for words in

    def is_read(self):
        """Whether it changes nothing."""
        return self.name.startswith(("Describe", "DryRun:", "Get", "List", "Head"))


def read(method, path, headers, body):
    """Reads a request. The service is the one in the scope of its signature."""
    authorization = headers.get("Authorization", "")
    scope = re.search(r"Credential=([^/]+)/\d+/[^/]*/([^/]+)/aws4_request", authorization)
    key, service = scope.groups() if scope else (None, "")
    text = body.decode("utf-8", "replace")
    fields = {}
    target = headers.get("X-Amz-Target")
    if target:
        prefix, name = target.split(".", 1)
        service = JSON.get(prefix, service)
    elif service in QUERY:
        fields = {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
        # A question for permission is a call of its own: it changes nothing.
        name = ("DryRun:" if fields.get("DryRun") == "true" else "") + fields.get("Action", "?")
    else:
        name = _object_call(method, path)
    return Call(name, service, key, headers.get("X-Amz-Security-Token"), fields, f"{path}\n{text}")


def _object_call(method, path):
    """The name of a call to S3, whose requests carry none."""
    parts = urlsplit(path)
    query = parse_qs(parts.query, keep_blank_values=True)
    has_key = "/" in parts.path.strip("/")
    if has_key:
        return {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}.get(method, method)
    if "list-type" in query:
        return "ListObjectsV2"
    if "location" in query:
        return "GetBucketLocation"
    if "delete" in query:
        return "DeleteObjects"
    return {"GET": "ListObjects", "PUT": "CreateBucket", "HEAD": "HeadBucket"}.get(method, method)


def error(service, code, message, status):
    """Status, content type and body of an error in the words of this service."""
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if service in JSON.values():
        return status, "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message}).encode()
    if service == "ec2":
        text = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>lab</RequestID></Response>"
    elif service == "s3":
        text = f"<Error>{inner}</Error>"
    else:
        kind = "Receiver" if status >= 500 else "Sender"
        text = f"<ErrorResponse><Error><Type>{kind}</Type>{inner}</Error><RequestId>lab</RequestId></ErrorResponse>"
    return status, "text/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def throttled(service):
    """How this service says that it is asked too often: code and status."""
    known = {"ec2": ("RequestLimitExceeded", 503), "s3": ("SlowDown", 503), "elasticloadbalancing": ("Throttling", 400)}
    return known.get(service, ("ThrottlingException", 400))


def unknown_key(service):
    """How this service turns an access key away that it does not know: code and status."""
    known = {"ec2": ("AuthFailure", 401), "s3": ("InvalidAccessKeyId", 403)}
    code = "UnrecognizedClientException" if service in JSON.values() else "InvalidClientTokenId"
    return known.get(service, (code, 400 if service in JSON.values() else 403))
