//! How fast a step goes, and how long it will take from now: with a range if its rate varies.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// How far apart marks are at first. Doubled when there are too many of them.
const FIRST_INTERVAL: Duration = Duration::from_millis(500);

/// How far apart they are at most: what happened long ago says little about what comes.
const LAST_INTERVAL: Duration = Duration::from_secs(16);

const MOST_MARKS: usize = 32;

/// How many windows between marks an estimate is made of, at most and at least.
const MOST_WINDOWS: usize = 16;
const FEWEST_WINDOWS: usize = 3;

/// How many standard errors the range reaches to either side.
const SURE: f64 = 2.0;

/// A range that is narrower than this share of its middle is one number.
const ONE_NUMBER: f64 = 0.25;

/// A lower limit below this tells nothing.
const WORTH_TELLING: Duration = Duration::from_secs(5);

/// Where a step was at some time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Mark {
    at: Duration,
    position: u64,
}

/// The pace of a step in recent time.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pace {
    marks: VecDeque<Mark>,
    interval: Duration,
}

/// A rate per second and its standard error.
#[derive(Debug, Clone, Copy)]
struct Rate {
    mean: f64,
    error: f64,
}

/// How long something will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Eta {
    /// About this long.
    About(Duration),
    /// From the one to the other.
    Between(Duration, Duration),
    /// Longer than this; nobody knows how long.
    Over(Duration),
}

impl Pace {
    /// A step begins at this position.
    pub(super) fn from(position: u64) -> Self {
        Self { marks: [Mark { at: Duration::ZERO, position }].into(), interval: FIRST_INTERVAL }
    }

    /// The step is at this position, so long after its start.
    pub(super) fn note(&mut self, at: Duration, position: u64) {
        if self.marks.back().is_some_and(|last| at < last.at + self.interval) {
            return;
        }
        self.marks.push_back(Mark { at, position });
        if self.marks.len() > MOST_MARKS {
            if self.interval < LAST_INTERVAL {
                self.interval *= 2;
                let mut even = false;
                self.marks.retain(|_| {
                    even = !even;
                    even
                });
            } else {
                self.marks.pop_front();
            }
        }
    }

    /// Units per second lately; nothing before there is anything to say.
    pub(super) fn per_second(&self) -> Option<f64> {
        self.rate().map(|rate| rate.mean).filter(|mean| *mean > 0.0)
    }

    fn rate(&self) -> Option<Rate> {
        let skipped = self.marks.len().saturating_sub(MOST_WINDOWS + 1);
        let recent = self.marks.range(skipped..);
        let windows = recent.clone().zip(recent.clone().skip(1)).map(|(from, to)| {
            (to.position.saturating_sub(from.position) as f64, to.at.saturating_sub(from.at).as_secs_f64())
        });
        let count = windows.len();
        if count < FEWEST_WINDOWS {
            return None;
        }
        let (done, time) = windows.clone().fold((0.0, 0.0), |(done, time), (d, t)| (done + d, time + t));
        let mean = done / time;
        // A window counts by its length.
        let spread = windows.map(|(done, took)| (done / took - mean).powi(2) * took / time).sum::<f64>();
        Some(Rate { mean, error: (spread / (count - 1) as f64).sqrt() })
    }

    /// Whether its rate varies less than the other one's, in relation to itself.
    pub(super) fn is_steadier_than(&self, other: &Self) -> bool {
        let varies = |pace: &Self| pace.rate().filter(|rate| rate.mean > 0.0).map(|rate| rate.error / rate.mean);
        varies(self).is_some_and(|own| varies(other).is_none_or(|other| own < other))
    }

