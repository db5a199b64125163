//! Unit files as far as Ignition reads them: by the lexer of `go-systemd`, whose limit on lines depends on how it
//! buffers, so the buffer is played here too.

/// The longest line, in bytes.
const LINE_MAX: usize = 2048;
/// The buffer of Go's `bufio.Reader`.
const BUFFER: usize = 4096;

/// Why a unit file cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnitError {
    #[error("line too long (max {LINE_MAX} bytes)")]
    LineTooLong,
    #[error("unable to find end of section")]
    OpenSection,
    #[error("found garbage after section name")]
    Garbage,
    #[error("a line has no `=`")]
    NoEquals,
}

/// What is asked of a unit file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnitFile {
    /// Whether an option stands in an `[Install]` section.
    pub has_install: bool,
}

/// Reads a unit file.
pub(super) fn read(text: &str) -> Result<UnitFile, UnitError> {
    let mut lexer = Lexer { text, bytes: text.as_bytes(), at: 0, filled: 0 };
    let mut file = UnitFile { has_install: false };
    let mut section: Option<&[u8]> = None;
    loop {
        lexer.check_line()?;
        let Some(byte) = lexer.next() else { return Ok(file) };
        match byte {
            b'[' => {
                lexer.check_line()?;
                let (name, closed) = lexer.until(b']');
                if !closed {
                    return Err(UnitError::OpenSection);
                }
                section = Some(name);
                lexer.check_line()?;
                let (garbage, _) = lexer.until(b'\n');
                if !String::from_utf8_lossy(garbage).trim().is_empty() {
                    return Err(UnitError::Garbage);
                }
            }
            b'#' | b';' => lexer.skip_comment()?,
            _ if section.is_none() => {}
            _ if lexer.passes_space() => {}
            _ => {
                lexer.check_line_from(1)?;
                lexer.skip_name(byte)?;
                lexer.skip_value()?;
                file.has_install |= section == Some(b"Install".as_slice());
            }
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// How far the text has come into the buffer.
    filled: usize,
}

impl<'a> Lexer<'a> {
    fn check_line(&self) -> Result<(), UnitError> {
        self.check_line_from(0)
    }

    /// Checks the line ahead at a step of the lexer, `back` bytes before the cursor.
    fn check_line_from(&self, back: usize) -> Result<(), UnitError> {
        let start = self.at.saturating_sub(back);
        if self.filled.saturating_sub(start) < LINE_MAX {
            return Ok(());
        }
        let ahead = self.bytes.get(start..start.saturating_add(LINE_MAX)).unwrap_or_default();
        if ahead.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
            Ok(())
        } else {
            Err(UnitError::LineTooLong)
        }
    }

    fn fill(&mut self) {
        self.filled = self.bytes.len().min(self.at.saturating_add(BUFFER));
    }

    fn next(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        if self.at >= self.filled {
            self.fill();
        }
        self.at += 1;
        Some(byte)
    }

    /// Whether the byte just taken begins white space, which may be more than one byte and is passed.
    fn passes_space(&mut self) -> bool {
        let start = self.at.saturating_sub(1);
        let first = self.text.get(start..).and_then(|rest| rest.chars().next());
        let Some(space) = first.filter(|c| c.is_whitespace()) else { return false };
        for _ in 1..space.len_utf8() {
            self.next();
        }
        true
    }

    /// What stands before `mark`, which is passed, and whether there is one.
    fn until(&mut self, mark: u8) -> (&'a [u8], bool) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let found = rest.iter().position(|byte| *byte == mark);
        let head = rest.get(..found.unwrap_or(rest.len())).unwrap_or_default();
        let end = self.at + head.len() + usize::from(found.is_some());
        // The buffer is filled from the cursor, and whole buffers are passed, until the mark is in it.
        while self.filled < end {
            if self.filled >= self.at.saturating_add(BUFFER) {
                self.at = self.filled;
            }
            self.fill();
        }
        self.at = end;
        (head, found.is_some())
    }

    fn skip_comment(&mut self) -> Result<(), UnitError> {
        self.check_line()?;
        loop {
            let (line, more) = self.until(b'\n');
            let line = line.strip_suffix(b" ").unwrap_or(line);
            if !line.ends_with(b"\\") || !more {
                return Ok(());
            }
        }
    }

    fn skip_name(&mut self, first: u8) -> Result<(), UnitError> {
        let mut byte = Some(first);
        while let Some(b) = byte {
            match b {
                b'=' => return Ok(()),
                b'\n' | b'\r' => break,
                _ => byte = self.next(),
            }
        }
        Err(UnitError::NoEquals)
    }

    fn skip_value(&mut self) -> Result<(), UnitError> {
        loop {
            self.check_line()?;
            let (line, more) = self.until(b'\n');
            if !line.ends_with(b"\\") || !more {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_count_with_their_options() {
        let file = |has_install| Ok(UnitFile { has_install });
        assert_eq!(read(""), file(false));
        assert_eq!(read("# only\n[Install]\n"), file(false));
        assert_eq!(read("garbage\n[Unit]\r\nA = b\r\n\n[Install]\nB=\n"), file(true));
        assert_eq!(read("[Service]\nA=b\\\n[Install]\n B=c"), file(false));
    }

    #[test]
    fn all_white_space_of_unicode_is_passed() {
        assert_eq!(read("[Install]\u{a0}\u{b}\n\u{2003}A=b"), Ok(UnitFile { has_install: true }));
    }

    #[test]
    fn faults_are_found() {
        assert_eq!(read("[Unit\nA=b"), Err(UnitError::OpenSection));
        assert_eq!(read("[Unit] x\n"), Err(UnitError::Garbage));
        assert_eq!(read("[Unit]\nabc\n"), Err(UnitError::NoEquals));
        assert_eq!(read("[Unit]\nabc"), Err(UnitError::NoEquals));
    }

    #[test]
    fn long_lines_are_refused_but_not_long_files() {
        let long = "a".repeat(3000);
        assert_eq!(read(&format!("[Service]\nA={long}\n")), Err(UnitError::LineTooLong));
        assert!(read(&"[Service]\nA=b\n".repeat(2000)).is_ok());
    }
}
