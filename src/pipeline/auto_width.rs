//! `max_parallel: auto`: tells the climber what the slots do, and the slots what it has decided.

use super::climber::{Climber, Progress};
use super::job::StepJob;
use crate::spec::BatchSize;
use crate::task::available_memory;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

/// How often to look.
const LOOK: Duration = Duration::from_millis(50);

/// For how long a learned size of batches must stay before the width moves.
const SETTLED: Duration = Duration::from_secs(1);

/// By when the width moves at the latest.
const LATEST: Duration = Duration::from_secs(5);

/// The share of the memory that is free which new workers may take, as a divisor.
const MEMORY: u64 = 2;

/// Finds the width of one step.
pub(super) struct AutoWidth<'a> {
    job: &'a StepJob<'a>,
    climber: Climber,
    /// Which slots have come up with something since the width was set.
    began: Vec<bool>,
    next_look: Instant,
    /// The size of batches, and since when it has been that.
    size: (usize, Instant),
}

impl<'a> AutoWidth<'a> {
    /// For a step that finds its width itself.
    pub(super) fn of(job: &'a StepJob<'a>) -> Option<Self> {
        let (first, most) = (job.settings.first_width?, job.settings.lane.width);
        let now = Instant::now();
        let climber = Climber::new(first, most, now);
        Some(Self { job, climber, began: vec![false; most], next_look: now + LOOK, size: (0, now) })
    }

    /// A slot has come up with something.
    pub(super) fn note(&mut self, slot: u64) {
        if let Some(began) = usize::try_from(slot).ok().and_then(|slot| self.began.get_mut(slot)) {
            *began = true;
        }
    }

    /// Looks at how far the step is, and sets the width. `largest` is the most memory that a worker has had.
    pub(super) fn look(&mut self, items: u64, largest: u64) {
        let now = Instant::now();
        if now < self.next_look || self.job.width.is_held() || !self.is_settled(now) {
            return;
        }
        self.next_look = now + LOOK;
        let width = self.climber.width();
        let more = available_memory().checked_div(MEMORY * largest).unwrap_or(u64::MAX);
        let most = usize::try_from(more).unwrap_or(usize::MAX).saturating_add(width);
        let all_began = self.began.iter().take(width).all(|began| *began);
        if self.climber.observe(Progress { now, items, all_began, most })
            && let Some(width) = NonZeroUsize::new(self.climber.width())
        {
            self.began.fill(false);
            self.job.width.set(width);
        }
    }

    /// Whether batches have found their size.
    fn is_settled(&mut self, now: Instant) -> bool {
        if self.job.settings.batch_size != BatchSize::Auto {
            return true;
        }
        let size = self.job.pace.items();
        if size != self.size.0 {
            self.size = (size, now);
        }
        now.duration_since(self.size.1) >= SETTLED || now.duration_since(self.job.started) >= LATEST
    }

    /// What was found, for the user.
    pub(super) fn found(&self) -> Option<String> {
        let (width, rate, first, before) = self.climber.found().filter(|_| !self.job.width.is_held())?;
        let workers = |count: usize| if count == 1 { "1 worker".to_owned() } else { format!("{count} workers") };
        Some(if width == first {
            format!(
                "`max_parallel: auto` stayed at {}: {rate:.1} items/s; neither more nor fewer did better",
                workers(width)
            )
        } else {
            format!(
                "`max_parallel: auto` chose {}: {rate:.1} items/s; {} did {before:.1}",
                workers(width),
                workers(first)
            )
        })
    }
}
