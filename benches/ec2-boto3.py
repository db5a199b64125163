#!/usr/bin/env python3
"""What a plain script would do in place of fleet, with boto3:

    ec2-boto3.py network              makes a VPC with two subnets and prints their identifiers
    ec2-boto3.py up COUNT SUBNET...   one RunInstances a subnet, then describe pages until all run
    ec2-boto3.py status               describe pages, one line an instance
"""

import sys
import time

import boto3

NAME = "boto3"
ours = [{"Name": "tag:fleet:name", "Values": [NAME]}]
live = ours + [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
ec2 = boto3.client("ec2")


def instances(filters):
    pages = ec2.get_paginator("describe_instances").paginate(Filters=filters, PaginationConfig={"PageSize": 1000})
    return [i for page in pages for r in page["Reservations"] for i in r["Instances"]]


def network():
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    for zone, cidr in (("a", "10.0.0.0/20"), ("b", "10.0.16.0/20")):
        zone = ec2.meta.region_name + zone
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)
        print(made["Subnet"]["SubnetId"])


def up(count, *subnets):
    images = ec2.describe_images(
        Owners=["075585003325"], Filters=[{"Name": "name", "Values": ["Flatcar-stable-*hvm*"]}]
    )["Images"]
    image = max((i for i in images if i["Architecture"] == "x86_64"), key=lambda i: i["CreationDate"])
    # As many tags as fleet sets, on as many resources: moto takes longer with each.
    words = {"fleet:name": NAME, "fleet:group": "default", "fleet:release": "0" * 64, "fleet:hosts": "x- 1-500", "Name": NAME}
    tags = [{"Key": key, "Value": value} for key, value in words.items()]
    kinds = ("instance", "volume", "network-interface")
    for index, subnet in enumerate(subnets):
        share = int(count) // len(subnets) + (index < int(count) % len(subnets))
        ec2.run_instances(
            ImageId=image["ImageId"],
            InstanceType="t3.medium",
            MinCount=share,
            MaxCount=share,
            UserData='{"ignition":{"version":"3.3.0"}}',
            MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            BlockDeviceMappings=[
                {
                    "DeviceName": image["RootDeviceName"],
                    "Ebs": {"VolumeType": "gp3", "VolumeSize": 20, "Encrypted": True, "DeleteOnTermination": True},
                }
            ],
            NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet, "DeleteOnTermination": True}],
            TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in kinds],
        )
    while any(i["State"]["Name"] != "running" for i in instances(live)):
        time.sleep(0.5)


def status():
    for i in instances(live):
        print(i["InstanceId"], i["State"]["Name"], i["LaunchTime"], i.get("PrivateIpAddress"))


if __name__ == "__main__":
    {"network": network, "up": up, "status": status}[sys.argv[1]](*sys.argv[2:])
