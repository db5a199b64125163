//! An account with a network and images, and fleets in it.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::types::{Instance, InstanceType, ResourceType, Tag, TagSpecification};
use fleet::config::model::Config;
use fleet::event::{Event, Events};
use fleet::provider::Launch;
use fleet::provider::ec2::Ec2Provider;
use fleet::store::Store;
use jiff::Timestamp;
use tempfile::TempDir;

use super::proxy::Proxy;
use super::server::Moto;

/// An image that is none of Flatcar's.
pub(crate) const STRANGE_IMAGE: &str = "ami-00000000000000006";
pub(crate) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5xMPqZrDuZE9G0Rxk0Xb1z0V8m3j3u3hQ0w7fY0b2k fleet";
pub(crate) const IGNITION: &str = r#"{"ignition":{"version":"3.3.0"}}"#;

/// What was said.
#[derive(Default)]
pub(crate) struct Heard(pub(crate) Mutex<Vec<String>>);

impl Events for Heard {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

impl Heard {
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

pub(crate) struct Cloud {
    pub(crate) proxy: Proxy,
    /// Past the proxy, for looking.
    pub(crate) direct: Client,
    pub(crate) subnets: Vec<String>,
    pub(crate) group: String,
    state: TempDir,
    moto: Moto,
}

pub(crate) fn client(port: u16) -> Client {
    let config = aws_sdk_ec2::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(std::time::Duration::from_millis(10)),
        )
        .build();
    Client::from_conf(config)
}

impl Cloud {
    /// A VPC with two subnets. Its images are those of `amis.json`: of Flatcar, and of a stranger who uses its name.
    pub(crate) async fn new() -> Self {
        let moto = Moto::start();
        let direct = client(moto.port);
        let vpc = direct.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
        let vpc = vpc.vpc().unwrap().vpc_id().unwrap().to_owned();
        let mut subnets = Vec::new();
        for (zone, cidr) in [("eu-central-1a", "10.0.0.0/20"), ("eu-central-1b", "10.0.16.0/20")] {
            let made =
                direct.create_subnet().vpc_id(&vpc).cidr_block(cidr).availability_zone(zone).send().await;
            subnets.push(made.unwrap().subnet().unwrap().subnet_id().unwrap().to_owned());
        }
        let group =
            direct.create_security_group().group_name("web").description("web").vpc_id(&vpc).send().await;
        let group = group.unwrap().group_id().unwrap().to_owned();
        let proxy = Proxy::start(moto.port).await;
        Self { proxy, direct, subnets, group, state: tempfile::tempdir().unwrap(), moto }
    }

    /// Where S3 is, past the proxy.
    pub(crate) fn s3(&self) -> String {
        format!("http://127.0.0.1:{}", self.moto.port)
    }

    /// The state in a bucket, as another machine sees it.
    pub(crate) fn bucket(&self, name: &str, prefix: &str) -> Store {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let objects = object_store::aws::AmazonS3Builder::new()
            .with_endpoint(self.s3())
            .with_allow_http(true)
            .with_region("eu-central-1")
            .with_bucket_name(name)
            .with_access_key_id("test")
            .with_secret_access_key("test")
            .build();
        Store::bucket(objects.unwrap(), &format!("s3://{name}"), prefix)
    }

    /// Makes a bucket.
    pub(crate) async fn make_bucket(&self, name: &str) {
        self.ask(&format!("PUT /{name}"), "s3", "").await;
    }

    /// Makes an instance profile.
    pub(crate) async fn make_profile(&self, name: &str) {
        let form = format!("Action=CreateInstanceProfile&Version=2010-05-08&InstanceProfileName={name}");
        self.ask("POST /", "iam", &form).await;
    }

