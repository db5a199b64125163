//! The `fleet.yaml` of a test.

/// What a test's `fleet.yaml` says; the rest is the same for all.
#[derive(Debug, Clone)]
pub(crate) struct Yaml {
    /// The image of the service `web`.
    pub(crate) image: String,
    /// More lines of the service, indented as its keys.
    pub(crate) service: String,
    /// More lines at the top level.
    pub(crate) top: String,
    /// The health check: lines below `health`.
    pub(crate) health: String,
    /// How many hosts.
    pub(crate) count: u32,
}

/// Short, so that the tests are; strict enough that a bad release is never taken for a good one.
const HEALTH: &str = "  http: {service: web, path: /api/health, status: 200}
  interval: 300ms
  timeout: 2s
  successes: 2
  min_healthy: 1s
  deadline: 25s
";

/// An app without manners, which drops what it is doing: that nobody notices a roll must not be the app's merit.
pub(crate) const RUDE: &str = "    stop_signal: SIGKILL\n";

impl Yaml {
    /// One service of this image, on three hosts.
    pub(crate) fn new(image: &str) -> Self {
        Self {
            image: super::registry::image(image),
            service: RUDE.to_owned(),
            top: String::new(),
            health: HEALTH.to_owned(),
            count: 3,
        }
    }

    /// The text for a fleet of this name whose load balancer listens on this port.
    pub(crate) fn text(&self, name: &str, port: u16) -> String {
        let Self { image, service, top, health, count } = self;
        format!(
            "name: {name}\ncount: {count}\nservices:\n  web:\n    image: {image}\n    ports: [\"5000:5000\"]\n{service}\
             health:\n{health}roll: {{drain: 5s}}\nlocal: {{port: {port}}}\n{top}"
        )
    }
}

/// A value as YAML, in the double quotes that JSON shares with it; Compose reads `$$` as `$`.
pub(crate) fn value(text: &str) -> String {
    // YAML, unlike JSON, wants DEL escaped.
    serde_json::Value::from(text.replace('$', "$$")).to_string().replace('\u{7f}', "\\u007f")
}
