"""Answers that moto cannot give, or gives too early. Pure: text to text."""

import base64
import re
import xml.etree.ElementTree as xml
from xml.sax.saxutils import escape

ELB = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"


def target_health(descriptions):
    """DescribeTargetHealth, of what `Balancers.health` says."""
    members = ""
    for target, port, check, state, reason, text in descriptions:
        health = f"<State>{state}</State>"
        if reason:
            health += f"<Reason>{reason}</Reason><Description>{escape(text)}</Description>"
        place = f"<Id>{escape(target)}</Id>" + (f"<Port>{port}</Port>" if port else "")
        check = f"<HealthCheckPort>{check}</HealthCheckPort>" if check else ""
        members += f"<member><Target>{place}</Target>{check}<TargetHealth>{health}</TargetHealth></member>"
    result = f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
    name = "DescribeTargetHealth"
    return (
        f'<{name}Response xmlns="{ELB}"><{name}Result>{result}</{name}Result>'
        f"<ResponseMetadata><RequestId>lab</RequestId></ResponseMetadata></{name}Response>"
    ).encode()


def console_output(instance, output):
    """GetConsoleOutput."""
    text = base64.b64encode(output).decode()
    return (
        '<GetConsoleOutputResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>lab</requestId>'
        f"<instanceId>{escape(instance)}</instanceId><output>{text}</output></GetConsoleOutputResponse>"
    ).encode()


def instance_ids(answer):
    """The instances in an answer, in its order."""
    return list(dict.fromkeys(re.findall(r"<instanceId>(i-[0-9a-f]+)</instanceId>", answer.decode())))


def without_instances(answer, unseen):
    """DescribeInstances without these instances."""
    root = xml.fromstring(answer)
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    xml.register_namespace("", space.strip("{}"))
    for reservations in root.iter(f"{space}reservationSet"):
        for reservation in list(reservations):
            instances = reservation.find(f"{space}instancesSet")
            for instance in list(instances):
                if instance.findtext(f"{space}instanceId") in unseen:
                    instances.remove(instance)
            if not len(instances):
                reservations.remove(reservation)
    return xml.tostring(root, encoding="utf-8", xml_declaration=True)
