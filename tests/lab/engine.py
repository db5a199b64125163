"""The Docker engine: the lab's own network and containers, and the end of all of them."""

import hashlib
import io
import ipaddress
import os
import re
import subprocess
import tarfile
import threading
from pathlib import Path

import docker

REPOSITORY = Path(__file__).resolve().parents[2]
LOCAL = REPOSITORY / "src/provider/local"
LAB = "fleet.lab"  # the label of everything here: whose it is
OWNER = "fleet.lab.owner"  # the process that will remove it
INSTANCE = "fleet.lab.instance"
TARGET_GROUP = "fleet.lab.target-group"
# Ranges to choose from, each for the VPC of one lab: the engine refuses one that overlaps with a network of its own, and
# chooses none of these by itself.
RANGES = [f"10.251.{third}.0/20" for third in range(0, 256, 16)]


def owner(pid):
    """A process and the moment of its start: a number alone may be another's tomorrow (proc(5), /proc/pid/stat)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return f"{pid}:{stat.rsplit(')', 1)[1].split()[19]}"


def image_reference(constant):
    """The name that fleet gives an image which it builds itself (`Context::reference` in src/provider/local/image.rs),
    so that lab and local provider share it."""
    text = (LOCAL / "context.rs").read_text()
    found = re.search(rf"const {constant}: Context = .*?repository: \"(.*?)\".*?entries!\(\"(.*?)\":(.*?)\),", text, re.S)
    repository, folder, entries = found.groups()
    digest = hashlib.sha256()
    for path, mode in re.findall(r'"([^"]+)" 0o(\d+)', entries):
        content = (LOCAL / folder / path).read_bytes()
        digest.update(f"{path}\0{mode}\0{len(content)}\0".encode() + content)
    return f"{repository}:{digest.hexdigest()[:12]}", LOCAL / folder


def archive(files):
    """A tar archive of path -> (mode, bytes), as the engine takes it, of root."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for path, (mode, content) in files.items():
            entry = tarfile.TarInfo(path)
            entry.mode, entry.size = mode, len(content)
            tar.addfile(entry, io.BytesIO(content))
    return data.getvalue()


class Engine:
    """What one lab has in the engine."""

    def __init__(self):
        self.id = f"{os.getpid()}"
        self.api = docker.APIClient(timeout=120, num_pools=4, max_pool_size=32)
        self.name = f"fleet-lab-{self.id}"
        self.labels = {LAB: self.id, OWNER: owner(os.getpid())}
        self.cgroup_v2 = str(self.api.info().get("CgroupVersion")) == "2"
        self.host_image = self.balancer_image = None
        self._ending = threading.Lock()

    def start(self):
        """Images, and the network. Returns the range of addresses that is the VPC's."""
        self.sweep()
        self.host_image = self._ensure("HOST")
        self.balancer_image = self._ensure("BALANCER")
        for cidr in RANGES:
            vpc = ipaddress.ip_network(cidr)
            quarters = list(vpc.subnets(prefixlen_diff=2))
            # EC2 chooses the addresses in the first half; what the lab adds to the network gets one of the last quarter.
            pool = docker.types.IPAMPool(subnet=cidr, gateway=str(vpc[1]), iprange=str(quarters[3]))
            try:
                self.api.create_network(
                    self.name,
                    driver="bridge",
                    labels=self.labels,
                    check_duplicate=True,
                    ipam=docker.types.IPAMConfig(pool_configs=[pool]),
                )
            except docker.errors.APIError as error:
                if "overlap" not in str(error):
                    raise
                continue
            return vpc
        raise SystemExit("lab: every range of addresses is taken by another network: docker network ls")

    def _ensure(self, constant):
        reference, folder = image_reference(constant)
        try:
            self.api.inspect_image(reference)
        except docker.errors.ImageNotFound:
            for command in ([REPOSITORY / "scripts/base-image"], ["docker", "build", "--tag", reference, folder]):
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(f"lab: {constant.lower()} image: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return reference

    def host_config(self, **more):
        """What lets systemd and Docker run in a container: `Cgroup::host_config` in src/provider/local/cgroup.rs."""
        config = self.api.create_host_config(
            tmpfs={"/run": "exec,mode=755", "/tmp": "exec,mode=1777"},
            extra_hosts={"host.docker.internal": "host-gateway"},
            network_mode=self.name,
            privileged=self.cgroup_v2,
            **({} if self.cgroup_v2 else {"cap_add": ["ALL"], "cap_drop": ["SYS_RESOURCE"]}),
            **more,
        )
        config["CgroupnsMode"] = "private"
        if not self.cgroup_v2:
            config.update(SecurityOpt=["seccomp=unconfined", "apparmor=unconfined"], MaskedPaths=[], ReadonlyPaths=[])
        return config

    def endpoint(self, address=None):
        """A place in the lab's network, at this address if one is given."""
        return self.api.create_networking_config({self.name: self.api.create_endpoint_config(ipv4_address=address)})

    def containers(self, label):
        """Every container of the lab with this label, by the label's value."""
        found = self.api.containers(all=True, filters={"label": [f"{LAB}={self.id}", label]})
        return {container["Labels"][label]: container for container in found}

    def remove(self, container):
        """Kills and removes a container with its volumes; one that is gone already is fine."""
        try:
            self.api.remove_container(container, v=True, force=True)
        except docker.errors.APIError as error:
            # A conflict says that somebody is removing it at this moment.
            if error.status_code not in (404, 409):
                raise

    def sweep(self):
        """Removes what labs left that were killed."""
        for container in self.api.containers(all=True, filters={"label": [OWNER]}):
            if not _alive(container["Labels"][OWNER]):
                self.remove(container["Id"])
        for network in self.api.networks(filters={"label": [OWNER]}):
            if not _alive(network["Labels"][OWNER]):
                self.api.remove_network(network["Id"])

    def end(self):
        """Removes everything of this lab."""
        with self._ending:
            threads = []
            for container in self.api.containers(all=True, filters={"label": [f"{LAB}={self.id}"]}):
                threads.append(threading.Thread(target=self.remove, args=[container["Id"]]))
                threads[-1].start()
            for thread in threads:
                thread.join()
            for network in self.api.networks(filters={"label": [f"{LAB}={self.id}"]}):
                self.api.remove_network(network["Id"])


def _alive(label):
    return owner(label.split(":")[0]) == label
