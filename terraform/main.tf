# Flatcar hosts that run what fleet.yaml says: Ignition reads it from the user data at the first boot.

# Images are withdrawn some months after their release; the newest that is offered is always there.
data "aws_ami" "flatcar" {
  most_recent = true
  owners      = ["075585003325"] # the Flatcar project

  filter {
    name   = "name"
    values = ["Flatcar-${var.channel}-${var.flatcar_version}-hvm*"]
  }

  filter {
    name   = "architecture"
    values = [var.architecture]
  }

  filter {
    name   = "virtualization-type"
    values = ["hvm"]
  }
}

locals {
  # fleet render -o terraform/ignition.json
  ignition = file("${path.module}/ignition.json")
}

resource "aws_instance" "host" {
  count = var.host_count

  ami                    = data.aws_ami.flatcar.id
  instance_type          = var.instance_type
  subnet_id              = var.subnet_id
  vpc_security_group_ids = var.security_group_ids
  key_name               = var.key_name

  # Ignition runs at the first boot only, so another config is another host.
  user_data                   = local.ignition
  user_data_replace_on_change = true

  metadata_options {
    http_tokens                 = "required" # IMDSv2
    http_put_response_hop_limit = 1          # containers stay off the instance's role
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = var.root_volume_gib
    encrypted   = true
  }

  tags = {
    Name          = "${var.fleet}-${count.index + 1}"
    fleet         = var.fleet
    "fleet:group" = var.group
  }

  volume_tags = {
    fleet = var.fleet
  }

  lifecycle {
    # A newer image is for new hosts. Hosts that run update themselves, or are replaced one at a time by fleet,
    # never all at once because an image came out.
    ignore_changes = [ami]

    precondition {
      condition     = length(local.ignition) <= 16384
      error_message = "ignition.json is larger than the 16384 bytes of user data that EC2 takes."
    }

    precondition {
      condition     = try(jsondecode(local.ignition).ignition.version, "") != ""
      error_message = "ignition.json is no Ignition config: make it with fleet render -o terraform/ignition.json."
    }
  }
}
