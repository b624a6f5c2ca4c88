//! How much a slot gets at a time, learned while the step runs: items per batch, and batches per frame.

use crate::spec::BatchSize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What a batch of learned size is a share of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workload {
    /// The number of items, if it is known.
    pub(super) total: Option<u64>,
    pub(super) slots: usize,
    pub(super) frames: FrameSize,
}

/// How large frames may become.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameSize {
    /// If a frame takes less than half of this, the next is larger.
    time: Duration,
    /// If a frame takes longer than this, the next is smaller.
    longest: Duration,
    /// The most batches.
    batches: usize,
    /// How many times as large the next frame, or batch, may be: the first items may be much quicker than later ones.
    growth: usize,
    /// Whether frames are so long that slots would wait for each other's last one.
    shrink: bool,
}

impl FrameSize {
    /// For slots on this machine. The time is long compared with the round trip and the commit of a frame, about 200 us together,
    /// and short enough that nobody notices it at the end of a step or loses much to a kill.
    pub(super) const HERE: Self = Self {
        time: Duration::from_millis(8),
        longest: Duration::from_millis(32),
        batches: 1024,
        growth: 2,
        shrink: false,
    };

    /// For slots on other machines. Each frame costs a round trip, 10 to 20 ms with Dask. At this size that is a fiftieth of the time,
    /// and frames reach the size in few round trips.
    pub(super) const ELSEWHERE: Self = Self {
        time: Duration::from_secs(1),
        longest: Duration::from_secs(2),
        batches: 1 << 18,
        growth: 64,
        shrink: true,
    };

    /// For batches that each travel alone.
    pub(super) fn alone(self) -> Self {
        Self { batches: 1, ..self }
    }
}

/// How many items make a batch, and how many batches travel together.
#[derive(Debug)]
pub(super) struct Pace {
    items: AtomicUsize,
    /// The maximum size of a batch if that is learned; 0 if the workflow sets it.
    most_items: usize,
    batches: AtomicUsize,
    frames: FrameSize,
    slots: usize,
}

impl Pace {
    /// A batch of learned size takes between this and ten times as long, as in joblib's `AutoBatchingMixin`: long enough
    /// for its own commit, short enough to lose.
    const BATCH: Duration = Duration::from_millis(200);

    /// Starts with one batch per frame, and with one item per batch if its size is learned. Then a batch never exceeds a
    /// fraction of the `total`, so that slots finish together.
    pub(super) fn new(size: BatchSize, workload: Workload) -> Self {
        /// The minimum number of batches per slot.
        const SHARES: u64 = 8;
        /// The maximum size of a batch if the number of items is unknown.
        const MOST: u64 = 1 << 20;
        let shares = SHARES * workload.slots as u64;
        let share = workload.total.map_or(MOST, |total| total.div_ceil(shares)).clamp(1, MOST);
        let (items, most_items) = match size {
            BatchSize::Exactly(items) => (items.get(), 0),
            BatchSize::Auto => (1, usize::try_from(share).unwrap_or(usize::MAX)),
        };
        Self {
            items: AtomicUsize::new(items),
            most_items,
            batches: AtomicUsize::new(1),
            frames: workload.frames,
            slots: workload.slots,
        }
    }

    pub(super) fn items(&self) -> usize {
        self.items.load(Ordering::Relaxed)
    }

    pub(super) fn batches(&self) -> usize {
        self.batches.load(Ordering::Relaxed)
    }

    /// How many batches the next frame takes, if so many are left. On other machines, frames are long: towards the end they become
    /// shorter, so that slots finish together (guided self-scheduling: C. D. Polychronopoulos and D. J. Kuck, 1987), down to an
    /// eighth, because each costs a round trip.
    pub(super) fn frame(&self, left: Option<u64>) -> usize {
        let batches = self.batches();
        let Some(left) = left.filter(|_| self.frames.shrink) else { return batches };
        let share = usize::try_from(left.div_ceil(2 * self.slots.max(1) as u64)).unwrap_or(usize::MAX);
        share.clamp(batches.div_ceil(8), batches)
    }

