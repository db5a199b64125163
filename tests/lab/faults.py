"""Faults on demand: which of the calls to come meets which. Thread-safe; nothing here touches the network."""

import fnmatch
import threading
import time
from dataclasses import dataclass, field

KINDS = {
    "throttle": "refused as one call too many",
    "error": "refused with `code`, `message` and `status`",
    "capacity": "refused with InsufficientInstanceCapacity",
    "cut-before": "the connection breaks, and nothing was done",
    "cut-after": "the connection breaks, and it was done",
    "duplicate": "it arrives twice, and the second answer is the one that is seen",
    "slow": "it is done after `seconds`",
    "hold-before": "it waits, not done, until the faults are taken back",
    "hold-after": "it waits, done, until the faults are taken back",
    "unseen": "(RunInstances) the new instances are seen by no call for `seconds`",
}


@dataclass
class Fault:
    """A rule for calls to come."""

    kind: str
    call: str = "*"  # their name, with wildcards; that of a dry run is `DryRun:RunInstances`
    match: str = ""  # what they hold: a subnet, an instance type
    skip: int = 0  # so many go by first
    times: int = 1  # so many meet it; -1: all
    seconds: float = 0
    code: str = "InternalError"
    message: str = "An internal error has occurred"
    status: int = 500
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"no such kind: {self.kind}; there are {', '.join(KINDS)}")


class Faults:
    """What is to go wrong, and every call so far."""

    def __init__(self):
        self._lock = threading.Lock()
        self._rules, self._unseen, self.calls, self.held = [], {}, [], []

    def add(self, **rule):
        """Adds a rule; an unknown word in it is an error."""
        with self._lock:
            self._rules.append(Fault(**rule))

    def clear(self):
        """Takes all back, and lets go what is held."""
        with self._lock:
            for rule in self._rules:
                rule.released.set()
            self._rules, self._unseen, self.held = [], {}, []

    def meet(self, call):
        """Counts a call, and returns the fault that it meets, if any: the oldest that it fits."""
        with self._lock:
            self.calls.append(call.name)
            for rule in self._rules:
                if rule.times == 0 or not fnmatch.fnmatchcase(call.name, rule.call) or rule.match not in call.body:
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                rule.times -= rule.times > 0
                if rule.kind.startswith("hold"):
                    self.held.append(call.name)
                return rule
        return None

    def take_calls(self):
        """The names of all calls so far, forgotten with this."""
        with self._lock:
            calls, self.calls = self.calls, []
            return calls

    def hide(self, instances, seconds):
        """Lets nobody see these instances for a while."""
        with self._lock:
            self._unseen.update(dict.fromkeys(instances, time.monotonic() + seconds))

    def unseen(self):
        """The instances that nobody may see yet."""
        with self._lock:
            now = time.monotonic()
            return {instance for instance, until in self._unseen.items() if now < until}
