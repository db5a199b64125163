# Instances whose user data Terraform asks fleet for, at every plan: no file in between that could be stale.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
    external = {
      source  = "hashicorp/external"
      version = ">= 2.3"
    }
  }
}

variable "region" {
  description = "AWS region to launch the hosts in."
  type        = string
}

variable "ami" {
  description = "Flatcar image of that region, as terraform/main.tf finds it."
  type        = string
}

variable "image" {
  description = "Image by digest; empty for what fleet.yaml says."
  type        = string
  default     = ""
}

variable "keep_tags" {
  description = "Whether to leave tags as they are written instead of asking their registry for digests."
  type        = bool
  default     = false
}

provider "aws" {
  region = var.region
}

data "external" "fleet" {
  program = ["fleet", "render", "--terraform"]

  # All values are strings; one that is empty says nothing.
  query = {
    file      = "${path.module}/fleet.yaml"
    group     = "default"
    image     = var.image
    keep_tags = tostring(var.keep_tags)
  }
}

resource "aws_instance" "host" {
  count = 3

  ami           = var.ami
  instance_type = "t3.medium"
  # Already of the form and the size that EC2 takes.
  user_data = data.external.fleet.result.ignition

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    encrypted   = true
  }

  tags = {
    Name            = "${data.external.fleet.result.fleet}-${count.index + 1}"
    fleet           = data.external.fleet.result.fleet
    "fleet:group"   = data.external.fleet.result.group
    "fleet:release" = data.external.fleet.result.release
  }

  lifecycle {
    # A first boot reads it once; from then on `fleet roll` changes hosts, one at a time.
    ignore_changes = [user_data, tags["fleet:release"]]
  }
}

output "release" {
  description = "Identity of what new hosts run."
  value       = data.external.fleet.result.release
}
