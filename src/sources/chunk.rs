//! Consecutive items of a source.

use crate::model::{Failure, ItemKey, Items, Keys, LineNumbers, Origin, line_breaks};
use std::sync::Arc;

/// Consecutive items of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The items.
    pub items: Items,
    /// The key of each item.
    pub keys: Keys,
    /// The index of each item in the source, rising; none if the items follow those given before.
    pub indexes: Option<Vec<u64>>,
    /// The form of the items: an index into [`Source::forms`](super::Source::forms).
    pub form: usize,
    /// The file that they came from, if they are rows of one.
    pub origin: Option<Origin>,
    /// The part of the source's files that the items are or make up, in bytes on disk; 0 if that is not known.
    pub bytes: u64,
    /// Why a file cannot be read. The chunk then has one item, which stands for the file.
    pub file_error: Option<Box<Failure>>,
}

impl Chunk {
    /// Items that are JSON; none if there are no items.
    pub(super) fn of_json(items: Items, key: impl Fn(&[u8]) -> ItemKey) -> Option<Self> {
        let keys = Keys::List(items.iter().map(key).collect());
        (!items.is_empty()).then_some(Self {
            items,
            keys,
            indexes: None,
            form: 0,
            origin: None,
            bytes: 0,
            file_error: None,
        })
    }

    /// Appends the chunk that follows, if its items can share a chunk with these; returns it otherwise.
    pub(super) fn append(&mut self, next: Self) -> Option<Self> {
        if !self.is_continued_by(&next) {
            return Some(next);
        }
        next.items.iter().for_each(|item| self.items.push(item));
        self.keys = match (std::mem::take(&mut self.keys), next.keys) {
            (Keys::Run(first, count), Keys::Run(_, more)) => Keys::Run(first, count + more),
            (keys, more) => Keys::List(keys.iter().chain(more.iter()).collect()),
        };
        self.bytes += next.bytes;
        None
    }

    /// Whether these items and the next ones have the same form and come from consecutive rows of the same file.
    fn is_continued_by(&self, next: &Self) -> bool {
        let same_origin = match (&self.origin, &next.origin) {
            (None, None) => true,
            (Some(Origin { file, lines: LineNumbers::From(line) }), Some(other)) => {
                let end = line + self.items.iter().map(line_breaks).sum::<u64>();
                *file == other.file && other.lines == LineNumbers::From(end)
            }
            _ => false,
        };
        let same_file = match (&self.keys, &next.keys) {
            (Keys::Run(first, count), Keys::Run(next, _)) => first.nth(*count) == *next,
            _ => true,
        };
        let plain = |chunk: &Self| chunk.file_error.is_none() && chunk.indexes.is_none();
        self.form == next.form && same_origin && same_file && plain(self) && plain(next)
    }

    /// Splits off the items from position `at` on.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        let count = self.items.len();
        let (mut head, mut tail) = (Items::default(), Items::default());
        self.items.iter().take(at).for_each(|item| head.push(item));
        self.items.iter().skip(at).for_each(|item| tail.push(item));
        let (head_keys, tail_keys) = match std::mem::take(&mut self.keys) {
            Keys::Run(first, count) => (Keys::Run(first, at), Keys::Run(first.nth(at), count - at)),
            Keys::List(mut keys) => {
                let tail = keys.split_off(at);
                (Keys::List(keys), Keys::List(tail))
            }
        };
        let lines = |lines: &LineNumbers| match lines {
            LineNumbers::From(line) => LineNumbers::From(line + head.iter().map(line_breaks).sum::<u64>()),
            LineNumbers::Each(lines) => LineNumbers::Each(lines[at..].to_vec()),
        };
        let origin = self.origin.as_ref();
        let origin = origin.map(|origin| Origin { file: Arc::clone(&origin.file), lines: lines(&origin.lines) });
        let bytes = self.bytes * (count - at) as u64 / (count as u64).max(1);
        (self.items, self.keys, self.bytes) = (head, head_keys, self.bytes - bytes);
        Self {
            items: tail,
            keys: tail_keys,
            indexes: self.indexes.as_mut().map(|indexes| indexes.split_off(at)),
            form: self.form,
            origin,
            bytes,
            file_error: self.file_error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of a file, the first of them at this line.
    fn rows(file: &str, line: u64, rows: &[&str]) -> Chunk {
        let mut items = Items::default();
        rows.iter().for_each(|row| items.push(row.as_bytes()));
        let keys = Keys::Run(ItemKey::of_row(ItemKey::of(file.as_bytes()), line), rows.len());
        let origin = Some(Origin { file: file.into(), lines: LineNumbers::From(line) });
        Chunk { items, keys, indexes: None, form: 1, origin, bytes: 10 * rows.len() as u64, file_error: None }
    }

    #[test]
    fn chunks_are_joined_only_if_their_rows_are_consecutive() {
        let mut chunk = rows("a", 1, &["x\n"]);
        assert_eq!(chunk.append(rows("a", 2, &["y\n", "z\n"])), None);
        assert_eq!(chunk, rows("a", 1, &["x\n", "y\n", "z\n"]));
        for other in [rows("a", 5, &["gap\n"]), rows("b", 4, &["x\n"]), Chunk { form: 0, ..rows("a", 4, &["x\n"]) }] {
            assert_eq!(chunk.append(other.clone()), Some(other));
        }
        assert_eq!(chunk.items.len(), 3);
    }

    #[test]
    fn a_chunk_that_is_split_can_be_joined_again() {
        let whole = rows("a", 3, &["\"x\ny\"\n", "y\n", "z\n"]);
        let mut head = whole.clone();
        let tail = head.split_off(1);
        assert_eq!(
            (&head, tail.origin.as_ref().unwrap().lines.clone()),
            (&rows("a", 3, &["\"x\ny\"\n"]), LineNumbers::From(5))
        );
        assert_eq!(head.append(tail), None);
        assert_eq!(head, whole);
        let mut json = Items::default();
        (0..4).for_each(|number: u8| json.push(number.to_string().as_bytes()));
        let whole = Chunk::of_json(json, ItemKey::of).unwrap();
        let mut head = whole.clone();
        let tail = head.split_off(3);
        assert_eq!((head.items.len(), tail.keys.len()), (3, 1));
        assert_eq!(head.append(tail), None);
        assert_eq!(head, whole);
    }
}
