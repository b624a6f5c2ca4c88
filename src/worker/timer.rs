//! Times the positions of a run.
//!
//! Reading a clock takes a fifth of the time of the quickest items. So items that take less than [`QUICK`] are timed in
//! groups that last [`GROUP`] or longer. What a position is made of (decoding, the task, encoding) is measured for the first
//! of each group, and stands for the others.

use crate::model::{ItemTime, WorkerTimes};
use std::cell::{Cell, RefCell};
use std::time::Instant;

/// Items that take less than this, in nanoseconds, are timed in groups.
const QUICK: u64 = 20_000;
/// How long a group lasts at least, in nanoseconds.
const GROUP: u64 = 50_000;
/// The most positions in a group.
const MOST: u32 = 1000;

/// The parts of a position: decoding, the task, encoding.
const PARTS: usize = 3;

/// Times one position after another.
#[derive(Debug)]
pub(super) struct Timer {
    /// When the current group began.
    began: Cell<Instant>,
    /// Its first position, and how many there are so far.
    first: Cell<u32>,
    count: Cell<u32>,
    /// How many positions a group has.
    size: Cell<u32>,
    /// When the current part of the first position began, and which it is; none if its parts are not measured.
    part: Cell<Option<(Instant, usize)>>,
    parts: Cell<[u64; PARTS]>,
    spent: Cell<WorkerTimes>,
    times: RefCell<Vec<ItemTime>>,
}

impl Default for Timer {
    fn default() -> Self {
        Self {
            began: Cell::new(Instant::now()),
            first: Cell::default(),
            count: Cell::default(),
            size: Cell::new(1),
            part: Cell::default(),
            parts: Cell::default(),
            spent: Cell::default(),
            times: RefCell::default(),
        }
    }
}

impl Timer {
    /// A position begins, with its decoding.
    pub(super) fn begin(&self, position: u32) {
        if self.count.get() == 0 {
            let now = Instant::now();
            self.began.set(now);
            self.first.set(position);
            self.parts.set([0; PARTS]);
            self.part.set(Some((now, 0)));
        }
    }

    /// The next part begins: the task, then encoding.
    pub(super) fn next_part(&self) {
        if let Some((since, part)) = self.part.get() {
            let now = Instant::now();
            self.end_part(since, part, now);
            self.part.set(Some((now, (part + 1).min(PARTS - 1))));
        }
    }

    fn end_part(&self, since: Instant, part: usize, now: Instant) {
        let mut parts = self.parts.get();
        parts[part] += nanoseconds(since, now);
        self.parts.set(parts);
    }

    /// The position ends.
    pub(super) fn end(&self) {
        self.count.set(self.count.get() + 1);
        let whole = self.count.get() >= self.size.get();
        if let Some((since, part)) = self.part.take() {
            let now = Instant::now();
            self.end_part(since, part, now);
            if whole {
                self.close(now);
            }
        } else if whole {
            self.close(Instant::now());
        }
    }

    /// Ends the current group, as positions of another batch follow.
    pub(super) fn end_group(&self) {
        if self.count.get() > 0 {
            self.close(Instant::now());
        }
    }

    fn close(&self, now: Instant) {
        let (count, took) = (self.count.replace(0), nanoseconds(self.began.get(), now));
        self.times.borrow_mut().push(ItemTime { first: self.first.get(), count, nanoseconds: took });
        let parts = self.parts.get();
        let measured = parts.iter().sum::<u64>().max(1);
        let [decode, task, encode] =
            parts.map(|part| u64::try_from(u128::from(took) * u128::from(part) / u128::from(measured)).unwrap_or(0));
        let mut spent = self.spent.get();
        spent.add(WorkerTimes { decode, task, encode });
        self.spent.set(spent);
        let mean = took / u64::from(count);
        let size = if mean >= QUICK { 1 } else { u32::try_from(GROUP / mean.max(1) + 1).unwrap_or(MOST).min(MOST) };
        // Not at once: the first item of a kind may be quick by chance, and a slow one should not disappear in a large group.
        self.size.set(size.min(self.size.get() * 4));
    }

    /// The times of the groups that have ended. Leaves none.
    pub(super) fn take_times(&self, into: &mut Vec<ItemTime>) {
        into.append(&mut self.times.borrow_mut());
    }

    /// How the time was spent since the last call.
    pub(super) fn take_spent(&self) -> WorkerTimes {
        self.spent.take()
    }
}

fn nanoseconds(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_in_one_group_and_the_parts_sum_to_the_time() {
        let timer = Timer::default();
        for position in 0..5000 {
            timer.begin(position);
            timer.next_part();
            if position % 1000 == 999 {
                // An item that is anything but quick.
                let began = Instant::now();
                while nanoseconds(began, Instant::now()) < 2 * QUICK {}
            }
            timer.next_part();
            timer.end();
            if position == 2500 {
                timer.end_group();
            }
        }
        timer.end_group();
        let mut times = Vec::new();
        timer.take_times(&mut times);
        let mut next = 0;
        for time in &times {
            assert_eq!(time.first, next);
            next += time.count;
        }
        assert_eq!(next, 5000);
        assert!(times.len() < 2500, "{} groups", times.len());
        assert!(times.iter().any(|time| time.first <= 2500 && time.first + time.count == 2501));
        let total: u64 = times.iter().map(|time| time.nanoseconds).sum();
        let WorkerTimes { decode, task, encode } = timer.take_spent();
        let sum = decode + task + encode;
        assert!(sum <= total && sum + 3 * times.len() as u64 >= total, "{sum} of {total}");
    }
}
