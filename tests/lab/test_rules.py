"""The lab's own rules, without engine and moto: python -m unittest discover -s tests/lab"""

import dataclasses
import json
import unittest

import answers
import balancers
import calls
import hosts
from balancers import Server
from cloud import TargetGroup
from faults import Faults

SIGNED = "AWS4-HMAC-SHA256 Credential={}/20260101/eu-central-1/{}/aws4_request, SignedHeaders=host, Signature=0"
GROUP = TargetGroup(
    arn="g", path="/", matcher="200", check_port="traffic-port", interval=5, timeout=2, healthy=2, unhealthy=2,
    delay=10, used=True, targets={"i-1": 80},
)


def call(name, service="ec2", **fields):
    body = "&".join(f"{key}={value}" for key, value in ({"Action": name} | fields).items()).encode()
    return calls.read("POST", "/", {"Authorization": SIGNED.format("test", service)}, body)


class Calls(unittest.TestCase):
    def test_a_call_is_known_by_its_form_field_its_header_or_its_method(self):
        run = call("RunInstances", ClientToken="t")
        self.assertEqual((run.name, run.service, run.key, run.is_read()), ("RunInstances", "ec2", "test", False))
        self.assertTrue(call("RunInstances", DryRun="true").is_read())
        self.assertEqual(call("RunInstances", DryRun="true").name, "DryRun:RunInstances")
        headers = {"X-Amz-Target": "AmazonSSM.GetParameter", "Authorization": SIGNED.format("k", "ssm")}
        get = calls.read("POST", "/", headers, b"{}")
        self.assertEqual((get.name, get.service, get.is_read()), ("GetParameter", "ssm", True))
        s3 = {"Authorization": SIGNED.format("k", "s3")}
        self.assertEqual(calls.read("PUT", "/bucket/key", s3, b"").name, "PutObject")
        self.assertEqual(calls.read("GET", "/bucket?list-type=2&prefix=a", s3, b"").name, "ListObjectsV2")

    def test_every_service_is_refused_in_its_own_words(self):
        self.assertIn(b"<Response><Errors>", calls.error("ec2", "A", "b & c", 400)[2])
        self.assertIn(b"b &amp; c", calls.error("elasticloadbalancing", "A", "b & c", 400)[2])
        self.assertEqual(json.loads(calls.error("ssm", "A", "b", 400)[2])["__type"], "A")


class FaultRules(unittest.TestCase):
    def test_a_rule_skips_then_counts_then_is_over(self):
        faults = Faults()
        faults.add(kind="throttle", call="Describe*", skip=1, times=2)
        met = [faults.meet(call("DescribeImages")) for _ in range(4)]
        self.assertEqual([fault is not None for fault in met], [False, True, True, False])
        self.assertEqual(faults.take_calls(), ["DescribeImages"] * 4)
        self.assertEqual(faults.take_calls(), [])

    def test_a_rule_looks_for_words_and_has_to_be_one(self):
        faults = Faults()
        faults.add(kind="capacity", call="RunInstances", match="subnet-1", times=-1)
        self.assertIsNone(faults.meet(call("RunInstances", SubnetId="subnet-2")))
        self.assertEqual(faults.meet(call("RunInstances", SubnetId="subnet-1")).kind, "capacity")
        for wrong in ({"kind": "storm"}, {"kind": "slow", "colour": "red"}):
            with self.assertRaises((TypeError, ValueError)):
                faults.add(**wrong)

    def test_what_is_unseen_is_seen_in_the_end(self):
        faults = Faults()
        faults.hide(["i-1"], 60)
        faults.hide(["i-2"], -1)
        self.assertEqual(faults.unseen(), {"i-1"})


class Answers(unittest.TestCase):
    def test_an_unseen_instance_is_left_out_and_an_empty_reservation_with_it(self):
        item = "<item><instancesSet><item><instanceId>{}</instanceId></item></instancesSet></item>"
        text = f'<R xmlns="http://x/"><reservationSet>{item.format("i-a1")}{item.format("i-b2")}</reservationSet></R>'
        left = answers.without_instances(text.encode(), {"i-a1"})
        self.assertEqual(answers.instance_ids(left), ["i-b2"])
        self.assertNotIn(b"ns0", left)


class Targets(unittest.TestCase):
    def state(self, group=GROUP, server=None, gone=None, stopped=False, now=100):
        return balancers.describe(group, "i-1", server, gone, stopped, now)[:2]

    def test_from_registration_to_health(self):
        server = Server("i-1", ("10.0.0.4", 80), added=99)
        self.assertEqual(self.state(), ("initial", "Elb.RegistrationInProgress"))
        self.assertEqual(self.state(server=server), ("initial", "Elb.InitialHealthChecking"))
        late = dataclasses.replace(server, added=0, check="L7STS", code="503", status="DOWN")
        self.assertEqual(self.state(server=late), ("unhealthy", "Target.ResponseCodeMismatch"))
        self.assertEqual(self.state(server=dataclasses.replace(late, status="UP 1/2")), ("healthy", None))
        self.assertEqual(self.state(stopped=True), ("unused", "Target.InvalidState"))
        self.assertEqual(self.state(dataclasses.replace(GROUP, used=False)), ("unused", "Target.NotInUse"))

    def test_a_target_is_draining_until_the_delay_is_over(self):
        left = dataclasses.replace(GROUP, targets={})
        self.assertEqual(self.state(left, gone=91)[0], "draining")
        self.assertEqual(self.state(left, gone=90), ("unused", "Target.NotRegistered"))


class Instances(unittest.TestCase):
    def test_what_is_done_follows_from_two_looks(self):
        up = {"State": "running", "Status": "Up 3 seconds"}
        ended = {code: {"State": "exited", "Status": f"Exited ({code}) 1 second ago"} for code in (65, 129, 130, 137)}
        for state, container, stopped, act in [
            ("running", None, False, "make"),
            ("running", up, False, None),
            ("running", ended[129], False, "start"),  # it rebooted
            ("running", ended[130], False, "power-off"),
            ("running", ended[130], True, "start"),  # StartInstances
            ("running", ended[65], False, None),  # Ignition failed
            ("running", ended[137], False, None),  # it broke
            ("stopped", up, False, "stop"),
            ("stopped", ended[130], True, None),
            ("stopped", None, False, None),
            ("terminated", up, False, "remove"),
            ("terminated", None, False, None),
        ]:
            self.assertEqual(hosts.decide(state, container, stopped), act, (state, container, stopped))

    def test_sources_on_s3_are_rewritten_wherever_they_are(self):
        config = {"ignition": {"config": {"replace": {"source": "s3://b/k.ign"}}}, "storage": {"a": ["s3://c/d"]}}
        text = hosts.rewrite_s3(json.dumps(config).encode(), "http://lab").decode()
        self.assertIn("http://lab/_lab/s3/b/k.ign", text)
        self.assertIn("http://lab/_lab/s3/c/d", text)
        self.assertEqual(hosts.rewrite_s3(b"not json", "http://lab"), b"not json")


if __name__ == "__main__":
    unittest.main()
