//! Trees of local files.

use super::super::filesource::{TreeEntry, TreeNode};
use super::super::ignition::clean;
use super::super::path::Path;
use super::super::value::{Obj, Value};
use super::node::{List, NODE_EXISTS, Nodes, place};
use super::{Context, NO_FILES_DIR};

/// Adds what is in the trees to files, directories and links. A file or link that is given without contents or target
/// takes that of the tree and keeps what else is said of it.
pub(super) fn add_nodes(config: &mut Obj, context: &mut Context<'_>) {
    let Some(storage) = config.obj_mut("storage") else { return };
    let Some(Value::Objs(trees)) = storage.take("trees") else { return };
    let mut nodes = Nodes::new(storage);
    for (i, tree) in trees.iter().enumerate() {
        let from = Path::key("storage").join("trees").join(i);
        let Some(files) = context.files else {
            context.findings.error(from, NO_FILES_DIR);
            return;
        };
        let walked = files.walk(tree.plain_text("local"), &mut |entry| {
            if let Err(fault) = add(entry, tree, &from, &mut nodes, context) {
                context.findings.error(from.clone(), fault);
            }
        });
        if let Err(error) = walked {
            context.findings.error(from, error.to_string());
        }
    }
}

fn add(
    entry: TreeEntry,
    tree: &Obj,
    from: &Path,
    nodes: &mut Nodes<'_>,
    context: &mut Context<'_>,
) -> Result<(), String> {
    let path = clean(&format!("{}/{}", tree.some_text("path").unwrap_or("/"), entry.path));
    match entry.node.map_err(|error| error.to_string())? {
        TreeNode::Directory => add_directory(&path, tree, from, nodes, context),
        TreeNode::File { executable, content } => {
            let index = match nodes.index(List::Files, &path) {
                Some(index) => index,
                None => add_owned(List::Files, &path, tree, from, nodes, context)?,
            };
            let file = nodes.get(List::Files, index).ok_or(NODE_EXISTS)?;
            if file.obj("contents").some_text("source").is_some() {
                return Err(NODE_EXISTS.to_owned());
            }
            let has_mode = file.int("mode").is_some();
            nodes.fill(index, content, from, context);
            if !has_mode {
                let mode = tree.int("file_mode").unwrap_or(if executable { 0o755 } else { 0o644 });
                nodes.set(List::Files, index, "mode", Value::Int(mode));
                context.origins.add(from.clone(), place(List::Files, index).join("mode"));
            }
            Ok(())
        }
        TreeNode::Link { target } => {
            let index = match nodes.index(List::Links, &path) {
                Some(index) => index,
                None => add_owned(List::Links, &path, tree, from, nodes, context)?,
            };
            if nodes.get(List::Links, index).is_some_and(|link| link.some_text("target").is_some()) {
                return Err(NODE_EXISTS.to_owned());
            }
            nodes.set(List::Links, index, "target", Value::Text(target));
            context.origins.add(from.clone(), place(List::Links, index).join("target"));
            Ok(())
        }
        TreeNode::Other => Err(format!("{path}: trees may only contain files, directories, and symlinks")),
    }
}

/// Directories are made by what is in them; only one with an owner or a mode is said.
fn add_directory(
    path: &str,
    tree: &Obj,
    from: &Path,
    nodes: &mut Nodes<'_>,
    context: &mut Context<'_>,
) -> Result<(), String> {
    let mode = tree.int("dir_mode");
    if mode.is_none() && tree.obj("user").is_empty() && tree.obj("group").is_empty() {
        return Ok(());
    }
    let index = add_owned(List::Directories, path, tree, from, nodes, context)?;
    nodes.set(List::Directories, index, "mode", Value::Int(mode.unwrap_or(0o755)));
    Ok(())
}

/// Adds a node with the owner that the tree gives.
fn add_owned(
    list: List,
    path: &str,
    tree: &Obj,
    from: &Path,
    nodes: &mut Nodes<'_>,
    context: &mut Context<'_>,
) -> Result<usize, String> {
    if nodes.exists(path) {
        return Err(NODE_EXISTS.to_owned());
    }
    let index = nodes.add(list, path, from, context);
    for key in ["user", "group"] {
        nodes.set(list, index, key, Value::Obj(tree.obj(key).clone()));
    }
    Ok(index)
}
