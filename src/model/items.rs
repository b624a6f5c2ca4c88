//! Items: the unit of input.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Items packed one after another, each as JSON text without raw newlines, or as the text of a row.
///
/// One buffer for many items: a batch of a thousand numbers is two allocations, and travels with two copies.
///
/// Or else a *bundle*: bytes that only a worker can take apart. Its items are known by their number alone.
#[derive(Debug, Clone, Default)]
pub struct Items {
    bytes: Vec<u8>,
    /// The end of each item; of a bundle, the numbers of its items.
    ends: Vec<u32>,
    bundle: Option<Arc<[u8]>>,
    /// The number of line breaks up to the end of each item, counted when a line is first needed.
    line_breaks: OnceLock<Vec<u32>>,
}

impl PartialEq for Items {
    fn eq(&self, other: &Self) -> bool {
        (&self.bytes, &self.ends, &self.bundle) == (&other.bytes, &other.ends, &other.bundle)
    }
}

impl Eq for Items {}

impl Items {
    /// A bundle of so many items.
    pub fn bundle(bytes: Arc<[u8]>, count: u32) -> Self {
        Self { bundle: Some(bytes), ends: (0..count).collect(), ..Self::default() }
    }

    /// The items of a bundle with these numbers, which must rise.
    pub fn members(bytes: Arc<[u8]>, numbers: Vec<u32>) -> Option<Self> {
        numbers.is_sorted().then_some(Self { bundle: Some(bytes), ends: numbers, ..Self::default() })
    }

    /// The bytes of a bundle, and the numbers of the items that these are.
    pub fn as_bundle(&self) -> Option<(&Arc<[u8]>, &[u32])> {
        self.bundle.as_ref().map(|bytes| (bytes, self.ends.as_slice()))
    }

    /// The items at these positions, which must rise.
    pub fn part(&self, positions: &[usize]) -> Self {
        if let Some(bytes) = &self.bundle {
            let ends = positions.iter().map(|position| self.ends[*position]).collect();
            return Self { bundle: Some(Arc::clone(bytes)), ends, ..Self::default() };
        }
        let mut part = Self::default();
        positions.iter().for_each(|position| part.push(self.get(*position)));
        part
    }

    /// Appends one item, given as JSON text.
    pub fn push(&mut self, json: &[u8]) {
        self.bytes.extend_from_slice(json);
        self.close();
    }

    /// Appends one item that `write` puts at the end of the buffer as JSON text.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.close();
    }

    fn close(&mut self) {
        let end = u32::try_from(self.bytes.len()).expect("a batch stays under 4 GiB: sources cut at `Items::is_full`");
        self.ends.push(end);
        self.line_breaks.take();
    }

    /// Appends the items that follow each other in `bytes`, each up to one of the `ends`.
    pub fn extend(&mut self, bytes: &[u8], ends: &[usize]) {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let end = |end: &usize| {
            u32::try_from(before + end).expect("a batch stays under 4 GiB: sources cut at `Items::is_full`")
        };
        self.ends.extend(ends.iter().map(end));
        self.line_breaks.take();
    }

    /// Whether it is so large (1 GiB) that the next item belongs in another batch.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= 1 << 30
    }

    /// How many items it holds.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it holds no item.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The JSON text of the item at `position`; nothing of a bundle.
    pub fn get(&self, position: usize) -> &[u8] {
        &self.bytes[self.range(position)]
    }

    /// The range of the item at `position` in the bytes of [`Self::as_parts`].
    pub fn range(&self, position: usize) -> Range<usize> {
        if self.bundle.is_some() {
            return 0..0;
        }
        let start = if position == 0 { 0 } else { self.ends[position - 1] as usize };
        start..self.ends[position] as usize
    }

    /// The items in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|position| self.get(position))
    }

    /// The packed bytes and the end offset of each item; of a bundle, its bytes and the numbers of its items.
    pub fn as_parts(&self) -> (&[u8], &[u32]) {
        (self.bundle.as_deref().unwrap_or(&self.bytes), &self.ends)
    }

    /// Puts packed parts together again. `ends` must not fall and must end at the length of `bytes`.
    pub fn from_parts(bytes: Vec<u8>, ends: Vec<u32>) -> Option<Self> {
        let ordered = ends.is_sorted() && ends.last().map_or(0, |end| *end as usize) == bytes.len();
        ordered.then_some(Self { bytes, ends, ..Self::default() })
    }

    /// The number of line breaks in these items.
    pub fn line_breaks(&self, positions: Range<usize>) -> u64 {
        let counted = self.line_breaks.get_or_init(|| {
            let mut sum = 0;
            let count = |item| {
                sum += u32::try_from(line_breaks(item)).expect("items stay under 4 GiB");
                sum
            };
            self.iter().map(count).collect()
        });
        let before = |position: usize| if position == 0 { 0 } else { counted[position - 1] };
        u64::from(before(positions.end) - before(positions.start))
    }
}

/// The number of line breaks: line feeds, and carriage returns without one.
pub fn line_breaks(text: &[u8]) -> u64 {
    let feeds = memchr::memchr_iter(b'\n', text).count();
    let alone = memchr::memchr_iter(b'\r', text).filter(|at| text.get(at + 1) != Some(&b'\n')).count();
    (feeds + alone) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_as_they_were_packed() {
        let mut items = Items::default();
        items.push(b"1");
        items.push(b"");
        items.push_with(|bytes| bytes.extend_from_slice(b"\"x\""));
        assert_eq!(items.iter().collect::<Vec<_>>(), [b"1".as_slice(), b"", b"\"x\""]);
        let (bytes, ends) = items.as_parts();
        assert_eq!(Items::from_parts(bytes.to_vec(), ends.to_vec()), Some(items.clone()));
        assert_eq!(Items::from_parts(bytes.to_vec(), vec![3, 1, 4]), None);
    }

    #[test]
    fn a_part_of_a_bundle_is_the_same_bytes_and_fewer_items() {
        let whole = Items::bundle(b"opaque".as_slice().into(), 5);
        let part = whole.part(&[1, 3, 4]).part(&[0, 2]);
        assert_eq!((whole.len(), part.len(), part.get(0)), (5, 2, b"".as_slice()));
        assert_eq!(part.as_parts(), (b"opaque".as_slice(), [1, 4].as_slice()));
        assert_eq!(Items::members(b"opaque".as_slice().into(), vec![1, 4]), Some(part));
        assert_eq!(Items::members(b"opaque".as_slice().into(), vec![4, 1]), None);
    }

    #[test]
    fn line_breaks_are_those_of_the_items_that_are_there_now() {
        let mut items = Items::default();
        items.push(b"a\n");
        items.push(b"\"b\rb\"\r\n");
        assert_eq!((items.line_breaks(0..1), items.line_breaks(1..2), items.line_breaks(0..2)), (1, 2, 3));
        items.extend(b"c\nd", &[2, 3]);
        assert_eq!((items.line_breaks(1..3), items.line_breaks(3..4), items.line_breaks(4..4)), (3, 0, 0));
    }
}
