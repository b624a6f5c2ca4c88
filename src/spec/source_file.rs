//! The text of a workflow file, with its lines, columns and words.

use crate::model::Span;
use std::path::PathBuf;

/// A workflow file, in which errors are shown.
#[derive(Debug, Clone, Default)]
pub struct SourceFile {
    /// The path as the user gave it.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

impl SourceFile {
    /// The line and column of a byte offset. Both start at 1; columns count characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..floor(&self.text, offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// The first place in `span` that has `needle` as a whole word, or else `span` itself.
    pub fn locate(&self, span: Span, needle: &str) -> Span {
        let (start, end) = (floor(&self.text, span.start), floor(&self.text, span.end));
        let (true, false) = (start <= end, needle.is_empty()) else {
            return span;
        };
        let inside = &self.text[start..end];
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let mut outside = None;
        for (at, _) in inside.match_indices(needle) {
            let before = inside[..at].chars().next_back();
            let after = inside[at + needle.len()..].chars().next();
            let joined_before = needle.starts_with(word) && before.is_some_and(word);
            let joined_after = needle.ends_with(word) && after.is_some_and(word);
            if !joined_before && !joined_after {
                let found = Span::new(start + at, start + at + needle.len());
                if is_in_braces(&inside[..at]) {
                    return found;
                }
                outside.get_or_insert(found);
            }
        }
        outside.unwrap_or(span)
    }
}

/// Whether what follows this text is in `{{ .. }}` or `{% .. %}`.
fn is_in_braces(before: &str) -> bool {
    let last = |marks: [&str; 2]| marks.into_iter().filter_map(|mark| before.rfind(mark)).max();
    last(["{{", "{%"]) > last(["}}", "%}"])
}

/// The nearest character boundary at or before `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
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

    #[test]
    fn locate_prefers_what_is_in_braces() {
        let source = source("item {{ a }} item {{ item }} item {% if item %}");
        let all = Span::new(0, source.text.len());
        assert_eq!(source.locate(all, "item"), Span::new(21, 25));
        assert_eq!(source.locate(all, "a"), Span::new(8, 9));
        assert_eq!(source.locate(Span::new(0, 18), "item"), Span::new(0, 4), "there is nothing better");
    }
}
