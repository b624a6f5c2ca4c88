//! The distribution of item times, in bins that grow by the same factor.

use crate::measure::ItemStats;
use serde::Serialize;

/// Bins per power of ten.
const PER_DECADE: i32 = 8;

/// How many items took between two times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// The shorter time, in seconds; it belongs to the bin.
    pub from: f64,
    /// The longer time, in seconds.
    pub to: f64,
    /// How many items.
    pub count: u64,
}

/// The bins from the quickest to the slowest item; empty ones in between included.
pub(super) fn bins(stats: &ItemStats) -> Vec<Bin> {
    let number = |nanoseconds: u64| (f64::from(PER_DECADE) * (nanoseconds.max(1) as f64).log10()).floor() as i32;
    let edge = |number: i32| 10_f64.powf(f64::from(number) / f64::from(PER_DECADE)) / 1e9;
    let Some(first) = stats.times().next().map(|(time, _)| number(time)) else { return Vec::new() };
    let mut bins: Vec<Bin> = Vec::new();
    for (time, count) in stats.times() {
        let at = usize::try_from(number(time) - first).unwrap_or(0);
        while bins.len() <= at {
            let next = first + i32::try_from(bins.len()).unwrap_or(i32::MAX);
            bins.push(Bin { from: edge(next), to: edge(next + 1), count: 0 });
        }
        bins[at].count += count;
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ItemTime;

    #[test]
    fn every_item_is_in_one_bin_that_its_time_fits() {
        let mut stats = ItemStats::default();
        for nanoseconds in [1_000, 1_000_000, 1_000_000, 2_000_000_000] {
            stats.take(ItemTime { first: 0, count: 1, nanoseconds });
        }
        let bins = bins(&stats);
        assert_eq!(bins.iter().map(|bin| bin.count).sum::<u64>(), 4);
        assert!(bins.windows(2).all(|pair| (pair[0].to - pair[1].from).abs() < 1e-12));
        let of = |seconds: f64| bins.iter().find(|bin| bin.from <= seconds && seconds < bin.to).unwrap().count;
        assert_eq!((of(1e-6), of(1.001e-3), of(2.001)), (1, 2, 1));
    }
}
