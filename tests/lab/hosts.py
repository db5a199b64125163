"""Each of moto's instances as a real host: a container of fleet's host image at the instance's private address, with
its user data as Ignition's configuration."""

import json
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import docker

from engine import INSTANCE, archive

# How a container ends whose init asked the kernel to start again, or to power off (reboot(2), in a PID namespace).
REBOOTED, POWERED_OFF = 129, 130
STOP_GRACE = 5  # seconds
REGISTRY = "5006"  # the port of the tests' image registry, which hosts reach by the same name


def decide(state, container, stopped):
    """What is to be done about an instance in this state, given its container (`None`: there is none) and whether the
    lab stopped that. Pure: everything that is done follows from two looks."""
    if state in ("terminated", "shutting-down"):
        return "remove" if container else None
    up = container is not None and container["State"] == "running"
    if state in ("stopping", "stopped"):
        return "stop" if up else None
    if container is None:
        return "make"
    if up:
        return None
    code = exit_code(container)
    if stopped or code == REBOOTED:
        return "start"
    # What ended otherwise stays down, as a machine does that broke.
    return "power-off" if code == POWERED_OFF else None


def exit_code(container):
    """The exit code of a container that ended, from the engine's list."""
    found = re.match(r"Exited \((\d+)\)", container["Status"])
    return int(found[1]) if found else None


def rewrite_s3(ignition, endpoint):
    """Points `s3://` sources to the lab: Ignition's client speaks to AWS alone. What the lab answers there is what S3
    would: the object for a host with a role, a refusal otherwise."""
    if b"s3://" not in ignition:
        return ignition

    def walk(value):
        if isinstance(value, dict):
            return {key: walk(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [walk(entry) for entry in value]
        if isinstance(value, str) and value.startswith("s3://"):
            return f"{endpoint}/_lab/s3/{value[5:]}"
        return value

    return json.dumps(walk(json.loads(ignition))).encode()


class Hosts:
    """Follows moto's instances."""

    def __init__(self, engine, cloud):
        self._engine, self._cloud = engine, cloud
        self._pool = ThreadPoolExecutor(4, "host")
        self._lock = threading.Lock()
        self._busy, self._stopped, self._failed = set(), set(), {}
        # Where hosts find the lab; known once its servers listen.
        self.api = self.metadata = ""

    def look(self):
        """Compares what moto says with what runs, and starts what is to be done, one thing a host at a time."""
        containers = self._engine.containers(INSTANCE)
        for instance in self._cloud.instances():
            with self._lock:
                if instance.id in self._busy:
                    continue
                act = decide(instance.state, containers.get(instance.id), instance.id in self._stopped)
                if act == "make" and instance.id in self._failed:
                    continue
                if act:
                    self._busy.add(instance.id)
                    self._pool.submit(self._do, act, instance)

    def _do(self, act, instance):
        name = self.name(instance.id)
        try:
            if act == "make":
                self._make(instance, name)
            elif act == "remove":
                self._engine.remove(name)
            elif act == "start":
                self._engine.api.start(name)
                self._stopped.discard(instance.id)
            elif act == "stop":
                self._engine.api.stop(name, timeout=STOP_GRACE)
                self._stopped.add(instance.id)
            elif act == "power-off":
                # InstanceInitiatedShutdownBehavior, whose default is to stop.
                self._cloud.client("ec2").stop_instances(InstanceIds=[instance.id])
                self._stopped.add(instance.id)
            elif act == "reboot":
                self._engine.api.restart(name, timeout=STOP_GRACE)
        except docker.errors.APIError as error:
            print(f"lab: {act} {instance.id}: {error}", file=sys.stderr, flush=True)
            self._failed[instance.id] = f"{act}: {error}"
        finally:
            with self._lock:
                self._busy.discard(instance.id)

    def _make(self, instance, name):
        engine = self._engine
        config = engine.api.create_container(
            engine.host_image,
            name=name,
            hostname="ip-" + instance.address.replace(".", "-"),
            tty=True,
            environment={"FLEET_SSH_AUTHORIZED_KEY": instance.public_key.strip(), "FLEET_REGISTRY_PORTS": REGISTRY},
            labels=engine.labels | {INSTANCE: instance.id},
            host_config=engine.host_config(),
            networking_config=engine.endpoint(instance.address),
            stop_signal="SIGRTMIN+3",
        )
        try:
            # The SDKs' own variables for another metadata service and other endpoints, for every unit of the host.
            drop_in = f"""[Manager]
DefaultEnvironment="AWS_EC2_METADATA_SERVICE_ENDPOINT={self.metadata}" "AWS_ENDPOINT_URL={self.api}"
"""
            files = {"etc/systemd/system.conf.d/10-lab.conf": (0o644, drop_in.encode())}
            if instance.user_data:
                files["ignition.json"] = (0o600, rewrite_s3(instance.user_data, self.api))
            engine.api.put_archive(config["Id"], "/", archive(files))
            engine.api.start(config["Id"])
        except docker.errors.APIError:
            engine.remove(config["Id"])
            raise

    def name(self, instance):
        """The name of an instance's container."""
        return f"{self._engine.name}-{instance}"

    def reboot(self, ids):
        """moto does not show a reboot; whoever heard of one says so here."""
        known = {instance.id: instance for instance in self._cloud.instances()}
        with self._lock:
            for instance in ids:
                if instance in known and instance not in self._busy:
                    self._busy.add(instance)
                    self._pool.submit(self._do, "reboot", known[instance])

    def console(self, instance):
        """The last 64 KB that a host wrote to its console, as GetConsoleOutput gives them."""
        try:
            return self._engine.api.logs(self.name(instance), tail=2000)[-65536:]
        except docker.errors.APIError:
            return b""

    def by_address(self, address):
        """The live instance at a private address, or nothing."""
        for instance in self._cloud.instances():
            if instance.address == address and instance.state not in ("terminated", "shutting-down"):
                return instance
        return None

    def report(self):
        """Instances that exist, and how they fare."""
        containers = self._engine.containers(INSTANCE)
        return {
            instance.id: {
                "state": instance.state,
                "address": instance.address,
                "container": self.name(instance.id),
                "host": containers[instance.id]["Status"] if instance.id in containers else None,
                "failed": self._failed.get(instance.id),
            }
            for instance in self._cloud.instances()
        }

    def end(self):
        """Begins nothing more, and waits for what is under way."""
        self._pool.shutdown(cancel_futures=True)
