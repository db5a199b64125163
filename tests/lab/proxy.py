"""What stands between fleet and moto: one address for all services. It counts calls, makes the faults that AWS has and
moto has not, gives the ClientToken its meaning, and joins moto's records with what the lab's hosts really do."""

import hashlib
import http.client
import select
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

import answers
import calls
import control
from cloud import KEY
from server import Server

CAPACITY = (
    "InsufficientInstanceCapacity",
    "We currently do not have sufficient capacity in the Availability Zone you requested.",
    500,
)
HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "server", "date")


@dataclass
class Answer:
    """What goes back."""

    status: int
    headers: dict
    body: bytes


def refusal(service, code, message, status):
    """An error as an answer."""
    status, kind, body = calls.error(service, code, message, status)
    return Answer(status, {"Content-Type": kind}, body)


class Proxy(Server):
    """Listens for fleet on the loopback address, or for hosts on their gateway's; both share `lab`."""

    def __init__(self, address, lab):
        self.lab = lab
        super().__init__((address, 0), _Handler)
        self.url = f"http://{address}:{self.server_port}"


class Upstream:
    """moto, with what it lacks."""

    def __init__(self, port, hosts, balancers, faults, roles):
        self._port, self._hosts, self._balancers = port, hosts, balancers
        self._faults, self._roles = faults, roles
        self._changing = threading.Lock()
        self._launched = {}  # token -> (digest of the request, answer)

    def is_known(self, call):
        """Whether the access key is one that may call. Signatures are not verified: a wrong key is told by its name."""
        return call.key == KEY[0] or self._roles.known(call.key, call.token)

    def carry_out(self, request, call):
        """Does a call, once. moto is not made for two changes at a time."""
        if call.is_read():
            return self._read(request, call)
        with self._changing:
            return self._change(request, call)

    def _read(self, request, call):
        if call.name == "DescribeTargetHealth":
            return self._target_health(request, call)
        if call.name == "GetConsoleOutput" and call.service == "ec2":
            instance = call.fields.get("InstanceId", "")
            return Answer(200, {"Content-Type": "text/xml"}, answers.console_output(instance, self._hosts.console(instance)))
        unseen = self._faults.unseen() if call.name == "DescribeInstances" else ()
        if named := self._named(call, unseen):
            return named
        answer = self._forward(request)
        if unseen and answer.status == 200:
            answer.body = answers.without_instances(answer.body, unseen)
        return answer

    def _change(self, request, call):
        if named := self._named(call, self._faults.unseen()):
            return named
        token = call.fields.get("ClientToken") if call.name == "RunInstances" else None
        if token is None:
            answer = self._forward(request)
        else:
            # The same token launches once (EC2 User Guide, "Ensuring idempotency"); moto launches every time.
            digest = hashlib.sha256("&".join(f"{k}={v}" for k, v in sorted(call.fields.items())).encode()).digest()
            known = self._launched.get(token)
            if known and known[0] != digest:
                text = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
                return refusal("ec2", "IdempotentParameterMismatch", text, 400)
            answer = known[1] if known else self._forward(request)
            if answer.status == 200:
                self._launched[token] = (digest, answer)
        if call.name == "RebootInstances" and answer.status == 200:
            self._hosts.reboot([value for name, value in call.fields.items() if name.startswith("InstanceId.")])
        return answer

    @staticmethod
    def _named(call, unseen):
        """The refusal of a call that names an instance which nobody may see yet."""
        for name, value in call.fields.items():
            if name.startswith("InstanceId") and value in unseen:
                return refusal("ec2", "InvalidInstanceID.NotFound", f"The instance ID '{value}' does not exist", 400)
        return None

    def _target_health(self, request, call):
        arn = call.fields.get("TargetGroupArn", "")
        asked = [v for k, v in call.fields.items() if k.startswith("Targets.member.") and k.endswith(".Id")]
        found = self._balancers.health(arn, asked)
        if found is None:
            return self._forward(request)
        return Answer(200, {"Content-Type": "text/xml"}, answers.target_health(found))

    def _forward(self, request):
        method, path, headers, body = request
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
            if method == "HEAD":
                kept["Content-Length"] = answer.getheader("Content-Length", "0")
            return Answer(answer.status, kept, answer.read())
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 60

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        lab = self.server.lab
        if self.path.startswith("/_lab/s3/"):
            return self._send(self._object(self.path.removeprefix("/_lab/s3/")))
        if self.path.startswith("/_lab/"):
            return self._send(Answer(*control.answer(lab, self.command, self.path, body)))
        call = calls.read(self.command, self.path, self.headers, body)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        return self._send(self._answer((self.command, self.path, headers, body), call))

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

    def _answer(self, request, call):
        """What goes back for a call; nothing when the connection is to break."""
        lab = self.server.lab
        fault = lab.faults.meet(call)
        kind = fault.kind if fault else None
        if not lab.upstream.is_known(call):
            code, status = calls.unknown_key(call.service)
            return refusal(call.service, code, "The access key is not known here", status)
        if kind == "throttle":
            code, status = calls.throttled(call.service)
            return refusal(call.service, code, "Request limit exceeded.", status)
        if kind == "error":
            return refusal(call.service, fault.code, fault.message, fault.status)
        if kind == "capacity":
            return refusal(call.service, *CAPACITY)
        if kind == "cut-before":
            return None
        if kind == "slow":
            threading.Event().wait(fault.seconds)
        if kind == "hold-before" and not self._held(fault):
            return None
        answer = lab.upstream.carry_out(request, call)
        if kind == "duplicate":
            answer = lab.upstream.carry_out(request, call)
        if kind == "unseen":
            lab.faults.hide(answers.instance_ids(answer.body), fault.seconds)
        if kind == "cut-after" or (kind == "hold-after" and not self._held(fault)):
            return None
        return answer

    def _held(self, fault):
        """Waits until the fault is taken back; whether the caller is still there."""
        fault.released.wait()
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return not readable or self.connection.recv(1, socket.MSG_PEEK) != b""
        except OSError:
            return False

    def _object(self, place):
        """An object for Ignition of a host, which reads S3 by the role of its instance; see `hosts.rewrite_s3`."""
        bucket, _, key = unquote(place).partition("/")
        instance = self.server.lab.hosts.by_address(self.client_address[0])
        if instance is None or instance.role is None:
            return refusal("s3", "AccessDenied", "Access Denied", 403)
        found = self.server.lab.cloud.object(bucket, key)
        if found is None:
            return refusal("s3", "NoSuchKey", "The specified key does not exist.", 404)
        return Answer(200, {"Content-Type": "application/octet-stream"}, found)

    def _send(self, answer):
        if answer is None:
            self.close_connection = True
            # Unread bytes or not: the other side sees the connection end in the middle.
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for name, value in ({"Content-Length": str(len(answer.body))} | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, *_):
        """Silent: `/_lab/calls` tells."""
