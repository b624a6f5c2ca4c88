//! Finds the beginning of a form at the end of a text.

/// Forms, sorted, so that those with a common beginning are neighbours.
#[derive(Clone)]
pub(super) struct Prefixes {
    sorted: Vec<Vec<u8>>,
    longest: usize,
    /// The bytes with which forms begin.
    first: [bool; 256],
}

impl Prefixes {
    pub(super) fn new(mut sorted: Vec<Vec<u8>>) -> Self {
        sorted.sort_unstable();
        let mut first = [false; 256];
        sorted.iter().filter_map(|form| form.first()).for_each(|byte| first[usize::from(*byte)] = true);
        Self { longest: sorted.iter().map(Vec::len).max().unwrap_or(0), sorted, first }
    }

    /// How long the longest piece at the end of the text is that a form begins with and goes on after, if it has at least so many
    /// bytes.
    pub(super) fn at_end_of(&self, text: &[u8], least: usize) -> Option<usize> {
        let from = text.len().saturating_sub(self.longest);
        let last = (text.len() + 1).checked_sub(least)?;
        let mut starts = (from..last).filter(|at| self.first[usize::from(text[*at])]);
        starts.find(|at| self.has(&text[*at..])).map(|at| text.len() - at)
    }

    /// How many bytes the longest form has.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    fn has(&self, piece: &[u8]) -> bool {
        let at = self.sorted.partition_point(|form| form.as_slice() <= piece);
        self.sorted.get(at).is_some_and(|form| form.starts_with(piece))
    }
}
