variable "region" {
  description = "AWS region to launch the hosts in."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region is named like eu-central-1."
  }
}

variable "fleet" {
  description = "Name of the fleet, as in fleet.yaml."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", var.fleet))
    error_message = "A fleet's name has up to 40 lower case letters, digits and hyphens, and starts and ends with a letter or digit."
  }
}

variable "group" {
  description = "Group of fleet.yaml whose hosts these are."
  type        = string
  default     = "default"
}

variable "host_count" {
  description = "Number of hosts."
  type        = number
  default     = 3

  validation {
    condition     = var.host_count >= 0 && floor(var.host_count) == var.host_count
    error_message = "The number of hosts is a whole number, 0 or more."
  }
}

variable "instance_type" {
  description = "EC2 instance type; its processor must be of var.architecture."
  type        = string
  default     = "t3.medium"
}

variable "architecture" {
  description = "Processor architecture of image and instances."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "Flatcar comes for x86_64 and arm64."
  }
}

variable "channel" {
  description = "Flatcar release channel."
  type        = string
  default     = "stable"

  validation {
    condition     = contains(["stable", "beta", "alpha", "lts"], var.channel)
    error_message = "The channels are stable, beta, alpha and lts."
  }
}

variable "flatcar_version" {
  description = "Flatcar version, such as 4230.2.0; * takes the newest that is offered."
  type        = string
  default     = "*"

  validation {
    condition     = can(regex("^(\\*|[0-9]+\\.[0-9]+\\.[0-9]+)$", var.flatcar_version))
    error_message = "A version is three numbers with dots between, or *."
  }
}

variable "root_volume_gib" {
  description = "Size of the root volume in GiB."
  type        = number
  default     = 20

  validation {
    condition     = var.root_volume_gib >= 10
    error_message = "Flatcar and a few images want 10 GiB or more."
  }
}

variable "subnet_id" {
  description = "Subnet of the hosts; null takes the default VPC's."
  type        = string
  default     = null
}

variable "security_group_ids" {
  description = "Security groups of the hosts; null takes the VPC's default group. fleet needs SSH to reach them."
  type        = list(string)
  default     = null
}

variable "key_name" {
  description = "EC2 key pair for the user core; null where the config itself brings keys."
  type        = string
  default     = null
}
