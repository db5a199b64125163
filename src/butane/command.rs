//! What the command around transpiling says and how it ends, as the reference does it. Pure, so that reading, writing
//! and flags stay with the command line.

use std::borrow::Cow;

use super::filesource::FileSource;
use super::{Diagnostic, Options, Stage, to_canonical_json, transpile};

/// What is asked of the command.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The name of the input in messages.
    pub file: &'a str,
    /// The input as it was read.
    pub source: &'a [u8],
    /// `-d`, `--files-dir`.
    pub files_dir: Option<&'a dyn FileSource>,
    /// `-s`, `--strict`: warnings are fatal, and so is what would go wrong at boot.
    pub strict: bool,
    /// `-c`, `--check`: no output.
    pub check: bool,
    /// `-p`, `--pretty`: indented JSON.
    pub pretty: bool,
}

/// What the command says and how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The Ignition config with a line end, where there is one to give out.
    pub output: Option<String>,
    /// The findings as data.
    pub diagnostics: Vec<Diagnostic>,
    /// What goes to the standard error output.
    pub messages: String,
    /// 0 where the config is good; 1 where it has errors, or warnings that are fatal. As with the reference what would go
    /// wrong at boot does not count, unless it is to be strict.
    pub exit_code: u8,
}

/// Runs the command.
#[must_use]
pub fn run_butane(request: &Request<'_>) -> Response {
    let Some(source) = source_text(request.source) else {
        let diagnostic = Diagnostic::of_input("the input is neither UTF-8 nor UTF-16 text");
        let messages = format!("{}: error: {}\n", request.file, diagnostic.message);
        return Response { output: None, diagnostics: vec![diagnostic], messages, exit_code: 1 };
    };
    let outcome = transpile(&source, &Options { files_dir: request.files_dir });
    let mut messages = outcome.report.render(request.file, &source);
    messages += &outcome.boot.render_at_boot(request.file, &source);
    let mut diagnostics = outcome.report.diagnostics(Stage::Transpile, &source);
    diagnostics.append(&mut outcome.boot.diagnostics(Stage::Boot, &source));
    let fatal = match &outcome.ignition {
        None => Some("the config cannot be translated"),
        Some(_) if request.strict && !diagnostics.is_empty() => {
            Some("the config produced warnings and --strict was given")
        }
        Some(_) => None,
    };
    if let Some(fatal) = fatal {
        messages.push_str(fatal);
        messages.push('\n');
        return Response { output: None, diagnostics, messages, exit_code: 1 };
    }
    let wanted = outcome.ignition.filter(|_| !request.check);
    let output = wanted.map(|ignition| to_canonical_json(&ignition, request.pretty) + "\n");
    Response { output, diagnostics, messages, exit_code: 0 }
}

/// The text of an input: UTF-8, or UTF-16 where a byte order mark says so, as libyaml reads both.
fn source_text(source: &[u8]) -> Option<Cow<'_, str>> {
    let wide = |read: fn([u8; 2]) -> u16| {
        let (units, rest) = source.as_chunks::<2>();
        let text = String::from_utf16(&units.iter().map(|unit| read(*unit)).collect::<Vec<_>>());
        text.ok().filter(|_| rest.is_empty()).map(Cow::Owned)
    };
    match source {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => std::str::from_utf8(source).ok().map(Cow::Borrowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(source: &[u8]) -> Request<'_> {
        Request { file: "a.bu", source, files_dir: None, strict: false, check: false, pretty: false }
    }

    const GOOD: &str = "variant: flatcar\nversion: 1.1.0\n";

    #[test]
    fn a_good_config_is_given_out() {
        let response = run_butane(&request(GOOD.as_bytes()));
        assert_eq!(response.output.as_deref(), Some("{\"ignition\":{\"version\":\"3.4.0\"}}\n"));
        assert_eq!((response.messages.as_str(), response.exit_code), ("", 0));
        assert_eq!(run_butane(&Request { check: true, ..request(GOOD.as_bytes()) }).output, None);
    }

    #[test]
    fn warnings_are_told_and_fatal_when_strict() {
        let source = format!("{GOOD}fleet: 1\n");
        let response = run_butane(&request(source.as_bytes()));
        let message = "a.bu:3:1: warning: $.fleet: unknown key `fleet`\n 3 | fleet: 1\n   | ^\n";
        assert_eq!((response.messages.as_str(), response.exit_code), (message, 0));
        let strict = run_butane(&Request { strict: true, ..request(source.as_bytes()) });
        assert_eq!((strict.output, strict.exit_code), (None, 1));
    }

    #[test]
    fn errors_are_drawn_where_they_are() {
        let source = format!("{GOOD}storage: {{files: [{{path: ä, mode: 0644}}]}}\n");
        let response = run_butane(&request(source.as_bytes()));
        let message = "a.bu:3:26: error: $.storage.files.0.path: path not absolute\n \
                       3 | storage: {files: [{path: ä, mode: 0644}]}\n   |                          ^\n\
                       the config cannot be translated\n";
        assert_eq!((response.messages.as_str(), response.exit_code), (message, 1));
    }

    #[test]
    fn wide_text_is_read_and_other_bytes_are_refused() {
        for (mark, bytes) in
            [(0xfeff_u16, u16::to_le_bytes as fn(u16) -> [u8; 2]), (0xfeff, u16::to_be_bytes)]
        {
            let wide: Vec<u8> = std::iter::once(mark).chain(GOOD.encode_utf16()).flat_map(bytes).collect();
            assert_eq!(run_butane(&request(&wide)).exit_code, 0);
        }
        let refused = run_butane(&request(b"variant: \xff"));
        assert_eq!(refused.exit_code, 1);
        let line = r#"{"severity":"error","stage":"transpile","path":"$","line":null,"column":null,"message":"the input is neither UTF-8 nor UTF-16 text","snippet":[]}"#;
        assert_eq!(refused.diagnostics[0].to_json_line(), format!("{line}\n"));
    }

    #[test]
    fn what_fails_at_boot_is_told_and_fatal_only_when_strict() {
        let source = format!("{GOOD}storage:\n  files:\n    - path: /usr/x\n");
        let response = run_butane(&request(source.as_bytes()));
        let message = "a.bu:5:13: error at boot: $.storage.files.0.path: /usr is read-only on Flatcar; /opt and /etc are \
                       not\n 5 |     - path: /usr/x\n   |             ^\n";
        assert_eq!((response.messages.as_str(), response.exit_code), (message, 0));
        assert!(response.output.is_some());
        let line = r#"{"severity":"error","stage":"boot","path":"$.storage.files.0.path","line":5,"column":13,"message":"/usr is read-only on Flatcar; /opt and /etc are not","snippet":[" 5 |     - path: /usr/x","   |             ^"]}"#;
        assert_eq!(response.diagnostics[0].to_json_line(), format!("{line}\n"));
        let strict = run_butane(&Request { strict: true, ..request(source.as_bytes()) });
        assert_eq!((strict.output, strict.exit_code), (None, 1));
    }
}
