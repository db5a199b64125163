//! What stands between fleet and moto: it counts calls, makes faults that EC2 has and moto has not, and gives the
//! ClientToken its meaning, which moto ignores.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// No instance is there.
const NOBODY: &str =
    "<?xml version=\"1.0\"?><DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>";

#[derive(Default)]
pub(crate) struct Faults {
    /// Every call by its name, in order.
    pub(crate) calls: Vec<String>,
    /// So many answers of RunInstances get lost after the effect.
    pub(crate) lose: usize,
    /// So many calls of RunInstances get lost before the effect.
    pub(crate) swallow: usize,
    /// So many calls of DescribeInstances do not see anything yet.
    pub(crate) hide: usize,
    /// There is no room in this subnet.
    pub(crate) full: Option<String>,
    /// This call is refused with this code and message.
    pub(crate) refuse: Option<(&'static str, &'static str, &'static str)>,
    answers: HashMap<String, Vec<u8>>,
}

#[derive(Clone)]
pub(crate) struct Proxy {
    faults: Arc<Mutex<Faults>>,
    /// One launch at a time, or a call that is sent twice at once would be carried out twice.
    launching: Arc<tokio::sync::Mutex<()>>,
    pub(crate) port: u16,
}

impl Proxy {
    pub(crate) async fn start(moto: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { faults: Arc::default(), launching: Arc::default(), port };
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
        let token = field(&body, "ClientToken");
        let launch = action == "RunInstances";
        let _turn = if launch { Some(self.launching.lock().await) } else { None };
        let (answer, lose) = {
            let mut faults = self.faults();
            faults.calls.push(action.clone());
            if let Some((_, code, message)) = faults.refuse.filter(|(refused, ..)| *refused == action) {
                (Some(refusal(code, message)), false)
            } else if launch && faults.full.as_ref().is_some_and(|subnet| body.contains(subnet)) {
                (Some(refusal("InsufficientInstanceCapacity", "We do not have enough")), false)
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
        if !lose {
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
