//! From a line of what a template rendered to the line of the template.
//!
//! Handlebars does not say where its output comes from. So the template is rendered once more with a mark at the end of
//! each line that may bear one; where the two outputs are alike but for the marks, those tell.

use serde_json::Value;

use super::templates::Templates;
use crate::yaml::Pos;

/// Private-use characters, which no template has a reason to hold.
const BEGIN: char = '\u{f8ff0}';
const END: char = '\u{f8ff1}';

/// The places of one template.
#[derive(Debug, Default)]
pub(super) struct TemplatePlaces {
    /// For each rendered line its number in the template; empty where that could not be found out.
    lines: Vec<u32>,
    template: Vec<String>,
    rendered: Vec<String>,
}

impl TemplatePlaces {
    /// Finds out the places of what `name` rendered from `data`.
    pub(super) fn new(templates: &Templates, name: &str, data: &Value, rendered: &str) -> Self {
        let text = templates.text(name);
        let mut marking = templates.clone();
        marking.replace(name, marked(text));
        let owned = |text: &str| text.lines().map(str::to_owned).collect();
        let lines = marking
            .render(name, data)
            .ok()
            .and_then(|marked| lines_of(&marked, rendered))
            .unwrap_or_default();
        Self { lines, template: owned(text), rendered: owned(rendered) }
    }

    /// The place in the template; the same place where that is not known.
    pub(super) fn of(&self, pos: Pos) -> Pos {
        let index = |line: u32| usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(&line) = self.lines.get(index(pos.line)) else { return pos };
        let (Some(template), Some(rendered)) =
            (self.template.get(index(line)), self.rendered.get(index(pos.line)))
        else {
            return pos;
        };
        // Up to the first value that is put in, the columns are the same.
        let alike = template.chars().zip(rendered.chars()).take_while(|(a, b)| a == b).count();
        let column = u32::try_from(alike).unwrap_or(u32::MAX).saturating_add(1).min(pos.column);
        Pos { line, column }
    }
}

/// The template with marks. A line of nothing but a block's begin or end leaves no line, so it must stay as it is.
fn marked(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for (line, number) in text.split_inclusive('\n').zip(1_u32..) {
        let content = line.trim();
        let end = line.trim_end_matches(['\r', '\n']).len();
        let (before, line_end) = line.split_at(end);
        out.push_str(before);
        if !(content.starts_with("{{") && content.ends_with("}}")) {
            out.push(BEGIN);
            out.push_str(&number.to_string());
            out.push(END);
        }
        out.push_str(line_end);
    }
    out
}

/// For each line of `marked` the number in the next mark; `None` where it is not `rendered` with marks.
fn lines_of(marked: &str, rendered: &str) -> Option<Vec<u32>> {
    let mut lines = Vec::new();
    let mut plain = String::with_capacity(rendered.len());
    let mut waiting = 0;
    for line in marked.split_inclusive('\n') {
        waiting += 1;
        let mut rest = line;
        while let Some((before, after)) = rest.split_once(BEGIN) {
            let (number, after) = after.split_once(END)?;
            plain.push_str(before);
            lines.extend(std::iter::repeat_n(number.parse::<u32>().ok()?, std::mem::take(&mut waiting)));
            rest = after;
        }
        plain.push_str(rest);
    }
    (plain == rendered).then_some(lines)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::templates::HOST_BUTANE;
    use super::*;

    fn place(template: &str, data: &Value, line: u32, column: u32) -> (u32, u32) {
        let mut templates = Templates::default();
        templates.replace(HOST_BUTANE, template.to_owned());
        let rendered = templates.render(HOST_BUTANE, data).unwrap();
        let pos = TemplatePlaces::new(&templates, HOST_BUTANE, data, &rendered).of(Pos { line, column });
        (pos.line, pos.column)
    }

    #[test]
    fn a_line_of_a_loop_is_the_line_in_it() {
        let template = "a: 1\n{{#each items}}\n- name: {{this}}\n  mode: 1\n{{/each}}\nb: 2\n";
        let data = json!({"items": ["x", "y"]});
        assert_eq!(place(template, &data, 1, 4), (1, 4));
        assert_eq!(place(template, &data, 2, 9), (3, 9));
        assert_eq!(place(template, &data, 5, 9), (4, 9));
        assert_eq!(place(template, &data, 6, 4), (6, 4));
    }

    #[test]
    fn behind_a_value_the_column_is_that_of_the_value() {
        assert_eq!(place("{a: {{x}}, b: 1}\n", &json!({"x": "long text"}), 1, 20), (1, 5));
        // A value of several lines stands on one line of the template.
        assert_eq!(place("a: {{x}}\nb: 1\n", &json!({"x": "|\n  c\n  d"}), 3, 3), (1, 1));
    }

    #[test]
    fn where_marks_would_change_the_output_the_place_stays() {
        assert_eq!(place("a: 1\n{{#if\n x}}\nb: 1\n{{/if}}\n", &json!({"x": 1}), 2, 1).0, 2);
    }
}
