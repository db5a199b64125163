//! Files, directories and links that are made, beside those that are given.

use std::collections::HashMap;

use super::super::path::Path;
use super::super::schema::{DIRECTORY, FILE, LINK, Struct};
use super::super::value::{Obj, Value};
use super::Context;
use super::data_url::encode;

pub(super) const NODE_EXISTS: &str = "something else in the config has this path, or has contents already";

/// The lists that a node can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum List {
    Files,
    Directories,
    Links,
}

impl List {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Directories => "directories",
            Self::Links => "links",
        }
    }

    fn table(self) -> &'static Struct {
        match self {
            Self::Files => &FILE,
            Self::Directories => &DIRECTORY,
            Self::Links => &LINK,
        }
    }
}

/// The nodes of a config by their paths.
pub(super) struct Nodes<'a> {
    storage: &'a mut Obj,
    known: HashMap<(List, String), usize>,
}

impl<'a> Nodes<'a> {
    pub(super) fn new(storage: &'a mut Obj) -> Self {
        let mut known = HashMap::new();
        for list in [List::Files, List::Directories, List::Links] {
            for (i, node) in storage.objs(list.key()).iter().enumerate() {
                known.insert((list, node.plain_text("path").to_owned()), i);
            }
        }
        Self { storage, known }
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        [List::Files, List::Directories, List::Links].into_iter().any(|list| self.index(list, path).is_some())
    }

    /// The index of a node in its list.
    pub(super) fn index(&self, list: List, path: &str) -> Option<usize> {
        self.known.get(&(list, path.to_owned())).copied()
    }

    pub(super) fn get(&mut self, list: List, index: usize) -> Option<&mut Obj> {
        self.storage.objs_mut(list.key())?.get_mut(index)
    }

    /// Adds a node of which everything comes from `from`; gives its index.
    pub(super) fn add(&mut self, list: List, path: &str, from: &Path, context: &mut Context<'_>) -> usize {
        let mut node = Obj::new(list.table());
        node.set_text("path", path);
        let Some(nodes) = self.storage.objs_mut(list.key()) else { return 0 };
        let index = nodes.len();
        nodes.push(node);
        self.known.insert((list, path.to_owned()), index);
        context.origins.add_whole(from.clone(), place(list, index));
        index
    }

    /// Gives a file its contents.
    pub(super) fn fill(&mut self, index: usize, content: Vec<u8>, from: &Path, context: &mut Context<'_>) {
        let Some(contents) = self.get(List::Files, index).and_then(|file| file.obj_mut("contents")) else {
            return;
        };
        let may_compress = contents.some_text("compression").is_none();
        let encoded = encode(content, may_compress, &mut context.zipper);
        contents.set_text("source", encoded.url);
        let place = place(List::Files, index).join("contents");
        context.origins.add(from.clone(), place.join("source"));
        if may_compress {
            contents.set_text("compression", encoded.compression);
            context.origins.add(from.clone(), place.join("compression"));
        }
        context.origins.add(from.clone(), place);
    }

    /// Sets a value of a node.
    pub(super) fn set(&mut self, list: List, index: usize, key: &str, value: Value) {
        if let Some(node) = self.get(list, index) {
            node.set(key, value);
        }
    }
}

/// Where a node is in the Ignition config.
pub(super) fn place(list: List, index: usize) -> Path {
    Path::key("storage").join(list.key()).join(index)
}