    /// Learns from a frame with this many batches; `items` is the size of each, if they are equal. Only full frames
    /// count: the last ones of a step, or a retry, are short for other reasons.
    pub(super) fn learn(&self, batches: usize, items: usize, took: Duration) {
        let now = self.batches();
        let size = self.items();
        // A batch that can still grow does so first.
        if batches == now && took < self.frames.time / 2 && size >= self.most_items {
            self.batches.store((now * self.growth(took)).min(self.frames.batches), Ordering::Relaxed);
        } else if took > self.frames.longest && batches >= now {
            self.batches.store((now / 2).max(1), Ordering::Relaxed);
        }
        if self.most_items > 0 && items == size {
            self.items
                .store(self.next_size(size, took / u32::try_from(batches.max(1)).unwrap_or(1)), Ordering::Relaxed);
        }
    }

    /// How many times as large a frame after one that took this long: so that it stays below half of its time.
    fn growth(&self, took: Duration) -> usize {
        let room = self.frames.time.as_secs_f64() / 2.0 / took.as_secs_f64().max(1e-9);
        (room as usize).clamp(2, self.frames.growth)
    }

    /// The size after one whose batches took this long. It doubles at most here: the first items may be much quicker than
    /// later ones, and a single slow item may take long.
    fn next_size(&self, size: usize, took: Duration) -> usize {
        let times = |time: Duration| (size as f64 * time.as_secs_f64() / took.as_secs_f64().max(1e-9)) as usize;
        if took < Self::BATCH {
            times(Self::BATCH * 2).clamp(size, size * self.frames.growth).min(self.most_items).max(1)
        } else if took > Self::BATCH * 10 {
            times(Self::BATCH * 2).clamp(1, size)
        } else {
            size
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    fn auto(total: u64) -> Pace {
        Pace::new(BatchSize::Auto, Workload { total: Some(total), slots: 2, frames: FrameSize::HERE })
    }

    #[test]
    fn a_size_grows_by_doubling_until_batches_take_long_enough() {
        let pace = auto(1_000_000);
        let mut sizes = Vec::new();
        while sizes.last() != Some(&pace.items()) {
            sizes.push(pace.items());
            let size = pace.items();
            pace.learn(1, size, Duration::from_millis(3) * u32::try_from(size).unwrap());
        }
        assert_eq!(sizes, [1, 2, 4, 8, 16, 32, 64, 128]);
    }

    #[test]
    fn frames_for_other_machines_grow_in_few_round_trips() {
        let workload = Workload { total: Some(1_000_000), slots: 2, frames: FrameSize::ELSEWHERE };
        let pace = Pace::new(BatchSize::Exactly(NonZeroUsize::new(100).unwrap()), workload);
        let mut sizes = vec![pace.batches()];
        for _ in 0..6 {
            // A batch takes a millisecond.
            pace.learn(pace.batches(), 100, Duration::from_millis(1) * u32::try_from(pace.batches()).unwrap());
            sizes.push(pace.batches());
        }
        assert_eq!(sizes, [1, 64, 448, 896, 896, 896, 896]);
    }

    #[test]
    fn the_last_frames_on_other_machines_are_shorter() {
        let workload = Workload { total: None, slots: 2, frames: FrameSize::ELSEWHERE };
        let pace = Pace::new(BatchSize::Exactly(NonZeroUsize::new(1).unwrap()), workload);
        pace.batches.store(80, Ordering::Relaxed);
        assert_eq!(
            [None, Some(1000), Some(320), Some(200), Some(41), Some(3)].map(|left| pace.frame(left)),
            [80, 80, 80, 50, 11, 10]
        );
        let here = Pace::new(
            BatchSize::Exactly(NonZeroUsize::new(1).unwrap()),
            Workload { frames: FrameSize::HERE, ..workload },
        );
        here.batches.store(80, Ordering::Relaxed);
        assert_eq!(here.frame(Some(3)), 80);
    }

    #[test]
    fn a_size_shrinks_at_once_when_items_turn_out_slow() {
        let pace = auto(1_000_000);
        (0..10).for_each(|_| pace.learn(1, pace.items(), Duration::from_micros(1)));
        assert_eq!(pace.items(), 1024);
        pace.learn(1, 1024, Duration::from_secs(100));
        assert_eq!(pace.items(), 4);
        pace.learn(1, 1024, Duration::from_secs(100));
        assert_eq!(pace.items(), 4, "a batch of the old size teaches nothing any more");
    }

    #[test]
    fn no_batch_takes_more_than_its_share() {
        let pace = auto(64);
        (0..10).for_each(|_| pace.learn(1, pace.items(), Duration::ZERO));
        assert_eq!(pace.items(), 4);
        assert_eq!(auto(1).items(), 1);
    }
}
