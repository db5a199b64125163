//! The engine's traits over the simulated world. Every call is a boundary.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fleet::event::{Event, Events};
use fleet::inventory::{Answer, Ask, ContainerState, HostReport, Probe, ServiceState};
use fleet::provider::{
    Host, HostChannel, Launch, LoadBalancer, Member, Output, Provider, ProviderError, Result,
};
use fleet::release::HostRecord;
use fleet::secrets::{SecretError, SecretSource, SecretValue};
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use super::world::{Ran, State, World};

const SWITCH: &str = include_str!("../../src/rollout/host/switch.sh");
const RESTORE: &str = include_str!("../../src/rollout/host/restore.sh");
const COMMIT: &str = include_str!("../../src/rollout/host/commit.sh");
const STAGE: &str = include_str!("../../src/rollout/host/stage.sh");

/// The world as the engine sees it.
pub(crate) struct Edges(pub(crate) Arc<World>);

fn refused() -> ProviderError {
    ProviderError::api("simulated", "a fault")
}

fn unreachable(host: &Host) -> ProviderError {
    ProviderError::Unreachable { host: host.name.clone(), message: "a fault".into() }
}

impl Edges {
    /// A call of the provider or the load balancer.
    async fn api<T>(&self, effect: impl FnOnce(&mut State) -> T) -> Result<T> {
        let throttled = |s: &mut State| if s.is_throttled() { Err(refused()) } else { Ok(effect(s)) };
        self.0.cross(throttled, refused).await
    }
}

#[async_trait]
impl Provider for Edges {
    async fn prepare(&self, _: &dyn Events) -> Result<()> {
        Ok(())
    }
    async fn list(&self) -> Result<Vec<Host>> {
        self.api(|s| s.hosts()).await
    }
    async fn launch(&self, launches: &[Launch], _: &dyn Events) -> Result<Vec<Host>> {
        self.api(|s| s.launch(launches)).await
    }
    async fn reach_registry(&self, _: &[Host], _: &str) -> Result<()> {
        Ok(())
    }
    async fn start(&self, _: &[Host]) -> Result<()> {
        Err(refused())
    }
    async fn terminate(&self, hosts: &[Host]) -> Result<()> {
        self.api(|s| s.terminate(hosts)).await
    }
    async fn teardown(&self, _: &dyn Events) -> Result<()> {
        Err(refused())
    }
    async fn console(&self, _: &Host, _: usize) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl LoadBalancer for Edges {
    async fn sync(&self, members: &[Host]) -> Result<()> {
        self.api(|s| s.sync(members)).await
    }
    async fn drain(&self, hosts: &[&Host]) -> Result<()> {
        self.api(|s| s.set_drained(hosts, true)).await
    }
    async fn undrain(&self, hosts: &[&Host]) -> Result<()> {
        self.api(|s| s.set_drained(hosts, false)).await
    }
    async fn members(&self) -> Result<BTreeMap<String, Member>> {
        self.api(|s| s.members()).await
    }
    fn balances(&self, _: &str) -> bool {
        true
    }
    fn url(&self) -> Option<String> {
        None
    }
}

#[async_trait]
impl Probe for Edges {
    async fn look(&self, host: &Host, ask: Option<&Ask>, _: Duration) -> Result<HostReport> {
        let looked = self.0.cross(
            |s| {
                let Some(number) = s.find(host).filter(|&number| s.is_reachable(number)) else {
                    return Err(unreachable(host));
                };
                let record = s.machines[number].record.clone();
                let other = s.machines[number].runs_other.then(|| "r.example/other@sha256:0".to_owned());
                let service = |(name, image): (&String, &String)| {
                    let image = other.as_ref().unwrap_or(image);
                    let container = ContainerState {
                        state: "running".into(),
                        reference: image.clone(),
                        digests: vec![image.clone()],
                        health: None,
                    };
                    let state = ServiceState {
                        unit: "active".into(),
                        container: Some(container),
                        ..Default::default()
                    };
                    (name.clone(), state)
                };
                let status = Some(if s.is_healthy(number) { 200 } else { 500 });
                Ok(HostReport {
                    boot_id: host.id.clone(),
                    uptime: Duration::from_secs(900),
                    services: record.images.iter().map(service).collect(),
                    record: Some(record),
                    switching: false,
                    answer: ask.map(|_| Answer { status, detail: String::new() }),
                })
            },
            || unreachable(host),
        );
        looked.await
    }
}

/// The value of a line `name=value` at the head of a script.
fn variable<'s>(script: &'s str, name: &str) -> &'s str {
    let line = script.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("the script sets no {name}"))
}

