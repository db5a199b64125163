"""A cloud for tests: moto's API in front, real hosts and load balancers behind it. See README.md.

Prints one line of JSON when it is ready, and runs until its standard input ends or it gets SIGTERM or SIGINT; then it
removes whatever it made. Run it with the Python of tests/moto/install."""

import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass

from account import furnish
from balancers import Balancers
from cloud import REGION, Cloud
from engine import Engine
from faults import Faults
from hosts import Hosts
from metadata import Metadata, Roles
from proxy import Proxy, Upstream

LOOK = 0.2  # seconds between two looks at moto


@dataclass
class Lab:
    """All parts, for those who answer questions about them."""

    cloud: Cloud
    hosts: Hosts
    balancers: Balancers
    faults: Faults
    upstream: Upstream
    account: dict


def serve(server):
    """Runs a server beside everything else."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.url


def begin(engine):
    """Starts everything; what fleet and tests need to know is in `account`."""
    vpc = engine.start()
    gateway = str(vpc[1])
    cloud, faults, roles = Cloud(), Faults(), Roles()
    hosts, balancers = Hosts(engine, cloud), Balancers(engine, cloud)
    upstream = Upstream(cloud.port, hosts, balancers, faults, roles)
    lab = Lab(cloud, hosts, balancers, faults, upstream, furnish(cloud, vpc))
    hosts.metadata = serve(Metadata(gateway, hosts, roles))
    hosts.api = serve(Proxy(gateway, lab))
    balancers.look()
    lab.account |= {
        "id": engine.id,
        "region": REGION,
        "endpoint": serve(Proxy("127.0.0.1", lab)),
        "metadata": hosts.metadata,
        "port": balancers.report()[lab.account["target_group"]]["port"],
    }
    return lab


def until_ended(ended):
    """Waits for the end of standard input, which comes with the end of whoever started this, however that ends."""
    while os.read(0, 4096):
        pass
    ended.set()


def main():
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=until_ended, args=[ended], daemon=True).start()
    engine = Engine()
    lab = None
    try:
        began = time.monotonic()
        lab = begin(engine)
        lab.account["started_in"] = round(time.monotonic() - began, 2)
        print(json.dumps(lab.account), flush=True)
        while not ended.wait(LOOK):
            lab.hosts.look()
            lab.balancers.look()
    finally:
        if lab:
            lab.faults.clear()
            lab.hosts.end()
        engine.end()


if __name__ == "__main__":
    sys.exit(main())