    /// How long so much more will take.
    pub(super) fn eta(&self, left: u64) -> Option<Eta> {
        let Rate { mean, error } = self.rate()?;
        if left == 0 || mean <= 0.0 {
            return None;
        }
        let time = |rate: f64| Duration::try_from_secs_f64(left as f64 / rate).ok();
        let soonest = time(mean + SURE * error)?;
        let Some(latest) = Some(mean - SURE * error).filter(|rate| *rate > 0.0).and_then(time) else {
            return Some(Eta::Over(soonest)).filter(|_| soonest >= WORTH_TELLING);
        };
        let middle = time(mean).filter(|middle| *middle >= Duration::from_secs(1))?;
        let narrow = (latest - soonest).as_secs_f64() <= (ONE_NUMBER * middle.as_secs_f64()).max(1.0);
        Some(if narrow { Eta::About(middle) } else { Eta::Between(soonest, latest) })
    }
}

impl Eta {
    /// `eta 26s`, `eta 20-40s`, `eta over 20s`
    pub(super) fn text(self) -> String {
        match self {
            Self::About(time) => format!("eta {}", short(time)),
            Self::Over(time) => format!("eta over {}", short(time)),
            Self::Between(from, to) => {
                let seconds = to.as_secs_f64();
                let (unit, length) = [("s", 1.0), ("m", 60.0), ("h", 3600.0)]
                    .into_iter()
                    .rfind(|(_, l)| seconds >= 2.0 * l)
                    .unwrap_or(("s", 1.0));
                let (from, to) = ((from.as_secs_f64() / length).floor(), (seconds / length).ceil());
                format!("eta {from}-{to}{unit}")
            }
        }
    }
}

/// `26s`, `1m 12s`, `1h 20m`, `3d 4h`
pub(super) fn short(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        seconds @ 3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        seconds => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pace of a step that does so much in each half second.
    fn pace(steps: impl IntoIterator<Item = u64>) -> (Pace, u64) {
        let (mut pace, mut position, mut at) = (Pace::from(0), 0, Duration::ZERO);
        for step in steps {
            (position, at) = (position + step, at + FIRST_INTERVAL);
            pace.note(at, position);
        }
        (pace, position)
    }

    fn eta(steps: impl IntoIterator<Item = u64>, left: u64) -> String {
        pace(steps).0.eta(left).map_or("none".to_owned(), Eta::text)
    }

    #[test]
    fn a_steady_step_has_one_time_and_an_unsteady_one_a_range() {
        assert_eq!(eta([5; 10], 260), "eta 26s");
        assert_eq!(eta([5, 4, 6, 5, 5, 4, 6, 5, 5, 5], 260), "eta 26s");
        assert_eq!(eta([1, 9, 2, 8, 1, 9, 3, 7, 9, 1], 260), "eta 17-49s");
        assert_eq!(eta([0, 0, 0, 0, 0, 1], 30), "eta over 30s");
        assert_eq!(eta([5; 10], 26_000), "eta 43m 20s");
        assert_eq!(eta([1, 9, 2, 8, 1, 9, 3, 7, 9, 1], 26_000), "eta 29-82m");
    }

    #[test]
    fn nothing_is_said_too_early_or_without_progress_or_at_the_end() {
        assert_eq!(eta([5; 2], 260), "none");
        assert_eq!(eta([0; 10], 260), "none");
        assert_eq!(eta([5; 10], 0), "none");
        assert_eq!(pace([0; 10]).0.per_second(), None);
    }

    #[test]
    fn a_long_step_is_judged_by_its_recent_time() {
        let (pace, _) = pace(std::iter::repeat_n(100, 4000).chain(std::iter::repeat_n(1, 2000)));
        assert!(pace.marks.len() <= MOST_MARKS + 1);
        assert_eq!(pace.per_second(), Some(2.0));
        assert_eq!(pace.eta(200), Some(Eta::About(Duration::from_secs(100))));
    }

    #[test]
    fn times_are_short() {
        let texts = [0, 59, 60, 3599, 3600, 86_399, 86_400, 10_000_000].map(|s| short(Duration::from_secs(s)));
        assert_eq!(texts, ["0s", "59s", "1m 00s", "59m 59s", "1h 00m", "23h 59m", "1d 0h", "115d 17h"]);
    }
}
