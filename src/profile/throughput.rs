//! How many items a window did.
//!
//! A window can begin or end in the middle of an item. Such an item counts with the share of its time inside the window. If
//! items differ in length, each counts with its own usual time, so that a window of large items does not look slower than one
//! of small ones.

use super::session::DoneFrame;
use super::sweep::Window;
use std::collections::HashMap;
use std::time::Instant;

/// How often times and slownesses are fitted to each other.
const ROUNDS: usize = 4;

/// What items count.
#[derive(Debug, Default)]
pub(super) struct Weights {
    /// By index; 1 on average. Empty if all count the same.
    by_index: HashMap<u64, f64>,
}

impl Weights {
    /// From all frames of all sessions. An item's time is taken as its usual time, times how slow its session is; the logarithms
    /// of both are fitted in turn, which is least squares. Items that travel together are quick, and all count the same.
    pub(super) fn of(sessions: &[Vec<DoneFrame>]) -> Self {
        if sessions.iter().flatten().any(|frame| frame.items > 1) {
            return Self::default();
        }
        let sessions: Vec<Vec<DoneFrame>> =
            sessions.iter().map(|frames| frames.iter().filter(|frame| !frame.starts).copied().collect()).collect();
        let took = |frame: &DoneFrame| frame.took.as_secs_f64().max(1e-9).ln();
        let mut slowness = vec![0.0; sessions.len()];
        let mut usual: HashMap<u64, f64> = HashMap::new();
        for _ in 0..ROUNDS {
            let mut sums: HashMap<u64, (f64, f64)> = HashMap::new();
            for (frames, slowness) in sessions.iter().zip(&slowness) {
                for frame in frames {
                    let sum = sums.entry(frame.first).or_default();
                    *sum = (sum.0 + took(frame) - slowness, sum.1 + 1.0);
                }
            }
            usual = sums.into_iter().map(|(index, (sum, count))| (index, sum / count)).collect();
            for (frames, slowness) in sessions.iter().zip(&mut slowness) {
                let sum: f64 = frames.iter().map(|frame| took(frame) - usual[&frame.first]).sum();
                *slowness = sum / (frames.len() as f64).max(1.0);
            }
        }
        if !differ(&sessions, &slowness, &usual) {
            return Self::default();
        }
        let by_index = usual.into_iter().map(|(index, time)| (index, time.exp()));
        let by_index: HashMap<u64, f64> = by_index.collect();
        let mean = by_index.values().sum::<f64>() / (by_index.len() as f64).max(1.0);
        Self { by_index: by_index.into_iter().map(|(index, time)| (index, time / mean)).collect() }
    }

    fn of_frame(&self, frame: &DoneFrame) -> f64 {
        self.by_index.get(&frame.first).map_or(frame.items as f64, |weight| *weight)
    }
}

/// Whether items differ more from each other than each does from one time to the next. If not, for instance because they wait
/// for each other, a weight would say nothing about its item. This is an analysis of variance of the logarithms.
fn differ(sessions: &[Vec<DoneFrame>], slowness: &[f64], usual: &HashMap<u64, f64>) -> bool {
    let frames: usize = sessions.iter().map(Vec::len).sum();
    if frames < usual.len() * 3 / 2 || usual.len() < 2 {
        return false;
    }
    let mut within = 0.0;
    for (frames, slowness) in sessions.iter().zip(slowness) {
        let rest = |frame: &DoneFrame| frame.took.as_secs_f64().max(1e-9).ln() - slowness - usual[&frame.first];
        within += frames.iter().map(|frame| rest(frame).powi(2)).sum::<f64>();
    }
    within /= (frames - usual.len()).max(1) as f64;
    let mean = usual.values().sum::<f64>() / usual.len() as f64;
    let between = usual.values().map(|time| (time - mean).powi(2)).sum::<f64>() / (usual.len() - 1) as f64;
    // The means of items vary by themselves, as they are made of few frames.
    between > 2.0 * within
}

/// The items that were done in a window, counted with their weights.
pub(super) fn items_in(window: &Window, frames: &[DoneFrame], weights: &Weights) -> f64 {
    frames.iter().map(|frame| share(frame, (window.from, window.to)) * weights.of_frame(frame)).sum()
}

/// The share of a frame's time that lies within.
fn share(frame: &DoneFrame, (from, to): (Instant, Instant)) -> f64 {
    let end = frame.from + frame.took;
    let within = end.min(to).saturating_duration_since(frame.from.max(from)).as_secs_f64();
    let took = frame.took.as_secs_f64();
    if took > 0.0 { within / took } else { f64::from(u8::from((from..to).contains(&frame.from))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Usage;
    use crate::profile::sweep::Threads;
    use std::time::Duration;

    fn frame(from: Instant, took: u64, first: u64, items: u64) -> DoneFrame {
        let (took, starts) = (Duration::from_millis(took), took == 900);
        DoneFrame { slot: 0, from, took, first, items, batches: 1, starts }
    }

    fn window(from: Instant, length: u64) -> Window {
        let to = from + Duration::from_millis(length);
        let (usage, threads, slots) = (Usage::default(), Threads::default(), Default::default());
        Window { session: 0, from, to, usage, threads, slots, machine: 0 }
    }

    #[test]
    fn an_item_that_is_cut_by_an_end_of_the_window_counts_in_part() {
        let start = Instant::now();
        let frames = [frame(start, 100, 0, 1), frame(start + Duration::from_millis(100), 100, 0, 1)];
        let done = items_in(&window(start, 150), &frames, &Weights::default());
        assert!((done - 1.5).abs() < 1e-9, "{done}");
    }

    #[test]
    fn items_count_by_their_usual_time_however_slow_their_session_is() {
        let start = Instant::now();
        // One item takes ten times as long as the other; the second session is twice as slow.
        let quick = [900, 10, 100, 10].iter().zip([1, 0, 1, 0]).map(|(took, item)| frame(start, *took, item, 1));
        let slow = [900, 20, 200, 200].iter().zip([0, 0, 1, 1]).map(|(took, item)| frame(start, *took, item, 1));
        let (quick, slow) = (quick.collect(), slow.collect());
        let weights = Weights::of(&[quick, slow]);
        let (small, large) = (weights.by_index[&0], weights.by_index[&1]);
        assert!((large / small - 10.0).abs() < 0.5 && (small + large - 2.0).abs() < 1e-9, "{small} {large}");
        assert!(Weights::of(&[vec![frame(start, 10, 0, 5)]]).by_index.is_empty());
    }
}
