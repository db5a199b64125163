"""The account that a team has before it meets fleet: a network, a role for hosts, a load balancer, a bucket, secrets."""

import json
import secrets

from cloud import REGION

# The shortest that ELBv2 takes; `balancers.HURRY` makes them pass faster.
INTERVAL = 5
DELAY = 2  # seconds that a target is drained


def furnish(cloud, vpc_range):
    """Makes it, past the proxy, and says how everything is called."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock=str(vpc_range))["Vpc"]["VpcId"]
    # The last half is for what EC2 does not know of.
    ranges = list(vpc_range.subnets(prefixlen_diff=2))[:2]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=str(cidr), AvailabilityZone=REGION + zone)["Subnet"]["SubnetId"]
        for cidr, zone in zip(ranges, "ab")
    ]
    group = ec2.create_security_group(GroupName="hosts", Description="hosts", VpcId=vpc)["GroupId"]
    target_group, dns_name = _load_balancer(cloud, vpc, subnets, group)
    cloud.client("s3").create_bucket(Bucket="lab-state", CreateBucketConfiguration={"LocationConstraint": REGION})
    # As a test must be able to look for them everywhere, they are unlike anything else.
    password, token = (f"lab-secret-{secrets.token_hex(12)}" for _ in range(2))
    cloud.client("ssm").put_parameter(Name="/lab/password", Type="SecureString", Value=password)
    cloud.client("secretsmanager").create_secret(Name="lab/token", SecretString=json.dumps({"token": token}))
    return {
        "vpc": vpc,
        "subnets": subnets,
        "security_group": group,
        "instance_profile": _instance_profile(cloud),
        "target_group": target_group,
        "load_balancer": dns_name,
        "bucket": "lab-state",
        "secrets": {"/lab/password": password, "lab/token": token},
    }


def _instance_profile(cloud):
    iam = cloud.client("iam")
    trust = {"Version": "2012-10-17", "Statement": []}
    iam.create_role(RoleName="lab-hosts", AssumeRolePolicyDocument=json.dumps(trust))
    iam.create_instance_profile(InstanceProfileName="lab-hosts")
    iam.add_role_to_instance_profile(InstanceProfileName="lab-hosts", RoleName="lab-hosts")
    return "lab-hosts"


def _load_balancer(cloud, vpc, subnets, group):
    elb = cloud.client("elbv2")
    made = elb.create_target_group(
        Name="lab-web", Protocol="HTTP", Port=5000, VpcId=vpc, TargetType="instance",
        HealthCheckPath="/api/health", HealthCheckIntervalSeconds=INTERVAL, HealthCheckTimeoutSeconds=4,
        HealthyThresholdCount=2, UnhealthyThresholdCount=2, Matcher={"HttpCode": "200"},
    )
    arn = made["TargetGroups"][0]["TargetGroupArn"]
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": str(DELAY)}
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[delay])
    balancer = elb.create_load_balancer(Name="lab", Subnets=subnets, SecurityGroups=[group])["LoadBalancers"][0]
    forward = [{"Type": "forward", "TargetGroupArn": arn}]
    elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=forward)
    return arn, balancer["DNSName"]
