//! Where in the Butane config a piece of the Ignition config comes from.
//!
//! Most pieces come from the place of the same name in snake case; only the others are kept here.

use std::collections::HashMap;

use super::path::Path;
use super::report::{Finding, Findings};

#[derive(Debug, Default, Clone)]
pub(super) struct Origins {
    exact: HashMap<Path, Path>,
    /// Things that come from one place with all that is in them.
    whole: Vec<(Path, Path)>,
}

impl Origins {
    /// The piece at `to` comes from `from`.
    pub(super) fn add(&mut self, from: Path, to: Path) {
        self.exact.insert(to, from);
    }

    /// The piece at `to` and everything in it comes from `from`.
    pub(super) fn add_whole(&mut self, from: Path, to: Path) {
        self.whole.push((to, from));
    }

    /// The place that a piece comes from.
    pub(super) fn of(&self, piece: &Path) -> Path {
        if let Some(from) = self.exact.get(piece) {
            return from.clone();
        }
        let whole = self.whole.iter().rev().find(|(to, _)| piece.strip(to).is_some());
        whole.map_or_else(|| piece.snake(), |(_, from)| from.clone())
    }

    /// Takes out what is known of everything beneath `place`.
    pub(super) fn split_off(&mut self, place: &Path) -> Self {
        let exact = self.exact.extract_if(|to, _| to.strip(place).is_some()).collect();
        let whole = self.whole.extract_if(.., |(to, _)| to.strip(place).is_some()).collect();
        Self { exact, whole }
    }

    /// Findings on the Ignition config, told in places of the Butane config.
    pub(super) fn translate(&self, findings: Findings) -> Findings {
        let told = |finding: Finding| Finding { path: self.of(&finding.path), ..finding };
        Findings(findings.0.into_iter().map(told).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_knowledge_counts() {
        let file = Path::key("storage").join("files").join(0);
        let tree = Path::key("storage").join("trees").join(1);
        let mut origins = Origins::default();
        origins.add_whole(tree.clone(), file.clone());
        origins.add(tree.join("path"), file.join("path"));
        assert_eq!(origins.of(&file.join("contents").join("source")), tree);
        assert_eq!(origins.of(&file.join("path")), tree.join("path"));
        assert_eq!(origins.of(&Path::key("sizeMiB")), Path::key("size_mib"));
    }
}
