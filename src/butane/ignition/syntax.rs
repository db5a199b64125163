//! Paths as Go's `path` sees them.

/// Why a path does not do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathError {
    #[error("path not specified")]
    Missing,
    #[error("path not absolute")]
    Relative,
    #[error("path is not fully simplified")]
    NotClean,
}

/// An absolute path in its simplest form.
pub(super) fn check_path(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        Err(PathError::Missing)
    } else if !path.starts_with('/') {
        Err(PathError::Relative)
    } else if clean(path) != path {
        Err(PathError::NotClean)
    } else {
        Ok(())
    }
}

/// The shortest path that means the same, by its text alone.
pub(in super::super) fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    match (absolute, parts.join("/")) {
        (true, joined) => format!("/{joined}"),
        (false, joined) if joined.is_empty() => ".".to_owned(),
        (false, joined) => joined,
    }
}

/// What stands from the last dot of the last part on.
pub(super) fn extension(name: &str) -> &str {
    let last = name.rsplit('/').next().unwrap_or_default();
    last.rfind('.').and_then(|dot| last.get(dot..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_go_cleans_them() {
        for (path, cleaned) in [
            ("", "."),
            ("/", "/"),
            ("/a/./b//c/..", "/a/b"),
            ("/../a", "/a"),
            ("a/../../b", "../b"),
            ("..", ".."),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
        assert_eq!(check_path("/a/"), Err(PathError::NotClean));
        assert_eq!(check_path("/"), Ok(()));
    }

    #[test]
    fn an_extension_belongs_to_the_last_part() {
        assert_eq!(extension("a.b/c"), "");
        assert_eq!(extension("a@b.service"), ".service");
        assert_eq!(extension("a."), ".");
    }
}
