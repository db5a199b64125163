//! A few files that are always there, so that a run needs no disk and finds the same each time.

use fleet::butane::{FileError, FileSource, TreeEntry, TreeNode};

/// Texts by name.
pub struct Memory(pub &'static [(&'static str, &'static str)]);

/// What the seeds name most.
pub const FILES: Memory = Memory(&[
    ("a", "text\n"),
    (
        "a.bu",
        "variant: flatcar\nversion: 1.1.0\ninclude: [b.bu]\nstorage: {files: [{path: /a, mode: 0644}]}\n",
    ),
    ("b.bu", "variant: flatcar\nversion: 1.0.0\nsystemd: {units: [{name: a.service, mask: true}]}\n"),
    ("key.pub", "ssh-ed25519 AAAA me\n"),
]);

impl FileSource for Memory {
    fn read(&self, local: &str) -> Result<Vec<u8>, FileError> {
        let found = self.0.iter().find(|(name, _)| *name == local);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| FileError::Outside(local.to_owned()))
    }

    fn walk(&self, local: &str, visit: &mut dyn FnMut(TreeEntry)) -> Result<(), FileError> {
        if local.len() > 4 {
            return Err(FileError::NotADirectory(local.to_owned()));
        }
        visit(TreeEntry { path: String::new(), node: Ok(TreeNode::Directory) });
        for (name, text) in self.0 {
            let content = text.as_bytes().to_vec();
            visit(TreeEntry {
                path: (*name).to_owned(),
                node: Ok(TreeNode::File { executable: false, content }),
            });
        }
        visit(TreeEntry { path: "link".to_owned(), node: Ok(TreeNode::Link { target: "a".to_owned() }) });
        Ok(())
    }
}
