//! What stands between fleet and moto: it counts calls, makes faults that EC2 has and moto has not, and gives the
//! ClientToken its meaning, which moto ignores.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// No instance is there.
const NOBODY: &str =
    "<?xml version=\"1.0\"?><DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>";

#[derive(Default)]
pub(crate) struct Faults {
    /// Every call by its name, in order; a dry run as `DryRun NAME`.
    pub(crate) calls: Vec<String>,
    /// The forms of all calls that launched, or were to.
    pub(crate) launches: Vec<String>,
    /// So many answers of RunInstances get lost after the effect.
    pub(crate) lose: usize,
    /// So many calls of RunInstances get lost before the effect.
    pub(crate) swallow: usize,
    /// So many calls of DescribeInstances do not see anything yet.
    pub(crate) hide: usize,
    /// There is no room for what has one of these words in its call: a subnet, `InstanceType=t3.medium`.
    pub(crate) full: Vec<String>,
    /// The code that says so; that of a zone without capacity when empty.
    pub(crate) full_code: &'static str,
    /// These calls, and their dry runs, are refused with this code and message.
    pub(crate) refuse: Vec<(&'static str, &'static str, &'static str)>,
    answers: HashMap<String, Vec<u8>>,
    /// The call that goes wrong, counted from 1, and how.
    armed: Option<(usize, Fault)>,
    /// Calls since it was armed.
    since: usize,
    fired: bool,
}

/// What goes wrong at one call, whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The caller dies before the call has an effect.
    CrashBefore,
    /// The caller dies once it had its effect.
    CrashAfter,
    /// It has its effect, and the connection breaks.
    LostAnswer,
    /// It is answered with 500, and has no effect.
    ServerError,
    /// It is answered with the request for patience, and has no effect.
    Throttled,
}

impl Faults {
    fn strike(&mut self) -> Option<Fault> {
        self.since += 1;
        let (_, fault) = self.armed.filter(|(call, _)| *call == self.since)?;
        self.fired = true;
        Some(fault)
    }
}

#[derive(Clone)]
pub(crate) struct Proxy {
    faults: Arc<Mutex<Faults>>,
    /// One launch at a time, or a call that is sent twice at once would be carried out twice.
    launching: Arc<tokio::sync::Mutex<()>>,
    crash: Arc<Notify>,
    pub(crate) port: u16,
}

impl Proxy {
    pub(crate) async fn start(moto: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { faults: Arc::default(), launching: Arc::default(), crash: Arc::default(), port };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let proxy = serving.clone();
                tokio::spawn(async move { proxy.serve(client, moto).await });
            }
        });
        proxy
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap()
    }

    /// Lets one of the calls to come go wrong. What is returned tells of the caller's death.
    pub(crate) fn arm(&self, call: usize, fault: Fault) -> Arc<Notify> {
        let mut faults = self.faults();
        (faults.armed, faults.since, faults.fired) = (Some((call, fault)), 0, false);
        self.crash.clone()
    }

    /// No call goes wrong any more. Says whether one did.
    pub(crate) fn disarm(&self) -> bool {
        let mut faults = self.faults();
        faults.armed = None;
        faults.fired
    }

    /// The caller is dead from now on; its connection hangs.
    async fn die(&self) -> ! {
        self.crash.notify_one();
        std::future::pending().await
    }

    /// How often a call was made since the last time this was asked about all calls.
    pub(crate) fn count(&self, action: &str) -> usize {
        self.faults().calls.iter().filter(|call| *call == action).count()
    }

    /// All calls so far, forgotten with this.
    pub(crate) fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.faults().calls)
    }

    /// One request a connection is enough here.
    async fn serve(&self, mut client: TcpStream, moto: u16) -> Option<()> {
        let request = read_request(&mut client).await?;
        let body = String::from_utf8_lossy(&request).into_owned();
        let action = field(&body, "Action")?;
        let wrapped = if body.contains("Version=2015-12-01") { balancer_refusal } else { refusal };
        let fault = self.faults().strike();
        match fault {
            Some(Fault::CrashBefore) => self.die().await,
            Some(Fault::ServerError) => {
                let failed = http("500 Internal Server Error", "");
                return client.write_all(&failed).await.ok();
            }
            Some(Fault::Throttled) => {
                let code =
                    if body.contains("Version=2015-12-01") { "Throttling" } else { "RequestLimitExceeded" };
                return client.write_all(&wrapped(code, "Rate exceeded")).await.ok();
            }
            Some(Fault::CrashAfter | Fault::LostAnswer) | None => {}
        }
        let token = field(&body, "ClientToken");
        let dry = field(&body, "DryRun").as_deref() == Some("true");
        let launch = action == "RunInstances" && !dry;
        let turn = if launch { Some(self.launching.lock().await) } else { None };
        let (answer, lose) = {
            let mut faults = self.faults();
            faults.calls.push(if dry { format!("DryRun {action}") } else { action.clone() });
            if launch {
                faults.launches.push(body.clone());
            }
            let refused = faults.refuse.iter().find(|(refused, ..)| *refused == action).copied();
            if let Some((_, code, message)) = refused {
                (Some(wrapped(code, message)), false)
            } else if launch && faults.full.iter().any(|word| body.contains(word)) {
                let code = Some(faults.full_code).filter(|code| !code.is_empty());
                (
                    Some(refusal(code.unwrap_or("InsufficientInstanceCapacity"), "We do not have enough")),
                    false,
                )
            } else if launch && take(&mut faults.swallow) {
                return None;
            } else if action == "DescribeInstances" && take(&mut faults.hide) {
                (Some(http("200 OK", NOBODY)), false)
            } else {
                let known =
                    token.as_ref().filter(|_| launch).and_then(|token| faults.answers.get(token).cloned());
                (known, launch && take(&mut faults.lose))
            }
        };
        let answer = match answer {
            Some(answer) => answer,
            None => forward(&request, moto).await?,
        };
        if let Some(token) = token.filter(|_| launch && answer.starts_with(b"HTTP/1.1 200")) {
            self.faults().answers.insert(token, answer.clone());
        }
        drop(turn);
        if fault == Some(Fault::CrashAfter) {
            self.die().await;
        }
        if !lose && fault.is_none() {
            client.write_all(&answer).await.ok()?;
            client.shutdown().await.ok()?;
        }
        Some(())
    }
}

fn take(left: &mut usize) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

fn http(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn refusal(code: &str, message: &str) -> Vec<u8> {
    http(
        "400 Bad Request",
        &format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>"
        ),
    )
}

/// ELBv2 wraps its errors otherwise than EC2.
fn balancer_refusal(code: &str, message: &str) -> Vec<u8> {
    let body = format!(
        "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    );
    http("400 Bad Request", &body)
}

async fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let text = String::from_utf8_lossy(&request).to_lowercase();
        if let Some(head) = text.find("\r\n\r\n") {
            let length =
                text.split("content-length:").nth(1)?.split("\r\n").next()?.trim().parse::<usize>().ok()?;
            if request.len() >= head + 4 + length {
                return Some(request);
            }
        }
        let read = client.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&chunk[..read]);
    }
}

async fn forward(request: &[u8], moto: u16) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(request).into_owned();
    let request = text.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    let mut server = TcpStream::connect(("127.0.0.1", moto)).await.ok()?;
    server.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await.ok()?;
    Some(answer)
}

/// A field of a form; those that are asked for here need no decoding.
fn field(request: &str, name: &str) -> Option<String> {
    let body = request.split("\r\n\r\n").nth(1)?;
    let value = body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.to_owned())
}
