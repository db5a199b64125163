//! The document as its events say it: one flat list, in which an alias is the number of its target. Anchored
//! values are kept once however deeply anchors nest; copies are made in [`super::expand`], where they are counted.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StructureStyle, Tag};

use super::cursor::Cursor;
use super::tab::{self, Before};
use super::{Pos, Style, YamlError, place};

pub(super) struct Raw<'a> {
    pub pos: Pos,
    pub tag: Option<String>,
    pub kind: RawKind<'a>,
}

pub(super) enum RawKind<'a> {
    Scalar(Cow<'a, str>, Style),
    Seq(Vec<usize>),
    /// Keys and values in turn.
    Map(Vec<usize>),
    Alias(usize),
}

/// A collection whose end is yet to come.
struct Open {
    id: usize,
    flow: bool,
    /// The column of its keys or dashes, where its place may be that of an anchor.
    column: u32,
}

#[derive(Default)]
pub(super) struct Arena<'a> {
    pub nodes: Vec<Raw<'a>>,
    open: Vec<Open>,
    anchors: HashMap<usize, usize>,
    /// The end of the event before.
    last_end: Option<Marker>,
    /// The end of the last token outside of flow style, and what it is.
    gap: Option<(Marker, Before)>,
    pub root: Option<usize>,
}

impl<'a> Arena<'a> {
    /// Reads the events of the first document.
    pub(super) fn read(text: &'a str, limit: usize) -> Result<Self, YamlError> {
        let options = granit_parser::options! {
            emit_comments: false,
            emit_anchor_events: true,
            block_scalar_eof_without_line_feed: true,
            bom_inside_document_as_content: true,
            flow_nesting_limit: limit,
            block_nesting_limit: limit,
        };
        let mut arena = Self::default();
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = next.map_err(|error| YamlError::new(pos(*error.marker()), error.info()))?;
            arena.check_tabs(&event, span, text)?;
            if matches!(event, Event::DocumentEnd) {
                break;
            }
            let is_node = !matches!(event, Event::Anchor(..));
            arena.event(event, span, text)?;
            // An anchor is told after its node, but stands before it.
            if is_node {
                arena.last_end = Some(span.end);
            }
        }
        Ok(arena)
    }

    fn event(&mut self, event: Event<'a>, span: Span, source: &str) -> Result<(), YamlError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                // The parser invents a `~` where nothing is written.
                let absent = style == ScalarStyle::Plain && span.slice(source).is_none_or(str::is_empty);
                if absent && self.is_missing_key(span, source) {
                    return Err(YamlError::new(pos(span.start), "a key is missing before the colon"));
                }
                let (text, pos) = if absent {
                    let written = span.tag_start().map(pos);
                    (Cow::Borrowed(""), written.unwrap_or_else(|| self.absent_pos(span, source)))
                } else if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                    (text, self.block_indicator(source).unwrap_or(pos(span.start)))
                } else {
                    (text, pos(span.start))
                };
                if style == ScalarStyle::DoubleQuoted && span.slice(source).is_some_and(has_surrogate) {
                    return Err(YamlError::new(pos, "invalid Unicode character escape code"));
                }
                self.add(pos, span, tag.as_deref(), anchor, RawKind::Scalar(text, style_of(style)));
            }
            Event::SequenceStart(style, anchor, tag) => {
                let flow = style == StructureStyle::Flow;
                let here = if flow { pos(span.start) } else { self.first_dash(span, source) };
                let id = self.add(here, span, tag.as_deref(), anchor, RawKind::Seq(Vec::new()));
                self.open.push(Open { id, flow, column: here.column });
            }
            Event::MappingStart(style, anchor, tag) => {
                let here = pos(span.start);
                let id = self.add(here, span, tag.as_deref(), anchor, RawKind::Map(Vec::new()));
                self.open.push(Open { id, flow: style == StructureStyle::Flow, column: here.column });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
            }
            Event::Alias(anchor) => {
                let here = pos(span.start);
                match self.anchors.get(&anchor) {
                    Some(target) if self.open.iter().any(|open| open.id == *target) => {
                        return Err(YamlError::new(here, "the value of this anchor contains itself"));
                    }
                    Some(&target) => {
                        self.add(here, span, None, 0, RawKind::Alias(target));
                    }
                    None => return Err(YamlError::new(here, "unknown anchor")),
                }
            }
            Event::Anchor(anchor, name) => {
                let here = pos(span.start);
                // YAML 1.2 allows more than libyaml knows.
                if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
                    return Err(YamlError::new(
                        here,
                        "an anchor is named with letters, digits, _ and - only",
                    ));
                }
                if let Some(node) = self.anchors.get(&anchor).and_then(|id| self.nodes.get_mut(*id)) {
                    let absent = matches!(&node.kind, RawKind::Scalar(text, Style::Plain) if text.is_empty());
                    // A value that is not written is where its first property is.
                    node.pos = if absent && node.tag.is_none() { here } else { node.pos.min(here) };
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Looks through the gap before a token of block style, and notes where the next gap begins.
    fn check_tabs(&mut self, event: &Event<'_>, span: Span, source: &str) -> Result<(), YamlError> {
        let written = !span.is_empty();
        let before = match event {
            Event::StreamStart => Before::LineStart,
            Event::Scalar(_, ScalarStyle::Plain, ..) if written => {
                Before::Plain(self.open.last().map_or(0, |open| open.column))
            }
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => Before::LineStart,
            Event::Scalar(..) | Event::Alias(_) | Event::DocumentStart(true, _) if written => Before::Token,
            Event::SequenceStart(StructureStyle::Flow, ..)
            | Event::MappingStart(StructureStyle::Flow, ..) => Before::Token,
            Event::SequenceEnd | Event::MappingEnd if written => Before::Token,
            Event::DocumentEnd => Before::Token,
            _ => return Ok(()),
        };
        let in_flow = self.open.iter().any(|open| open.flow);
        if let Some((from, after)) = self.gap.filter(|_| !in_flow)
            && let Some((start, end)) = from.byte_offset().zip(span.start.byte_offset())
            && let Some(at) =
                tab::refused(Cursor::new(source, start, pos(from)), end.saturating_sub(start), after)
        {
            return Err(YamlError::new(at, "a tab may not stand where indentation is due"));
        }
        self.gap = Some((span.end, before));
        Ok(())
    }

    /// The place of a value that is not written, by what it is missing from.
    fn absent_pos(&self, span: Span, source: &str) -> Pos {
        let here = pos(span.start);
        let Some((offset, open)) = span.start.byte_offset().zip(self.open.last()) else { return here };
        // In flow style `[a: ]` is a mapping within a sequence, so its parent decides as well.
        let flow = self.open.iter().any(|open| open.flow);
        match self.nodes.get(open.id) {
            Some(Raw { kind: RawKind::Map(children), .. }) if children.len() % 2 == 1 => {
                place::value_of_key(source, offset, here, flow)
            }
            Some(Raw { kind: RawKind::Seq(_), .. }) if !flow => {
                let dash = place::dash_before(source, offset, here, open.column);
                dash.map_or(here, |dash| Pos { column: dash.column.saturating_add(1), ..dash })
            }
            _ => here,
        }
    }

    /// Whether a block mapping has a colon where a key is due, without a question mark that would stand for one.
    fn is_missing_key(&self, span: Span, source: &str) -> bool {
        let Some((at, from)) = span.start.byte_offset().zip(self.last_end.and_then(|end| end.byte_offset()))
        else {
            return false;
        };
        let parent = self.open.last().filter(|open| !open.flow).and_then(|open| self.nodes.get(open.id));
        let is_key =
            matches!(parent, Some(Raw { kind: RawKind::Map(children), .. }) if children.len() % 2 == 0);
        let explicit = source.get(from..at).unwrap_or_default().contains('?');
        is_key && !explicit && source.get(at..).is_some_and(|rest| rest.starts_with(':'))
    }

    /// The place of a block sequence's first dash.
    fn first_dash(&self, span: Span, source: &str) -> Pos {
        let here = pos(span.start);
        let Some((offset, open)) = span.start.byte_offset().zip(self.open.last()) else { return here };
        match self.nodes.get(open.id) {
            Some(Raw { kind: RawKind::Map(children), .. }) if children.len() % 2 == 1 => {
                place::dash_before(source, offset, here, open.column).unwrap_or(here)
            }
            _ => here,
        }
    }

    fn block_indicator(&self, source: &str) -> Option<Pos> {
        let before = self.last_end?;
        place::block_indicator(source, before.byte_offset()?, pos(before))
    }

    fn add(&mut self, pos: Pos, span: Span, tag: Option<&Tag>, anchor: usize, kind: RawKind<'a>) -> usize {
        let id = self.nodes.len();
        let pos = span.tag_start().map_or(pos, |start| self::pos(start).min(pos));
        self.nodes.push(Raw { pos, tag: tag.and_then(tag_name), kind });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        match self.open.last().and_then(|parent| self.nodes.get_mut(parent.id)) {
            Some(Raw { kind: RawKind::Seq(children) | RawKind::Map(children), .. }) => children.push(id),
            _ => self.root = Some(id),
        }
        id
    }
}

