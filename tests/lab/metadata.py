"""The instance metadata service, version 2, as far as hosts ask for it (EC2 User Guide, "Use the Instance Metadata
Service"). What it says of an instance is what moto recorded of it: role, hop limit, whether tokens are required.

The hop limit is real: the answers to a host are sent with that TTL, so the kernel of the host drops them on their way
into a container's own network, and lets them through to the host itself."""

import json
import secrets
import socket
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler

from cloud import ACCOUNT, REGION
from server import Server

TOKEN = "X-aws-ec2-metadata-token"
ROLE = "/latest/meta-data/iam/security-credentials/"
LIFE = timedelta(hours=6)


class Roles:
    """Temporary credentials of hosts' roles, and who may be let in with them."""

    def __init__(self):
        self._of = {}

    def credentials(self, instance):
        """Those of an instance: the same until the lab ends."""
        if instance.id not in self._of:
            self._of[instance.id] = {
                "AccessKeyId": "ASIALAB" + secrets.token_hex(6).upper(),
                "SecretAccessKey": secrets.token_urlsafe(30),
                "Token": secrets.token_urlsafe(90),
            }
        now = datetime.now(timezone.utc)
        return self._of[instance.id] | {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "LastUpdated": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "Expiration": f"{now + LIFE:%Y-%m-%dT%H:%M:%SZ}",
        }

    def known(self, key, token):
        """Whether a call with this access key and session token is one of a host's."""
        return any(of["AccessKeyId"] == key and of["Token"] == token for of in self._of.values())


class Metadata(Server):
    """Listens where hosts reach it."""

    def __init__(self, address, hosts, roles):
        self.hosts, self.roles, self.tokens = hosts, roles, {}
        super().__init__((address, 0), _Handler)
        self.url = f"http://{address}:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    timeout = 10

    def setup(self):
        super().setup()
        self.instance = self.server.hosts.by_address(self.client_address[0])
        limit = self.instance.hop_limit if self.instance else 1
        self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, limit)

    def do_PUT(self):
        """A session token."""
        seconds = self.headers.get(f"{TOKEN}-ttl-seconds", "")
        if self.path != "/latest/api/token" or not self.instance:
            return self._answer(404)
        # A proxy must not hand out what is the host's.
        if "X-Forwarded-For" in self.headers:
            return self._answer(403)
        if not seconds.isdecimal() or not 1 <= int(seconds) <= 21600:
            return self._answer(400)
        token = secrets.token_urlsafe(42)
        self.server.tokens[token] = (self.instance.id, datetime.now(timezone.utc) + timedelta(seconds=int(seconds)))
        return self._answer(200, token, {f"{TOKEN}-ttl-seconds": seconds})

    def do_GET(self):
        """What is known of the instance that asks."""
        if not self.instance:
            return self._answer(404)
        token = self.headers.get(TOKEN)
        owner, until = self.server.tokens.get(token, (None, None))
        valid = owner == self.instance.id and until > datetime.now(timezone.utc)
        if not valid and (token is not None or self.instance.tokens_required):
            return self._answer(401)
        found = self._find(self.path)
        return self._answer(404) if found is None else self._answer(200, found)

    def _find(self, path):
        instance = self.instance
        role = instance.role
        if role and path.rstrip("/") == ROLE.rstrip("/"):
            return role
        if role and path == ROLE + role:
            return json.dumps(self.server.roles.credentials(instance), indent=2)
        if path == "/latest/user-data":
            return instance.user_data.decode() or None
        place = {"availabilityZone": instance.zone, "region": REGION, "instanceId": instance.id}
        if path == "/latest/dynamic/instance-identity/document":
            more = {"accountId": ACCOUNT, "imageId": instance.image, "instanceType": instance.type}
            return json.dumps(place | more | {"privateIp": instance.address})
        known = {
            "ami-id": instance.image,
            "hostname": f"ip-{instance.address.replace('.', '-')}.{REGION}.compute.internal",
            "instance-id": instance.id,
            "instance-type": instance.type,
            "local-ipv4": instance.address,
            "placement/availability-zone": instance.zone,
            "placement/region": REGION,
        }
        return known.get(path.removeprefix("/latest/meta-data/"))

    def _answer(self, status, text="", headers=None):
        body = text.encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body)), "Content-Type": "text/plain"} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Silent: answers hold credentials."""
