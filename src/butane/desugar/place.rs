use super::super::path::Path;
use super::super::schema::Field;

/// A place in both languages at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub butane: Path,
    pub ignition: Path,
}

impl Place {
    pub(super) fn join(&self, field: &Field) -> Self {
        Self { butane: self.butane.join(field.butane), ignition: self.ignition.join(field.ignition) }
    }

    pub(super) fn at(&self, index: usize) -> Self {
        Self { butane: self.butane.join(index), ignition: self.ignition.join(index) }
    }
}
