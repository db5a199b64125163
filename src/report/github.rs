//! GitHub Actions reads commands from the output of a step; here are the one that fleet means and the defence
//! against those that a host might slip in.

/// An annotation that marks the step with an error.
pub(super) fn error(title: &str, message: &str) -> String {
    format!("::error title={}::{}", property(title), data(message))
}

/// A line that the runner cannot take for a command.
///
/// The runner finds its old `##[command]` form anywhere in a line. The newer `::command::` counts at the start only,
/// and no line of ours starts with text from elsewhere.
pub(super) fn defuse(line: &str) -> String {
    line.replace("##[", "# #[")
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_one_line_whatever_it_holds() {
        let line = error("a:b,c%", "100% broken\r\n::stop-commands::x");
        assert_eq!(line, "::error title=a%3Ab%2Cc%25::100%25 broken%0D%0A::stop-commands::x");
    }

    #[test]
    fn old_commands_are_defused() {
        assert_eq!(defuse("app: ##[add-mask]e"), "app: # #[add-mask]e");
    }
}
