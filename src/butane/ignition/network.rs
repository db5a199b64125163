use super::super::go_url;
use super::super::path::Path;
use super::super::report::Findings;
use super::super::value::Obj;

pub(super) fn check_proxy(proxy: &Obj, path: &Path, findings: &mut Findings) {
    for (key, plain_http_is_fine) in [("httpProxy", true), ("httpsProxy", false)] {
        let Some(url) = proxy.text(key) else { continue };
        match go_url::parse(url).map(|url| url.scheme).as_deref() {
            None => findings.error(path.join(key), "unable to parse url"),
            Some("https") => {}
            Some("http") if plain_http_is_fine => {}
            Some("http") => {
                findings.warn(path.join(key), "insecure plaintext HTTP proxy specified for HTTPS resources");
            }
            Some(_) => findings.error(path.join(key), "proxies must be http(s)"),
        }
    }
}

pub(super) fn check_header(header: &Obj, path: &Path, findings: &mut Findings) {
    if header.plain_text("name").is_empty() {
        findings.error(path.join("name"), "HTTP header name can't be empty");
    }
    if header.text("value") == Some("") {
        findings.error(path.join("value"), "HTTP header value can't be empty");
    }
}
