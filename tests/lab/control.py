"""What a test asks of the lab itself, below `/_lab/`:

GET    /_lab/state   the account, hosts and load balancers
GET    /_lab/calls   the names of all calls so far     DELETE  the same, forgotten with this
POST   /_lab/faults  a rule of `faults.Fault`          DELETE  all of them     GET  the calls that are held"""

import json


def answer(lab, method, path, body):
    """Status, headers and body of the answer."""
    try:
        found = _ask(lab, method, path, body)
    except (TypeError, ValueError) as error:
        return _json(400, {"error": str(error)})
    return _json(404, {"error": f"{method} {path}: no such thing"}) if found is None else _json(200, found)


def _ask(lab, method, path, body):
    asked = (method, path)
    if asked == ("GET", "/_lab/state"):
        return lab.account | {"hosts": lab.hosts.report(), "balancers": lab.balancers.report()}
    if asked == ("GET", "/_lab/calls"):
        return list(lab.faults.calls)
    if asked == ("DELETE", "/_lab/calls"):
        return lab.faults.take_calls()
    if asked == ("POST", "/_lab/faults"):
        lab.faults.add(**json.loads(body))
        return {}
    if asked == ("GET", "/_lab/faults"):
        return {"held": list(lab.faults.held)}
    if asked == ("DELETE", "/_lab/faults"):
        lab.faults.clear()
        return {}
    return None


def _json(status, value):
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()
