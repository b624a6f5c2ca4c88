//! Quantiles of numbers that are all there.
//!
//! Between two numbers they are interpolated, by definition 7 of R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical
//! Packages", The American Statistician 50 (1996), 361-365, which numpy, pandas and R use unless told otherwise.

/// The quantile of sorted numbers at a share from 0 to 1; none of no numbers.
pub(super) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = last as f64 * share;
    let (below, part) = (at.floor(), at.fract());
    let below = (below as usize).min(last);
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    let distance = high - low;
    // From the nearer of the two, as numpy does it.
    Some(if part < 0.5 { low + distance * part } else { high - distance * (1.0 - part) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        let numbers = [1.0, 2.0, 4.0, 8.0];
        let of = |share| quantile(&numbers, share).unwrap();
        assert_eq!([of(0.0), of(0.25), of(0.5), of(0.75), of(1.0)], [1.0, 1.75, 3.0, 5.0, 8.0]);
        assert_eq!((quantile(&[7.0], 0.3), quantile(&[], 0.3)), (Some(7.0), None));
    }
}
