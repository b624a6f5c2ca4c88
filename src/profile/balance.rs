//! Whether items are so uneven that workers wait at the end for the last one.

use super::session::DoneFrame;
use serde::Serialize;
use std::collections::BTreeMap;

/// How well the whole list fills so many workers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Balance {
    /// The time of all items together, divided by the width, in seconds.
    pub ideal: f64,
    /// The time of the whole list in its order, in seconds.
    pub in_order: f64,
    /// The same with the longest items first.
    pub longest_first: f64,
    /// The longest item, in seconds.
    pub longest: f64,
    /// Its index.
    pub longest_index: u64,
    /// The time of an item in the middle, in seconds.
    pub typical: f64,
}

impl Balance {
    /// Of a list all of whose items ran alone at this width; `items` is their number.
    pub(super) fn of(frames: &[DoneFrame], items: u64, width: usize) -> Option<Self> {
        let mut times: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for frame in frames.iter().filter(|frame| frame.items == 1 && !frame.starts) {
            times.entry(frame.first).or_default().push(frame.took.as_secs_f64());
        }
        if times.is_empty() || times.len() as u64 != items {
            return None;
        }
        let times: Vec<(u64, f64)> =
            times.into_iter().map(|(index, times)| (index, super::interval::median(&times))).collect();
        let (longest_index, longest) = times.iter().copied().max_by(|left, right| left.1.total_cmp(&right.1))?;
        let mut sorted: Vec<f64> = times.iter().map(|(_, time)| *time).collect();
        let in_order = makespan(&sorted, width);
        sorted.sort_by(|left, right| right.total_cmp(left));
        let ideal = sorted.iter().sum::<f64>() / width as f64;
        let (longest_first, typical) = (makespan(&sorted, width), sorted[sorted.len() / 2]);
        Some(Self { ideal, in_order, longest_first, longest, longest_index, typical })
    }

    /// The share of the workers' time that is lost at the end.
    pub(super) fn loss(&self) -> f64 {
        if self.in_order > 0.0 { 1.0 - self.ideal / self.in_order } else { 0.0 }
    }
}

/// When the last of these items ends if each worker takes the next one as soon as it is free.
fn makespan(times: &[f64], width: usize) -> f64 {
    let mut free = vec![0.0_f64; width.max(1)];
    for time in times {
        if let Some(first) = free.iter_mut().min_by(|left, right| left.total_cmp(right)) {
            *first += time;
        }
    }
    free.into_iter().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn frames(times: &[u64]) -> Vec<DoneFrame> {
        let frame = |(index, time): (usize, &u64)| {
            let (from, took) = (Instant::now(), Duration::from_millis(*time));
            DoneFrame { slot: 0, from, took, first: index as u64, items: 1, batches: 1, starts: false }
        };
        times.iter().enumerate().map(frame).collect()
    }

    #[test]
    fn one_long_item_at_the_end_keeps_all_but_one_worker_waiting() {
        let mut times = vec![10; 20];
        times.push(1000);
        let balance = Balance::of(&frames(&times), 21, 2).unwrap();
        assert!((balance.in_order - 1.1).abs() < 1e-9 && (balance.longest_first - 1.0).abs() < 1e-9, "{balance:?}");
        assert!(balance.loss() > 0.4 && balance.longest_index == 20, "{balance:?}");
        assert!(Balance::of(&frames(&[10; 20]), 20, 2).unwrap().loss() < 1e-9);
    }

    #[test]
    fn a_list_of_which_some_items_did_not_run_is_not_judged() {
        assert_eq!(Balance::of(&frames(&[10; 20]), 21, 2), None);
        assert_eq!(Balance::of(&[], 0, 2), None);
    }
}
