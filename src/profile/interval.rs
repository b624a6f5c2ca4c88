//! A value that was measured several times.

use serde::Serialize;

/// How often values are drawn again. The ends of an interval are then known to about a hundredth of their rank.
const DRAWS: usize = 1000;

/// A median with its interval: where the median of as many measurements would be in 95 of 100 cases, by the percentile
/// bootstrap (B. Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979). Few measurements give a wide one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The median.
    pub median: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Of some function of several series of measurements.
    pub(super) fn of<const N: usize>(series: [&[f64]; N], function: impl Fn([f64; N]) -> f64) -> Self {
        let medians = series.map(median);
        // The same draws each time, so that the same measurements give the same interval.
        let mut random = fastrand::Rng::with_seed(0x5eed);
        let mut drawn: Vec<f64> =
            (0..DRAWS).map(|_| function(series.map(|values| drawn(values, &mut random)))).collect();
        drawn.retain(|value| value.is_finite());
        drawn.sort_by(f64::total_cmp);
        let at = |share: f64| drawn.get((share * (drawn.len().max(1) - 1) as f64).round() as usize).copied();
        let median = function(medians);
        Self { median, low: at(0.025).unwrap_or(median).min(median), high: at(0.975).unwrap_or(median).max(median) }
    }

    /// Of one series.
    pub(super) fn median(values: &[f64]) -> Self {
        Self::of([values], |[value]| value)
    }

    /// Of the ratio of two.
    pub(super) fn ratio(above: &[f64], below: &[f64]) -> Self {
        Self::of([above, below], |[above, below]| above / below)
    }

    /// Half of its width as a share of the median.
    pub(super) fn spread(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { (self.high - self.low) / 2.0 / self.median.abs() }
    }
}

/// The median of values; 0 of none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        count if count % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The median of as many values, drawn with replacement.
fn drawn(values: &[f64], random: &mut fastrand::Rng) -> f64 {
    let values: Vec<f64> = values.iter().map(|_| values[random.usize(..values.len())]).collect();
    median(&values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_the_median_and_grows_with_the_noise() {
        let calm = Interval::median(&[10.0, 10.1, 9.9, 10.0, 10.05]);
        let noisy = Interval::median(&[10.0, 14.0, 6.0, 11.0, 8.0]);
        assert!(calm.low <= calm.median && calm.median <= calm.high);
        assert!(noisy.spread() > 10.0 * calm.spread(), "{noisy:?} {calm:?}");
        assert_eq!(Interval::median(&[3.0]), Interval { median: 3.0, low: 3.0, high: 3.0 });
        let ratio = Interval::ratio(&[20.0, 20.0], &[10.0, 10.0]);
        assert_eq!((ratio.median, ratio.low, ratio.high), (2.0, 2.0, 2.0));
    }

    #[test]
    fn the_middle_of_an_even_number_is_between_two() {
        assert_eq!((median(&[1.0, 3.0]), median(&[5.0, 1.0, 3.0]), median(&[])), (2.0, 3.0, 0.0));
    }
}
