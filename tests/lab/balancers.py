"""Each of moto's target groups as a real load balancer: HAProxy, with the group's health check. moto keeps the
registrations; health and draining are HAProxy's, and are told in the words of DescribeTargetHealth.

As ELBv2 does and HAProxy would not by itself: no connection is tried again at another target, a new target serves
after it proved healthy, and a target is called draining until the delay is over, however soon it has nothing to do (ELB
User Guide, "Deregistration delay")."""

import socket
import sys
import time
from dataclasses import dataclass, field

from engine import TARGET_GROUP, archive

HURRY = 5  # health checks come so many times as fast as the group says, whose least is one in 5 s
ADMIN, LISTEN = 9999, 80
# HAProxy's words for a failed check (management guide, 9.1, check_status) in those of ELBv2.
REASONS = {
    "L7STS": ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [{code}]"),
    "L4TOUT": ("Target.Timeout", "Request timed out"),
    "L7TOUT": ("Target.Timeout", "Request timed out"),
}
FAILED = ("Target.FailedHealthChecks", "Health checks failed")
REGISTERING = ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
DRAINING = ("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
NOT_REGISTERED = ("unused", "Target.NotRegistered", "Target is not registered to the target group")
NOT_IN_USE = ("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
NOT_RUNNING = ("unused", "Target.InvalidState", "Target is in the stopped state")
HEALTHY = ("healthy", None, None)


def configuration(group):
    """HAProxy's, for a group; servers come and go while it runs."""
    pace = max(1, group.interval * 1000 // HURRY)
    port = "" if group.check_port == "traffic-port" else f" port {group.check_port}"
    check = f"check inter {pace}ms rise {group.healthy} fall {group.unhealthy}{port}"
    return check, f"""global
    stats socket ipv4@0.0.0.0:{ADMIN} level admin
    stats timeout 1h
    maxconn 4000
    no strict-limits
defaults
    mode http
    retries 0
    option forwardfor
    option idle-close-on-response
    option http-server-close
    timeout connect 5s
    timeout http-request 10s
    timeout client 1m
    timeout server 1m
    timeout tunnel 1h
frontend clients
    bind :{LISTEN}
    default_backend targets
backend targets
    balance roundrobin
    option httpchk
    http-check send meth GET uri '{group.path}' ver HTTP/1.1 hdr Host localhost hdr User-Agent ELB-HealthChecker/2.0
    http-check expect status {group.matcher}
    timeout check {group.timeout}s
"""


def describe(group, target, server, since_gone, stopped, now):
    """State, reason and description of one target. Pure.

    `server` is HAProxy's view of it, `since_gone` the moment of its deregistration, both where there are any."""
    if target not in group.targets:
        draining = since_gone is not None and now < since_gone + group.delay
        return DRAINING if draining or server else NOT_REGISTERED
    if not group.used:
        return NOT_IN_USE
    if stopped:
        return NOT_RUNNING
    if server is None:
        return REGISTERING
    if server.status.startswith("UP"):
        return HEALTHY
    # It gets as long as it takes to fail for good, before it is called that.
    if not server.served and now < server.added + group.interval * (group.unhealthy + 1) / HURRY:
        return CHECKING
    reason, text = REASONS.get(server.check, FAILED)
    return "unhealthy", reason, text.format(code=server.code)


@dataclass
class Server:
    """A target as HAProxy has it."""

    name: str
    place: tuple  # address and port
    added: float
    status: str = ""
    check: str = ""
    code: str = ""
    sessions: int = 0
    served: bool = False  # whether it was healthy ever since it was added


@dataclass
class Balancer:
    """The HAProxy of one target group."""

    container: str
    check: str
    address: str = ""
    port: int = 0
    servers: dict = field(default_factory=dict)  # target -> Server
    gone: dict = field(default_factory=dict)  # target -> when it was deregistered

    def ask(self, command):
        """One command of HAProxy's runtime API."""
        with socket.create_connection((self.address, ADMIN), timeout=2) as connection:
            connection.sendall(command.encode() + b"\n")
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return answer.decode().strip()

    def tell(self, *commands):
        """Commands whose answers matter only when something is wrong."""
        for command in commands:
            answer = self.ask(command)
            if answer and not answer.startswith(("New server registered", "Server deleted")):
                print(f"lab: haproxy: {command}: {answer}", file=sys.stderr, flush=True)


class Balancers:
    """Follows moto's target groups."""

    def __init__(self, engine, cloud):
        self._engine, self._cloud, self._of = engine, cloud, {}

    def look(self):
        """Makes, changes and removes load balancers and their servers as moto's records say."""
        groups = {group.arn: group for group in self._cloud.target_groups()}
        instances = {instance.id: instance for instance in self._cloud.instances()}
        for arn in set(self._of) - set(groups):
            self._engine.remove(self._of.pop(arn).container)
        for arn, group in groups.items():
            if arn not in self._of:
                self._of[arn] = self._make(group)
            try:
                self._follow(self._of[arn], group, instances)
            except OSError as error:
                print(f"lab: haproxy of {arn}: {error}", file=sys.stderr, flush=True)

    def _make(self, group):
        engine = self._engine
        check, text = configuration(group)
        ports = engine.api.create_host_config(network_mode=engine.name, port_bindings={LISTEN: ("127.0.0.1",)})
        made = engine.api.create_container(
            engine.balancer_image,
            labels=engine.labels | {TARGET_GROUP: group.arn},
            host_config=ports,
            ports=[LISTEN],
            networking_config=engine.endpoint(),
            name=f"{engine.name}-{group.arn.rsplit('/', 2)[1]}",
        )
        engine.api.put_archive(made["Id"], "/", archive({"etc/haproxy/haproxy.cfg": (0o644, text.encode())}))
        engine.api.start(made["Id"])
        network = engine.api.inspect_container(made["Id"])["NetworkSettings"]
        balancer = Balancer(made["Id"], check)
        balancer.address = network["Networks"][engine.name]["IPAddress"]
        balancer.port = int(network["Ports"][f"{LISTEN}/tcp"][0]["HostPort"])
        _until_answers(balancer)
        return balancer

    def _follow(self, balancer, group, instances):
        self._read(balancer)
        wanted = {}
        for target, port in group.targets.items():
            instance = instances.get(target)
            if instance is None and not target.startswith("i-"):
                wanted[target] = (target, port)
            elif instance is not None and instance.state == "running":
                wanted[target] = (instance.address, port)
        for target, place in wanted.items():
            server = balancer.servers.get(target)
            if server is None:
                self._add(balancer, target, place)
            elif server.place != place:
                self._delete(balancer, target)
            elif target in balancer.gone or server.status.startswith("DRAIN"):
                balancer.tell(f"set server targets/{server.name} state ready")
            balancer.gone.pop(target, None)
        for target in set(balancer.servers) - set(wanted):
            self._drain(balancer, group, target)

    @staticmethod
    def _add(balancer, target, place):
        server = Server(target, place, time.monotonic())
        balancer.tell(
            f"add server targets/{server.name} {place[0]}:{place[1]} {balancer.check}",
            f"enable health targets/{server.name}",
            # HAProxy takes a server that leaves maintenance for healthy. So it comes in drained, is called down, and is
            # left to its checks.
            f"set server targets/{server.name} state drain",
            f"set server targets/{server.name} health down",
            f"set server targets/{server.name} state ready",
        )
        balancer.servers[target] = server

    def _drain(self, balancer, group, target):
        server = balancer.servers[target]
        if target not in balancer.gone:
            balancer.gone[target] = time.monotonic()
            balancer.tell(f"set server targets/{server.name} state drain")
            return
        if server.sessions == 0 or time.monotonic() > balancer.gone[target] + group.delay:
            self._delete(balancer, target)

    @staticmethod
    def _delete(balancer, target):
        server = balancer.servers[target]
        balancer.tell(
            f"set server targets/{server.name} state maint", f"shutdown sessions server targets/{server.name}"
        )
        answer = balancer.ask(f"del server targets/{server.name}")
        # Otherwise a session is on its way out: the next look tries again.
        if "deleted" in answer.lower():
            del balancer.servers[target]

    @staticmethod
    def _read(balancer):
        lines = balancer.ask("show stat").lstrip("# ").splitlines()
        names = lines[0].split(",")
        for line in lines[1:]:
            row = dict(zip(names, line.split(",")))
            server = balancer.servers.get(row["svname"]) if row["pxname"] == "targets" else None
            if server:
                server.status, server.sessions = row["status"], int(row["scur"] or 0)
                server.check, server.code = row["check_status"].lstrip("* "), row["check_code"]
                server.served = server.served or server.status.startswith("UP")

    def health(self, arn, asked):
        """The answer to DescribeTargetHealth: (target, port, check port, state, reason, description) of each target
        asked for, or of all that there are. `None`: there is no such group."""
        group = next((group for group in self._cloud.target_groups() if group.arn == arn), None)
        if group is None:
            return None
        balancer = self._of.get(arn) or Balancer("", "")
        states = {instance.id: instance.state for instance in self._cloud.instances()}
        now = time.monotonic()
        listed = list(group.targets) + [target for target in list(balancer.servers) if target not in group.targets]
        listed += [t for t, since in list(balancer.gone.items()) if t not in listed and now < since + group.delay]
        answers = []
        for target in asked or listed:
            server, since = balancer.servers.get(target), balancer.gone.get(target)
            stopped = target.startswith("i-") and states.get(target) != "running"
            port = group.targets.get(target) or (server.place[1] if server else None)
            check = str(port or "") if group.check_port == "traffic-port" else group.check_port
            answers.append((target, port, check, *describe(group, target, server, since, stopped, now)))
        return answers

    def report(self):
        """The port of this machine that leads to each group, HAProxy's words for its servers, and which of these are in
        rotation: registered, and found healthy since. One that is slow to answer for a moment still is."""
        return {
            arn: {
                "port": of.port,
                "servers": {target: server.status for target, server in list(of.servers.items())},
                "in_rotation": [t for t, server in list(of.servers.items()) if server.served and t not in of.gone],
            }
            for arn, of in list(self._of.items())
        }


def _until_answers(balancer):
    deadline = time.monotonic() + 10
    while True:
        try:
            return balancer.ask("show info")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
