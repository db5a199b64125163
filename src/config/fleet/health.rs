use std::time::Duration;

use super::super::decode::{Complaint, Cx, Int};
use super::super::model::{Health, HttpHealth, Protocol, Service};
use super::super::value::{Span, duration};
use super::groups::unknown_service;
use super::raw::{RawHealth, RawHttp};
use super::services::Gathered;

pub(crate) fn build(raw: RawHealth, gathered: &Gathered, cx: &mut Cx<'_>) -> Health {
    let span = |span: Option<Span>, default: u64| span.map_or(Duration::from_secs(default), |span| span.0);
    let health = Health {
        http: raw.http.and_then(|http| http_health(http, gathered, cx)),
        interval: span(raw.interval, 2),
        timeout: span(raw.timeout, 5),
        successes: raw.successes.map_or(3, Int::get),
        min_healthy: span(raw.min_healthy, 10),
        deadline: span(raw.deadline, 300),
    };
    for (key, span) in
        [("interval", health.interval), ("timeout", health.timeout), ("deadline", health.deadline)]
    {
        positive(&["health", key], span, cx);
    }
    let clean = |key: &str| cx.report.is_clean(&format!("health.{key}"));
    if !clean("deadline") {
        return health;
    }
    let successes = health.interval.saturating_mul(health.successes);
    let mut needs = Vec::new();
    if clean("min_healthy") && health.deadline <= health.min_healthy {
        needs.push(format!("`min_healthy` takes {}", duration::show(health.min_healthy)));
    }
    if clean("interval") && clean("successes") && health.deadline <= successes {
        needs.push(format!(
            "{} answers every {} take {}",
            health.successes,
            duration::show(health.interval),
            duration::show(successes)
        ));
    }
    if !needs.is_empty() {
        let message = format!(
            "no host can be healthy within {}: {}",
            duration::show(health.deadline),
            needs.join(", ")
        );
        cx.problem_at(&["health", "deadline"], Complaint::new(message).help("choose a longer `deadline`"));
    }
    health
}

/// Refuses a wait of no time at all.
pub(crate) fn positive(path: &[&str], span: Duration, cx: &mut Cx<'_>) {
    if span.is_zero() {
        cx.problem_at(path, "a time longer than 0s is wanted here");
    }
}

/// `None` when it cannot be known whom to ask; the reason is on record.
fn http_health(raw: RawHttp, gathered: &Gathered, cx: &mut Cx<'_>) -> Option<HttpHealth> {
    let key = |key: &'static str| ["health", "http", key];
    let name = match raw.service {
        Some(text) => text.0,
        None if !cx.report.is_clean("health.http.service") || !gathered.complete => return None,
        None => match gathered.services.keys().collect::<Vec<_>>().as_slice() {
            [only] => (*only).clone(),
            [] => return None,
            several => {
                let names = several.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
                let complaint =
                    Complaint::new("the key `service` is missing, and there are several services");
                cx.problem_at(&["health", "http"], complaint.help(format!("name one of: {names}")));
                return None;
            }
        },
    };
    let Some(service) = gathered.services.get(&name) else {
        if gathered.complete {
            cx.problem_at(&key("service"), unknown_service(&name, gathered));
        }
        return None;
    };
    if !cx.report.is_clean(&format!("services.{name}.ports")) {
        return None;
    }
    let wanted = match raw.port {
        Some(port) => Some(u16::try_from(port.0).ok()?),
        None if !cx.report.is_clean("health.http.port") => return None,
        None => None,
    };
    let port = match port(&name, service, wanted) {
        Ok(port) => port,
        Err(complaint) => {
            cx.problem_at(&key(if wanted.is_some() { "port" } else { "service" }), complaint);
            return None;
        }
    };
    let status = raw.status.map_or(200, |status| u16::try_from(status.0).unwrap_or(200));
    Some(HttpHealth {
        service: name,
        path: raw.path.map_or_else(|| "/".to_owned(), |path| path.0),
        port,
        status,
    })
}

fn port(name: &str, service: &Service, wanted: Option<u16>) -> Result<u16, Complaint> {
    let mut tcp = service.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
    let Some(first) = tcp.clone().next() else {
        return Err(Complaint::new(format!("`{name}` publishes no TCP port to ask"))
            .help(format!("add `ports` to `{name}`, or remove `health.http`")));
    };
    let Some(wanted) = wanted else { return Ok(first.published) };
    if tcp.clone().any(|port| port.published == wanted) {
        return Ok(wanted);
    }
    let complaint = Complaint::new(format!("`{name}` does not publish TCP port {wanted}"));
    Err(match tcp.find(|port| port.target == wanted) {
        Some(port) => {
            complaint.help(format!("that is its port in the container; on the host it is {}", port.published))
        }
        None => complaint.help(format!("it publishes {}", tcp_list(service))),
    })
}

fn tcp_list(service: &Service) -> String {
    let tcp = service.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
    tcp.map(|port| port.published.to_string()).collect::<Vec<_>>().join(", ")
}
