//! Colour, where it is welcome.

/// Paints text, or leaves it alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    /// Whether colour is welcome.
    pub(super) on: bool,
}

impl Paint {
    pub(super) fn green(self, text: &str) -> String {
        self.sgr(32, text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.sgr(31, text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.sgr(33, text)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.sgr(1, text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.sgr(2, text)
    }

    fn sgr(self, code: u8, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
