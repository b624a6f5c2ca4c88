//! `{range:}`: integers, as Python's `range`.

use super::{Chunk, Source, SourceError};
use crate::model::{self, ItemKey};
use crate::plan::settings::resolve;
use crate::spec::Setting;
use crate::template::ItemScope;
use std::io::Write;
use std::sync::Arc;

pub(super) struct Range {
    start: i128,
    next: i128,
    step: i128,
    left: u64,
    total: u64,
}

pub(super) fn open(
    start: &Setting<i64>,
    stop: &Setting<i64>,
    step: &Setting<i64>,
    scope: &Arc<ItemScope>,
) -> Result<Range, SourceError> {
    let read = |name, setting| resolve(name, setting, scope).map_err(SourceError::Setting);
    Range::new(read("start", start)?, read("stop", stop)?, read("step", step)?)
}

impl Range {
    fn new(start: i64, stop: i64, step: i64) -> Result<Self, SourceError> {
        let (start, stop, step) = (i128::from(start), i128::from(stop), i128::from(step));
        if step == 0 {
            return Err(SourceError::Setting("`step` of a range must not be 0".to_owned()));
        }
        let distance = if step > 0 { stop - start } else { start - stop };
        let total = if distance <= 0 { 0 } else { (distance - 1) / step.abs() + 1 };
        let total = u64::try_from(total).expect("two i64 are less than 2^64 apart");
        Ok(Self { start, next: start, step, left: total, total })
    }
}

impl Source for Range {
    fn total(&self) -> Option<u64> {
        Some(self.total)
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        let mut items = model::Items::default();
        for _ in 0..self.left.min(most as u64) {
            let number = self.next;
            items.push_with(|bytes| write!(bytes, "{number}").expect("a vector takes it"));
            self.next += self.step;
            self.left -= 1;
        }
        Ok(Chunk::of_json(items, ItemKey::of))
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        (self.next, self.left) = (self.start, self.total);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(start: i64, stop: i64, step: i64) -> Vec<String> {
        let mut range = Range::new(start, stop, step).unwrap();
        let total = range.total().unwrap();
        range.next(1).unwrap();
        range.rewind().unwrap();
        let chunks = [range.next(2).unwrap(), range.next(100).unwrap()].into_iter().flatten();
        let items: Vec<Vec<u8>> =
            chunks.flat_map(|it| it.items.iter().map(<[u8]>::to_vec).collect::<Vec<_>>()).collect();
        assert_eq!(items.len() as u64, total);
        items.iter().map(|item| String::from_utf8_lossy(item).into_owned()).collect()
    }

    #[test]
    fn a_range_counts_as_pythons_does() {
        assert_eq!(numbers(0, 4, 1), ["0", "1", "2", "3"]);
        assert_eq!(numbers(5, 0, -2), ["5", "3", "1"]);
        assert_eq!(numbers(0, 7, 3), ["0", "3", "6"]);
        assert!(numbers(3, 3, 1).is_empty());
        assert!(numbers(3, 0, 1).is_empty());
        assert_eq!(Range::new(i64::MIN, i64::MAX, 1).unwrap().total(), Some(u64::MAX));
        assert!(Range::new(0, 1, 0).is_err());
    }
}
