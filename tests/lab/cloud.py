"""moto, the control plane: EC2, ELBv2, S3, SSM, Secrets Manager, ECR, IAM and STS by an API that nobody here wrote.

The lab reads moto's records in process, as moto's documentation shows ("Multi-Account support"), instead of asking by
HTTP five times a second: that would cost a fifth of a core."""

import base64
import logging
import os
from dataclasses import dataclass
from pathlib import Path

REGION = "eu-central-1"
ACCOUNT = "123456789012"
KEY = ("test", "test")  # the access key of whoever runs fleet
os.environ["MOTO_AMIS_PATH"] = str(Path(__file__).resolve().parents[1] / "moto/amis.json")

# moto reads its settings when it is imported.
import boto3  # noqa: E402
from moto.backends import get_backend  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402


@dataclass(frozen=True)
class Instance:
    """What the lab needs to know of one of moto's instances."""

    id: str
    state: str
    address: str
    user_data: bytes
    public_key: str
    role: str | None
    hop_limit: int
    tokens_required: bool
    image: str
    type: str
    zone: str


@dataclass(frozen=True)
class TargetGroup:
    """What the lab needs to know of one of moto's target groups. Times are in seconds."""

    arn: str
    path: str
    matcher: str
    check_port: str
    interval: int
    timeout: int
    healthy: int
    unhealthy: int
    delay: int
    used: bool  # whether a load balancer sends to it
    targets: dict  # registered: identifier -> port


class Cloud:
    """moto, and what is recorded in it."""

    def __init__(self):
        # A line a request would bury what the lab itself has to say.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]
        self._roles = {}

    def client(self, service):
        """Straight to moto, past the proxy."""
        keys = {"aws_access_key_id": KEY[0], "aws_secret_access_key": KEY[1]}
        return boto3.client(service, region_name=REGION, endpoint_url=f"http://127.0.0.1:{self.port}", **keys)

    @staticmethod
    def _backend(service, place=REGION):
        return get_backend(service)[ACCOUNT][place]

    def instances(self):
        """Every instance that moto shows, those that are terminated as well."""
        ec2 = self._backend("ec2")
        reservations = list(ec2.reservations.values())
        return [self._instance(ec2, r.id, instance) for r in reservations for instance in list(r.instances)]

    def _instance(self, ec2, reservation, instance):
        # moto gives the profile of a launch to its first instance only, and takes it away when that is terminated.
        association = ec2.iam_instance_profile_associations.get(instance.id)
        if association and association.iam_instance_profile.roles:
            self._roles[reservation] = association.iam_instance_profile.roles[0].name
        pair = ec2.key_pairs.get(instance.key_name)
        data = instance.user_data
        return Instance(
            id=instance.id,
            state=instance.state,
            address=instance.private_ip,
            user_data=base64.b64decode(str(data)) if data else b"",
            public_key=pair.material_public.decode() if pair else "",
            role=self._roles.get(reservation),
            hop_limit=instance.metadata_options.http_put_response_hop_limit,
            tokens_required=instance.metadata_options.http_tokens == "required",
            image=instance.image_id,
            type=instance.instance_type,
            zone=instance._placement.zone,
        )

    def target_groups(self):
        """Every target group whose targets are machines."""
        groups = list(self._backend("elbv2").target_groups.values())
        return [_target_group(group) for group in groups if group.target_type in ("instance", "ip")]

    def object(self, bucket, key):
        """The bytes of an object on S3, or nothing."""
        found = self._backend("s3", "aws").get_object(bucket, key)
        return found.value if found else None


def _target_group(group):
    return TargetGroup(
        arn=group.arn,
        path=group.health_check_path or "/",
        matcher=(getattr(group, "matcher", None) or {}).get("HttpCode", "200"),
        check_port=str(group.health_check_port),
        interval=int(group.health_check_interval_seconds),
        timeout=int(group.health_check_timeout_seconds),
        healthy=int(group.healthy_threshold_count),
        unhealthy=int(group.unhealthy_threshold_count),
        delay=int(group.attributes["deregistration_delay.timeout_seconds"]),
        used=bool(group.load_balancer_arns),
        targets={target["Id"]: int(target["Port"]) for target in list(group.targets.values())},
    )
