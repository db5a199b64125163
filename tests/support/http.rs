//! As little HTTP/1.1 as it takes to know exactly what went wrong with a request, and when.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No request of a test may take longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// GET, POST, HEAD.
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) path: String,
    /// The body of a POST, in JSON.
    pub(crate) body: Option<String>,
    /// A further header line, without its end.
    pub(crate) header: Option<String>,
    /// How long the body comes after the head: a client on a slow line.
    pub(crate) pause: Duration,
}

impl Request {
    /// A GET of a path.
    pub(crate) fn get(path: &str) -> Self {
        Self { method: "GET", path: path.to_owned(), body: None, header: None, pause: Duration::ZERO }
    }

    fn head(&self, keep: bool) -> Vec<u8> {
        let connection = if keep { "keep-alive" } else { "close" };
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: fleet.test\r\nConnection: {connection}\r\n",
            self.method, self.path
        );
        if let Some(header) = &self.header {
            text += &format!("{header}\r\n");
        }
        if let Some(body) = &self.body {
            text += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        format!("{text}\r\n").into_bytes()
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    /// The status line's number.
    pub(crate) status: u16,
    /// Header names in lower case, with their values.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, of the length that was announced.
    pub(crate) body: String,
}

impl Response {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the connection may be used again.
    pub(crate) fn keeps(&self) -> bool {
        !self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Sends a request over a connection and reads the whole answer. The error is the reason, in a few words.
pub(crate) async fn exchange(
    stream: &mut TcpStream,
    request: &Request,
    keep: bool,
) -> Result<Response, String> {
    stream.write_all(&request.head(keep)).await.map_err(|e| format!("sending the head: {e}"))?;
    tokio::time::sleep(request.pause).await;
    let body = request.body.as_deref().unwrap_or_default();
    stream.write_all(body.as_bytes()).await.map_err(|e| format!("sending the body: {e}"))?;
    let mut read = Vec::new();
    let head = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if more(stream, &mut read).await? == 0 {
            let got = read.len();
            return Err(format!("the connection ended after {got} bytes of the answer's head"));
        }
    };
    let (status, headers) = parse_head(&String::from_utf8_lossy(&read[..head]))?;
    let mut response = Response { status, headers, body: String::new() };
    let bodyless = request.method == "HEAD" || status == 204 || status == 304;
    let length = response.header("content-length").map(|l| l.parse::<usize>().map_err(|e| e.to_string()));
    match length.transpose()? {
        _ if bodyless => {}
        Some(length) => {
            while read.len() < head + length {
                if more(stream, &mut read).await? == 0 {
                    let got = read.len() - head;
                    return Err(format!("the connection ended after {got} of {length} bytes of the body"));
                }
            }
        }
        None => while more(stream, &mut read).await? > 0 {},
    }
    response.body = String::from_utf8_lossy(&read[head..]).into_owned();
    Ok(response)
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> Result<usize, String> {
    stream.read_buf(read).await.map_err(|e| format!("reading: {e}"))
}

type Head = (u16, Vec<(String, String)>);

fn parse_head(head: &str) -> Result<Head, String> {
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    let number = status.split(' ').nth(1).and_then(|number| number.parse().ok());
    let number = number.ok_or_else(|| format!("no status line: {status:?}"))?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    Ok((number, headers.map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned())).collect()))
}

/// One request over a connection of its own, for tests that are not about load.
///
/// # Errors
/// The reason, in a few words.
pub(crate) fn ask(port: u16, request: &Request) -> Result<Response, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let work = async {
            let mut stream =
                TcpStream::connect(("127.0.0.1", port)).await.map_err(|e| format!("connecting: {e}"))?;
            exchange(&mut stream, request, false).await
        };
        tokio::time::timeout(DEADLINE, work).await.map_err(|_| format!("no answer within {DEADLINE:?}"))?
    })
}
