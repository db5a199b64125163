//! Podman's quadlets: files for its systemd generator.

use super::super::path::Path;
use super::super::report::Findings;
use super::super::source::one_source;
use super::super::value::{Obj, Value};
use super::Context;
use super::node::{List, NODE_EXISTS, Nodes, place};

const EXTENSIONS: [&str; 8] =
    [".container", ".volume", ".network", ".kube", ".image", ".build", ".pod", ".artifact"];

/// Checks a quadlet as it is written.
pub(in super::super) fn check(quadlet: &Obj, path: &Path, findings: &mut Findings) {
    one_source(quadlet, path, findings);
    let name = quadlet.plain_text("name");
    let has_contents = ["contents", "contents_local"].iter().any(|key| quadlet.text(key).is_some());
    if has_contents && template_of(name).is_some() {
        findings.error(path.clone(), "an instance of a template cannot have contents");
    }
    if !EXTENSIONS.iter().any(|extension| name.ends_with(extension)) {
        let message = format!("invalid quadlet extension; it must be one of {}", EXTENSIONS.join(", "));
        findings.error(path.join("name"), message);
    }
}

/// `foo@.container` for `foo@bar.container`, which is a link to it.
fn template_of(name: &str) -> Option<String> {
    let at = name.find('@')?;
    let dot = name.find('.');
    if dot == Some(at + 1) {
        return None;
    }
    let extension = name.get(dot.map_or(0, |dot| dot + 1)..)?;
    Some(format!("{}@.{extension}", name.get(..at)?))
}

/// Quadlets become files, and instances of templates links.
pub(super) fn add_nodes(config: &mut Obj, context: &mut Context<'_>) {
    let quadlets = config.obj_mut("systemd").and_then(|systemd| systemd.take("quadlets"));
    let Some(Value::Objs(quadlets)) = quadlets else { return };
    let Some(storage) = config.obj_mut("storage") else { return };
    let mut nodes = Nodes::new(storage);
    for (i, quadlet) in quadlets.iter().enumerate() {
        let from = Path::key("systemd").join("quadlets").join(i);
        let name = quadlet.plain_text("name");
        let users = if quadlet.is_true("rootful") { "" } else { "users/" };
        let path = format!("/etc/containers/systemd/{users}{name}");
        if nodes.exists(&path) {
            context.findings.error(from, NODE_EXISTS);
            continue;
        }
        let list = if template_of(name).is_some() { List::Links } else { List::Files };
        let index = nodes.add(list, &path, &from, context);
        context.origins.add(from.join("name"), place(list, index).join("path"));
        match template_of(name) {
            Some(template) => nodes.set(list, index, "target", Value::Text(template)),
            None => fill(quadlet, index, &from, &mut nodes, context),
        }
    }
}

fn fill(quadlet: &Obj, index: usize, from: &Path, nodes: &mut Nodes<'_>, context: &mut Context<'_>) {
    let (key, content) = match (quadlet.some_text("contents"), quadlet.some_text("contents_local")) {
        (Some(contents), _) => ("contents", Some(contents.as_bytes().to_vec())),
        (None, Some(local)) => ("contents_local", context.read(local, &from.join("contents_local"))),
        (None, None) => ("contents", Some(Vec::new())),
    };
    if let Some(content) = content {
        nodes.fill(index, content, &from.join(key), context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_told_from_templates() {
        assert_eq!(template_of("sleep@100.container").as_deref(), Some("sleep@.container"));
        assert_eq!(template_of("sleep@.container"), None);
        assert_eq!(template_of("sleep.container"), None);
        assert_eq!(template_of("sleep@").as_deref(), Some("sleep@.sleep@"));
    }
}