    /// Asks a service of which there is no client here.
    async fn ask(&self, what: &str, service: &str, form: &str) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut server = tokio::net::TcpStream::connect(("127.0.0.1", self.moto.port)).await.unwrap();
        let request = format!(
            "{what} HTTP/1.1\r\nhost: {service}.amazonaws.com\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{form}",
            form.len()
        );
        server.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        server.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(" 200 "), "{answer}");
    }

    /// A security group of another network.
    pub(crate) async fn elsewhere(&self) -> String {
        let vpc = self.direct.create_vpc().cidr_block("10.9.0.0/16").send().await.unwrap();
        let vpc = vpc.vpc().unwrap().vpc_id().unwrap().to_owned();
        let made =
            self.direct.create_security_group().group_name("far").description("far").vpc_id(vpc).send().await;
        made.unwrap().group_id().unwrap().to_owned()
    }

    /// A fleet in both subnets; `more` are lines of its key `aws`.
    pub(crate) fn config(&self, name: &str, more: &[&str]) -> Config {
        let more: String = more.iter().map(|line| format!("  {line}\n")).collect();
        let text = format!(
            "name: {name}\nprovider: aws\nservices: {{web: {{image: a, ports: ['80:80']}}}}\naws:\n  \
             subnets: [{}]\n  security_groups: [{}]\n{more}",
            self.subnets.join(", "),
            self.group,
        );
        let files = fleet::config::Disk::new(std::path::Path::new("."));
        let parsed = fleet::config::parse(&text, "fleet.yaml", &files);
        parsed.unwrap_or_else(|problems| panic!("{problems}\n{text}")).0
    }

    /// A run of fleet: what it remembers, it finds in the folder of the fleet's state.
    pub(crate) fn run(&self, config: &Config) -> Ec2Provider {
        self.run_with(config, Store::folder(&self.state(&config.name)).unwrap())
    }

    /// A run of fleet that remembers in this store.
    pub(crate) fn run_with(&self, config: &Config, store: Store) -> Ec2Provider {
        Ec2Provider::with_client(config, KEY.to_owned(), store, client(self.proxy.port)).unwrap()
    }

    /// The folder of a fleet's state.
    pub(crate) fn state(&self, fleet: &str) -> PathBuf {
        self.state.path().join(fleet)
    }

    /// The same with a lock in this file.
    pub(crate) fn run_locked(&self, config: &Config, file: &Path, now: fn() -> Timestamp) -> Ec2Provider {
        self.run(config).with_lock(file.to_owned(), now)
    }

    /// Every instance that is not terminated, whoever's it is.
    pub(crate) async fn instances(&self) -> Vec<Instance> {
        let mut pages = self.direct.describe_instances().into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(reservation) = pages.next().await {
            found.extend(reservation.unwrap().instances().iter().cloned());
        }
        found.retain(|instance| {
            let state = instance.state().and_then(|state| state.name()).unwrap().as_str();
            !matches!(state, "terminated" | "shutting-down")
        });
        found
    }

    /// An instance that is none of ours.
    pub(crate) async fn foreign(&self, tags: &[(&str, &str)]) -> String {
        let tags: Vec<Tag> =
            tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
        // EC2 takes no empty specification.
        let specification = (!tags.is_empty()).then(|| {
            vec![
                TagSpecification::builder()
                    .resource_type(ResourceType::Instance)
                    .set_tags(Some(tags))
                    .build(),
            ]
        });
        let launched = self
            .direct
            .run_instances()
            .image_id(STRANGE_IMAGE)
            .instance_type(InstanceType::T3Micro)
            .subnet_id(&self.subnets[0])
            .min_count(1)
            .max_count(1)
            .set_tag_specifications(specification)
            .send()
            .await
            .unwrap();
        launched.instances()[0].instance_id().unwrap().to_owned()
    }

    pub(crate) async fn user_data(&self, id: &str) -> String {
        use base64::Engine as _;
        let attribute = aws_sdk_ec2::types::InstanceAttributeName::UserData;
        let asked =
            self.direct.describe_instance_attribute().instance_id(id).attribute(attribute).send().await;
        let data = asked.unwrap().user_data().unwrap().value().unwrap().to_owned();
        String::from_utf8(base64::engine::general_purpose::STANDARD.decode(data).unwrap()).unwrap()
    }
}

/// Launches of the hosts with these numbers.
pub(crate) fn launches(fleet: &str, numbers: impl IntoIterator<Item = u32>, ignition: &str) -> Vec<Launch> {
    let launch = |number| Launch {
        images: Vec::new(),
        name: format!("{fleet}-{number}"),
        group: "default".to_owned(),
        ignition: ignition.to_owned(),
        release: "0".repeat(64),
        address: None,
    };
    numbers.into_iter().map(launch).collect()
}

pub(crate) fn tag<'i>(instance: &'i Instance, key: &str) -> &'i str {
    let tag = instance.tags().iter().find(|tag| tag.key() == Some(key));
    tag.and_then(|tag| tag.value()).unwrap_or_default()
}
