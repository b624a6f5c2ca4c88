//! Samples, one after another, in bounded space.

use super::sample::{Sample, SlotTimes};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The maximum number of samples that are kept.
pub const MOST_SAMPLES: usize = 600;

/// The length of the first samples.
const FIRST: Duration = Duration::from_millis(100);

/// The samples of a step. When there are too many, two at a time become one, and from then on samples are twice as long. So
/// a step of a minute is seen by tenths of a second, and one of a day by some minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    samples: Vec<Sample>,
    /// How long a sample is, in microseconds.
    interval: u64,
}

impl Default for Series {
    fn default() -> Self {
        Self { samples: Vec::new(), interval: u64::try_from(FIRST.as_micros()).unwrap_or(u64::MAX) }
    }
}

impl Series {
    /// The samples in order.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// How long the next sample should be.
    pub fn interval(&self) -> Duration {
        Duration::from_micros(self.interval)
    }

    /// Appends the sample that follows.
    pub fn push(&mut self, sample: Sample) {
        // What is left at the end may be very short, and its rates would be chance.
        if let Some(last) = self.samples.last_mut().filter(|_| sample.took < self.interval / 4) {
            last.append(&sample);
            return;
        }
        if self.samples.len() >= MOST_SAMPLES {
            self.coarsen();
        }
        self.samples.push(sample);
    }

    fn coarsen(&mut self) {
        let pairs = self.samples.chunks(2).map(|pair| {
            let mut sample = pair[0].clone();
            pair[1..].iter().for_each(|next| sample.append(next));
            sample
        });
        self.samples = pairs.collect();
        self.interval = self.interval.saturating_mul(2);
    }

    /// All samples as one.
    pub fn total(&self) -> Sample {
        let mut total = Sample::default();
        self.samples.iter().for_each(|sample| total.append(sample));
        total
    }

    /// Where the time of all slots together went, in microseconds.
    pub fn slot_times(&self) -> SlotTimes {
        let mut sum = SlotTimes::default();
        let slots = self.samples.iter().flat_map(|sample| &sample.slots);
        slots.for_each(|times| sum.iter_mut().zip(times).for_each(|(sum, time)| *sum += time));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_of_any_length_is_bounded_and_loses_nothing() {
        let mut series = Series::default();
        let first = series.interval();
        let mut at = 0;
        for number in 0..10_000 {
            let took = series.interval;
            at += took;
            let slots = vec![[1; 10]; 3];
            series.push(Sample { at, took, succeeded: 2, queued: number % 7, slots, ..Sample::default() });
            assert!(series.samples().len() <= MOST_SAMPLES);
        }
        // The rest at the end.
        series.push(Sample { at: at + 1, took: 1, succeeded: 1, ..Sample::default() });
        let total = series.total();
        assert_eq!((total.at, total.took, total.succeeded, total.queued), (at + 1, at + 1, 20_001, 6));
        assert!(series.samples().last().is_some_and(|last| last.took > series.interval / 4));
        assert_eq!(series.slot_times(), [30_000; 10]);
        assert!(series.interval() >= first * 16);
        assert!(series.samples().is_sorted_by_key(|sample| sample.at));
    }
}
