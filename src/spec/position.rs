//! Places in the text of a workflow file: lines, columns, words.

use super::SourceFile;
use crate::model::Span;

/// The nearest border of a character at or before `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl SourceFile {
    /// Line and column of a byte offset, both from 1, the column in characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..floor(&self.text, offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// The first place inside `span` where `needle` stands as a whole word; `span` itself where it does not.
    pub fn locate(&self, span: Span, needle: &str) -> Span {
        let (start, end) = (floor(&self.text, span.start), floor(&self.text, span.end));
        let (true, false) = (start <= end, needle.is_empty()) else {
            return span;
        };
        let inside = &self.text[start..end];
        let word = |c: char| c.is_alphanumeric() || c == '_';
        for (at, _) in inside.match_indices(needle) {
            let before = inside[..at].chars().next_back();
            let after = inside[at + needle.len()..].chars().next();
            let joined_before = needle.starts_with(word) && before.is_some_and(word);
            let joined_after = needle.ends_with(word) && after.is_some_and(word);
            if !joined_before && !joined_after {
                return Span::new(start + at, start + at + needle.len());
            }
        }
        span
    }
}

/// Turns the parser's places, which count characters, into byte offsets.
pub(super) struct ByteOffsets<'a> {
    /// Byte offset of every 128th character; `None` where all are ASCII.
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

    /// The bytes of a span of characters.
    pub fn span(&self, span: saphyr_parser::Span) -> Span {
        let start = self.byte(span.start.index());
        Span::new(start, self.byte(span.end.index()).max(start))
    }
}

/// The span of a block scalar, whose content is `span`, from its indicator to its last letter.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> SourceFile {
        SourceFile { path: "nightly.yaml".into(), text: text.to_owned() }
    }

    #[test]
    fn columns_count_characters() {
        let source = source("a: 1\nä: ö x\n");
        let at = source.text.find('x').unwrap();
        assert_eq!(source.line_column(at), (2, 6));
        assert_eq!(source.line_column(usize::MAX), (3, 1));
    }

    #[test]
    fn locate_finds_whole_words_only() {
        let source = source("x: \"{{ items | item }}\"");
        let all = Span::new(3, source.text.len());
        assert_eq!(source.locate(all, "item"), Span::new(15, 19));
        assert_eq!(source.locate(all, "other"), all);
    }
}
