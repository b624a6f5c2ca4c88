//! Converts the positions of the YAML parser, which count characters, to byte offsets.

use crate::model::Span;

/// Converts positions in characters to byte offsets.
pub(super) struct ByteOffsets<'a> {
    /// The byte offset of every 128th character. `None` if all are ASCII.
    marks: Option<Vec<usize>>,
    pub text: &'a str,
}

impl<'a> ByteOffsets<'a> {
    const EVERY: usize = 128;

    pub fn new(text: &'a str) -> Self {
        let marks = (!text.is_ascii()).then(|| text.char_indices().step_by(Self::EVERY).map(|(at, _)| at).collect());
        Self { marks, text }
    }

    /// The byte offset of a character.
    pub fn byte(&self, index: usize) -> usize {
        let Some(marks) = &self.marks else {
            return index.min(self.text.len());
        };
        let Some(start) = marks.get(index / Self::EVERY) else {
            return self.text.len();
        };
        let rest = &self.text[*start..];
        rest.char_indices().nth(index % Self::EVERY).map_or(self.text.len(), |(at, _)| start + at)
    }

    /// The byte range of a range of characters.
    pub fn span(&self, span: saphyr_parser::Span) -> Span {
        let start = self.byte(span.start.index());
        Span::new(start, self.byte(span.end.index()).max(start))
    }
}

/// The span of a block scalar from its indicator to its last visible character. `span` is that of its content.
pub(super) fn block_span(text: &str, span: Span) -> Span {
    let end = span.start + text.get(span.start..span.end).map_or(0, |inside| inside.trim_end().len());
    let before = text.get(..span.start).unwrap_or_default().trim_end();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let is_header = |at: usize| {
        let rest = before[at + 1..].trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
        rest.is_empty() || rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#')
    };
    let mut indicators = before[line_start..].match_indices(['|', '>']).map(|(at, _)| line_start + at);
    let start = indicators.find(|at| is_header(*at)).unwrap_or(span.start);
    Span::new(start, end.max(start))
}
