//! A user's template of a host, rendered from a fixed fleet, with its Butane.
#![no_main]

mod memory;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fleet::config::{Config, Disk, parse};
use fleet::render::templates::{HOST_BUTANE, SERVICE_UNIT, Templates};
use fleet::render::{Fragment, Input, render_group};
use libfuzzer_sys::fuzz_target;

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let text = "name: a\nservices: {web: {image: 'a:1', ports: ['80:80'], environment: {A: \"b\\nc\"}}}\n";
    parse(text, "fleet.yaml", &Disk::new(".")).unwrap().0
});

fuzz_target!(|text: &str| {
    let mut templates = Templates::default();
    // The first line that reads `---` parts the template of a host from that of a unit.
    let (host, unit) = text.split_once("\n---\n").map_or((text, None), |(host, unit)| (host, Some(unit)));
    templates.replace(HOST_BUTANE, host.to_owned());
    if let Some(unit) = unit {
        templates.replace(SERVICE_UNIT, unit.to_owned());
    }
    let fragment = Fragment { name: "a.bu".to_owned(), text: memory::FILES.0[1].1.to_owned() };
    let input = Input {
        config: &CONFIG,
        group: "default",
        images: &BTreeMap::new(),
        templates: &templates,
        fragments: &[fragment],
        files: Some(&memory::FILES),
    };
    if let Err(error) = render_group(&input) {
        assert!(!error.to_string().is_empty());
    }
});
