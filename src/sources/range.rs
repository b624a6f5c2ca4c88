//! `{range:}`: integers, like Python's `range`.

use super::chunk::Chunk;
use super::error::SourceError;
use super::settings::resolve;
use super::source::{Reread, Source};
use crate::model::{self, ItemKey, Keys};
use crate::spec::Setting;
use crate::template::ItemScope;
use std::sync::Arc;

pub(super) struct Range {
    /// What the keys of all integers share.
    family: ItemKey,
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
    let read = |name, setting| resolve(name, setting, scope).map_err(SourceError::invalid);
    Range::new(read("start", start)?, read("stop", stop)?, read("step", step)?)
}

impl Range {
    fn new(start: i64, stop: i64, step: i64) -> Result<Self, SourceError> {
        let (start, stop, step) = (i128::from(start), i128::from(stop), i128::from(step));
        if step == 0 {
            return Err(SourceError::invalid("`step` of a range must not be 0"));
        }
        let distance = if step > 0 { stop - start } else { start - stop };
        let total = if distance <= 0 { 0 } else { (distance - 1) / step.abs() + 1 };
        let total = u64::try_from(total).expect("two i64 are less than 2^64 apart");
        let family = ItemKey::of(b"integers of a range");
        Ok(Self { family, start, next: start, step, left: total, total })
    }
}

/// Larger integers have separate keys, because their number does not fit into the key of a row.
const LARGE: i128 = 1 << 39;

impl Range {
    /// The keys of `count` integers from `first` on. The key of an integer does not depend on the range, and consecutive
    /// integers have consecutive keys, so that a batch needs only one.
    fn keys(&self, first: i128, count: usize) -> Keys {
        let last = first + self.step * (count as i128 - 1);
        let small = |number: i128| (0..LARGE).contains(&number);
        let key = |number: i128| match u64::try_from(number) {
            Ok(small) if number < LARGE => ItemKey::of_row(self.family, small),
            _ => ItemKey::of(number.to_string().as_bytes()),
        };
        if self.step == 1 && small(first) && small(last) {
            return Keys::Run(key(first), count);
        }
        Keys::List((0..count).map(|at| key(first + self.step * at as i128)).collect())
    }
}

impl Source for Range {
    fn total(&self) -> Option<u64> {
        Some(self.total)
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        let mut items = model::Items::default();
        let (first, mut digits) = (self.next, itoa::Buffer::new());
        for _ in 0..self.left.min(most as u64) {
            if items.is_full() {
                break;
            }
            let number = self.next;
            items.push(digits.format(number).as_bytes());
            self.next += self.step;
            self.left -= 1;
        }
        let Some(mut chunk) = Chunk::of_json(items, |_| self.family) else { return Ok(None) };
        chunk.keys = self.keys(first, chunk.items.len());
        Ok(Some(chunk))
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        (self.next, self.left) = (self.start, self.total);
        Ok(Reread::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(start: i64, stop: i64, step: i64) -> Vec<String> {
        let mut range = Range::new(start, stop, step).unwrap();
        let total = range.total().unwrap();
        range.next(1).unwrap();
        range.reread().unwrap().required().unwrap();
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

    #[test]
    fn an_integer_has_one_key_wherever_the_range_begins() {
        let keys = |start, stop, step| {
            let chunk = Range::new(start, stop, step).unwrap().next(1000).unwrap().unwrap();
            chunk.keys.iter().collect::<Vec<_>>()
        };
        assert_eq!(keys(3, 9, 1)[2..], keys(5, 9, 1));
        assert_eq!(keys(0, 9, 1).into_iter().step_by(2).collect::<Vec<_>>(), keys(0, 9, 2));
        let far = i64::MAX - 2;
        let mut all = [keys(-3, 3, 1), keys(far, i64::MAX, 1), keys((1 << 39) - 1, (1 << 39) + 2, 1)].concat();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