fn pos(marker: Marker) -> Pos {
    let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Pos { line: clamp(marker.line()).max(1), column: clamp(marker.col()).saturating_add(1) }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

/// A lone `!` says nothing that yaml.v3 listens to.
fn tag_name(tag: &Tag) -> Option<String> {
    match tag.parts() {
        ("tag:yaml.org,2002:", suffix) => Some(format!("!!{suffix}")),
        ("" | "!", "" | "!") => None,
        (handle, suffix) => {
            let full = format!("{handle}{suffix}");
            Some(full.strip_prefix("tag:yaml.org,2002:").map_or(full.clone(), |suffix| format!("!!{suffix}")))
        }
    }
}

/// Whether a quoted text escapes a surrogate. The event parser joins pairs of them as JSON does; libyaml refuses them.
fn has_surrogate(quoted: &str) -> bool {
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        let digits = match (c, (c == '\\').then(|| chars.next()).flatten()) {
            (_, Some('u')) => 4,
            (_, Some('U')) => 8,
            _ => continue,
        };
        let code = chars
            .by_ref()
            .take(digits)
            .try_fold(0, |code: u32, c| Some(code.wrapping_mul(16) + c.to_digit(16)?));
        if code.is_some_and(|code| (0xd800..0xe000).contains(&code)) {
            return true;
        }
    }
    false
}
