output "hosts" {
  description = "Name, instance and addresses of each host."
  value = [
    for host in aws_instance.host : {
      name       = host.tags["Name"]
      instance   = host.id
      private_ip = host.private_ip
      public_ip  = host.public_ip
    }
  ]
}

output "image" {
  description = "The Flatcar image that new hosts start from."
  value = {
    id   = data.aws_ami.flatcar.id
    name = data.aws_ami.flatcar.name
  }
}
