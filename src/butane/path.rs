use std::fmt;

/// One step into a config.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Seg {
    Key(String),
    Index(usize),
}

impl From<&str> for Seg {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Seg {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// A place in a config, in the names of Butane or of Ignition. Shown as `$.storage.files.0.path`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Path(pub Vec<Seg>);

impl Path {
    pub(super) fn root() -> Self {
        Self::default()
    }

    pub(super) fn join(&self, seg: impl Into<Seg>) -> Self {
        let mut segs = self.0.clone();
        segs.push(seg.into());
        Self(segs)
    }

    pub(super) fn key(name: &str) -> Self {
        Self::root().join(name)
    }

    /// The rest of this path behind `prefix`.
    pub(super) fn strip(&self, prefix: &Path) -> Option<&[Seg]> {
        self.0.strip_prefix(prefix.0.as_slice())
    }

    /// The key that it ends with.
    pub(super) fn last_key(&self) -> Option<&str> {
        match self.0.last()? {
            Seg::Key(key) => Some(key),
            Seg::Index(_) => None,
        }
    }

    pub(super) fn extend(&self, rest: &[Seg]) -> Self {
        Self(self.0.iter().chain(rest).cloned().collect())
    }

    /// The same place with its keys in snake case: `$.a.sizeMiB` becomes `$.a.size_mib`.
    pub(super) fn snake(&self) -> Self {
        let snake = |seg: &Seg| match seg {
            Seg::Key(key) => Seg::Key(snake_case(key)),
            index @ Seg::Index(_) => index.clone(),
        };
        Self(self.0.iter().map(snake).collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        self.0.iter().try_for_each(|seg| match seg {
            Seg::Key(key) => write!(f, ".{key}"),
            Seg::Index(index) => write!(f, ".{index}"),
        })
    }
}

fn snake_case(camel: &str) -> String {
    let mut out = String::with_capacity(camel.len() + 4);
    for c in camel.replace("MiB", "_mib").chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camel_case_becomes_snake_case() {
        for (camel, snake) in
            [("sizeMiB", "size_mib"), ("sshAuthorizedKeys", "ssh_authorized_keys"), ("uuid", "uuid")]
        {
            assert_eq!(snake_case(camel), snake);
        }
    }

    #[test]
    fn a_path_is_shown_as_users_know_it() {
        assert_eq!(Path::root().to_string(), "$");
        assert_eq!(Path::key("files").join(0).join("path").to_string(), "$.files.0.path");
    }
}