fn record_in(bundle: &[u8]) -> HostRecord {
    let mut archive = tar::Archive::new(bundle);
    let mut entries = archive.entries().unwrap().map(std::result::Result::unwrap);
    let mut entry = entries.find(|e| e.path().unwrap().as_os_str() == "record").unwrap();
    let mut text = String::new();
    entry.read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[async_trait]
impl HostChannel for Edges {
    /// Scripts are told apart by their bodies, which are the ones that hosts get; none is executed.
    async fn run(&self, host: &Host, script: &str, stdin: &[u8], _: Duration) -> Result<Output> {
        let pace = self.0.now().pace;
        let takes = match script {
            script if script.ends_with(STAGE) => pace.pull,
            script if script.ends_with(SWITCH) || script.ends_with(RESTORE) => pace.restart,
            _ => Duration::ZERO,
        };
        tokio::time::sleep(takes).await;
        let ran = self.0.cross(
            |s| {
                let Some(number) = s.find(host).filter(|&number| s.is_reachable(number)) else {
                    return Err(unreachable(host));
                };
                let ran: Ran = if script.ends_with(STAGE) {
                    s.stage(number, variable(script, "staged").to_owned(), record_in(stdin))
                } else if script.ends_with(SWITCH) {
                    let prove = Duration::from_secs(variable(script, "prove").parse().unwrap());
                    s.switch(number, variable(script, "id"), variable(script, "staged"), prove)
                } else if script.ends_with(RESTORE) {
                    s.restore(number, variable(script, "id"))
                } else if script.ends_with(COMMIT) {
                    s.commit(number, variable(script, "id"))
                } else {
                    assert!(script.starts_with("journalctl"), "a script that the simulation does not know");
                    Ok(String::new())
                };
                Ok(ran)
            },
            || unreachable(host),
        );
        Ok(match ran.await? {
            Ok(printed) => Output { status: 0, stdout: printed.into_bytes(), stderr: String::new() },
            Err(reason) => Output { status: 1, stdout: Vec::new(), stderr: reason },
        })
    }
    async fn attach(&self, _: &Host, _: Option<&str>, _: bool) -> Result<i32> {
        Err(refused())
    }
    async fn follow(&self, _: &Host, _: &str, _: &(dyn for<'l> Fn(&'l str) + Sync)) -> Result<i32> {
        Err(refused())
    }
    fn forget(&self, _: &str) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl SecretSource for Edges {
    async fn value(&self, name: &str) -> std::result::Result<Arc<SecretValue>, SecretError> {
        panic!("no service of the simulation has the secret {name}")
    }
}

impl Events for Edges {
    /// With `FLEET_SIMULATED_TRACE` set, what a run says is shown beside the number of the boundary.
    fn emit(&self, event: Event) {
        if std::env::var_os("FLEET_SIMULATED_TRACE").is_some() {
            println!("{:>5} {event:?}", self.0.now().crossings);
        }
    }
}

/// A bucket in memory whose writes are boundaries.
pub(crate) struct Bucket {
    pub(crate) world: Arc<World>,
    pub(crate) objects: Arc<object_store::memory::InMemory>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bucket")
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a simulated bucket")
    }
}

fn lost() -> object_store::Error {
    object_store::Error::Generic { store: "simulated", source: "a fault".into() }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(
        &self,
        key: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        // Memory answers at once, so that the effect stays one step.
        let put = || futures_util::FutureExt::now_or_never(self.objects.put_opts(key, payload, options));
        let put = |s: &mut State| match s.is_state_gone() {
            true => Err(lost()),
            false => put().unwrap_or_else(|| Err(lost())),
        };
        self.world.cross(put, lost).await
    }
    async fn put_multipart_opts(
        &self,
        key: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(key, options).await
    }
    async fn get_opts(&self, key: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        if self.world.now().is_state_gone() {
            return Err(lost());
        }
        self.objects.get_opts(key, options).await
    }
    fn delete_stream(
        &self,
        keys: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.objects.delete_stream(keys)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.objects.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}
