//! How throughput grows with the number of workers.
//!
//! - Operational bounds (P. J. Denning and J. P. Buzen, "The Operational Analysis of Queueing Network Models", 1978): `N`
//!   workers do at most `N` times what one does, and at most one item per `D`, where `D` is the time for which an item needs
//!   the one resource that everybody shares.
//! - G. M. Amdahl, "Validity of the Single Processor Approach to Achieving Large Scale Computing Capabilities", 1967:
//!   `S(N) = N / (1 + s (N - 1))`, where `s` is the serial share. Up to the number of cores.
//! - N. J. Gunther, "A General Theory of Computational Scalability Based on Rational Functions", 2008 (the Universal
//!   Scalability Law): `S(N) = N / (1 + s (N - 1) + k N (N - 1))`, where `k` is the cost of workers getting in each other's way.
//!   Its peak is at `sqrt((1 - s) / k)`. Fitted by least squares to `N / S - 1`, which is linear in `s` and `k`.

use super::interval::{Interval, median};
use serde::Serialize;

/// From so many widths on, the Universal Scalability Law is fitted.
const FEWEST_FOR_USL: usize = 5;

/// A fit explains at least this share of the variance of the speed-up.
const FITS: f64 = 0.9;

/// Throughputs that were measured at one width.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) width: usize,
    pub(super) throughputs: Vec<f64>,
}

/// What the widths say together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Law {
    /// The serial share up to the number of cores, by Amdahl's law.
    pub amdahl: Option<Interval>,
    /// The Universal Scalability Law, or why it is not fitted.
    pub usl: Result<Usl, String>,
}

/// The parameters of the Universal Scalability Law.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Usl {
    /// The serial share, `s`.
    pub serial: Interval,
    /// The share that grows with the square of the width, `k`.
    pub crosstalk: Interval,
    /// The width with the highest throughput; none if it grows without end.
    pub peak: Option<f64>,
    /// The share of the variance that it explains.
    pub explained: f64,
}

impl Law {
    /// Fits both laws.
    pub(super) fn fit(points: &[Point], cores: usize) -> Self {
        let within: Vec<&Point> = points.iter().filter(|point| point.width <= cores).collect();
        let amdahl = (within.len() >= 2 && within[0].width == 1).then(|| bootstrap(&within, amdahl));
        Self { amdahl, usl: usl(points) }
    }
}

/// What `width` workers do over what one does, by the Universal Scalability Law; without crosstalk, by Amdahl's.
pub fn speedup(width: f64, serial: f64, crosstalk: f64) -> f64 {
    width / (1.0 + serial * (width - 1.0) + crosstalk * width * (width - 1.0))
}

fn usl(points: &[Point]) -> Result<Usl, String> {
    if points.len() < FEWEST_FOR_USL || points[0].width != 1 {
        let text = format!("{} widths were measured, and it takes {FEWEST_FOR_USL}", points.len());
        return Err(text);
    }
    let all: Vec<&Point> = points.iter().collect();
    let measured: Vec<(f64, f64)> =
        points.iter().map(|point| (point.width as f64, median(&point.throughputs))).collect();
    let (serial, crosstalk) = gunther(&measured);
    let one = measured[0].1;
    let mean = measured.iter().map(|(_, rate)| rate / one).sum::<f64>() / measured.len() as f64;
    let (mut missed, mut total) = (0.0, 0.0);
    for (width, rate) in &measured {
        let fitted = speedup(*width, serial, crosstalk);
        missed += (rate / one - fitted).powi(2);
        total += (rate / one - mean).powi(2);
    }
    // Where nothing changes, there is nothing to explain.
    let explained = if total > 0.0 { 1.0 - missed / total } else { 1.0 };
    if explained < FITS {
        return Err(format!(
            "it explains {:.0}% of how throughput changes, and should {:.0}%",
            100.0 * explained.max(0.0),
            100.0 * FITS
        ));
    }
    let peak = (crosstalk > 1e-9 && serial < 1.0).then(|| ((1.0 - serial) / crosstalk).sqrt());
    Ok(Usl {
        serial: bootstrap(&all, |sample| gunther(sample).0),
        crosstalk: bootstrap(&all, |sample| gunther(sample).1),
        peak,
        explained,
    })
}

/// The serial share by least squares: `N / S - 1 = s (N - 1)`.
fn amdahl(points: &[(f64, f64)]) -> f64 {
    let one = points[0].1;
    let (mut above, mut below) = (0.0, 0.0);
    for (width, rate) in points {
        above += (width - 1.0) * (width * one / rate - 1.0);
        below += (width - 1.0).powi(2);
    }
    if below > 0.0 { (above / below).clamp(0.0, 1.0) } else { 0.0 }
}

/// Serial share and crosstalk by least squares; neither is negative.
fn gunther(points: &[(f64, f64)]) -> (f64, f64) {
    let one = points[0].1;
    let (mut aa, mut ab, mut bb, mut ay, mut by) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (width, rate) in points {
        let (a, b, y) = (width - 1.0, width * (width - 1.0), width * one / rate - 1.0);
        aa += a * a;
        ab += a * b;
        bb += b * b;
        ay += a * y;
        by += b * y;
    }
    let determinant = aa * bb - ab * ab;
    let (serial, crosstalk) = if determinant.abs() > f64::EPSILON {
        ((ay * bb - by * ab) / determinant, (aa * by - ab * ay) / determinant)
    } else {
        (0.0, 0.0)
    };
    // If one of them is negative, the best fit without it.
    match (serial < 0.0, crosstalk < 0.0) {
        (false, false) => (serial.min(1.0), crosstalk),
        (true, _) if bb > 0.0 => (0.0, (by / bb).max(0.0)),
        _ => ((ay / aa.max(f64::EPSILON)).clamp(0.0, 1.0), 0.0),
    }
}

/// The interval of a fit, by drawing from the measurements of each width.
fn bootstrap(points: &[&Point], fit: impl Fn(&[(f64, f64)]) -> f64) -> Interval {
    let mut random = fastrand::Rng::with_seed(0x5eed);
    let measured: Vec<(f64, f64)> =
        points.iter().map(|point| (point.width as f64, median(&point.throughputs))).collect();
    let mut fits: Vec<f64> = (0..500)
        .map(|_| {
            let sample: Vec<(f64, f64)> = points
                .iter()
                .map(|point| {
                    let rates = &point.throughputs;
                    let drawn: Vec<f64> = rates.iter().map(|_| rates[random.usize(..rates.len())]).collect();
                    (point.width as f64, median(&drawn))
                })
                .collect();
            fit(&sample)
        })
        .collect();
    fits.sort_by(f64::total_cmp);
    let best = fit(&measured);
    Interval { median: best, low: fits[12].min(best), high: fits[487].max(best) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(widths: &[usize], rate: impl Fn(f64) -> f64) -> Vec<Point> {
        let noise = [0.995, 1.0, 1.005];
        let rates = |width: f64| noise.iter().map(|noise| rate(width) * noise).collect();
        widths.iter().map(|width| Point { width: *width, throughputs: rates(*width as f64) }).collect()
    }

    #[test]
    fn the_parameters_of_a_law_are_found_again() {
        for (serial, crosstalk) in [(0.0, 0.0), (0.05, 0.0), (0.3, 0.0), (0.02, 0.001), (0.1, 0.01)] {
            let law = |width: f64| 70.0 * width / (1.0 + serial * (width - 1.0) + crosstalk * width * (width - 1.0));
            let fit = Law::fit(&points(&[1, 2, 3, 4, 6, 8, 12, 16], law), 4).usl.unwrap();
            assert!((fit.serial.median - serial).abs() < 0.01, "{serial} {fit:?}");
            assert!((fit.crosstalk.median - crosstalk).abs() < 0.001, "{crosstalk} {fit:?}");
            if crosstalk > 0.0 {
                let peak = ((1.0 - serial) / crosstalk).sqrt();
                assert!((fit.peak.unwrap() / peak - 1.0).abs() < 0.1, "{fit:?}");
            }
        }
    }

    #[test]
    fn amdahls_law_looks_at_the_cores_alone() {
        // Serial by a tenth up to four cores, then flat.
        let rate = |width: f64| width.min(4.0) / (1.0 + 0.1 * (width.min(4.0) - 1.0));
        let law = Law::fit(&points(&[1, 2, 4, 8], rate), 4);
        let amdahl = law.amdahl.unwrap();
        assert!((amdahl.median - 0.1).abs() < 0.01 && amdahl.low <= amdahl.high, "{amdahl:?}");
    }

    #[test]
    fn too_few_points_or_a_bad_fit_are_refused() {
        assert!(Law::fit(&points(&[1, 2, 3, 4], |width| width), 2).usl.unwrap_err().contains("4 widths"));
        let jagged = |width: f64| if (width as usize).is_multiple_of(2) { 3.0 } else { 1.0 };
        assert!(Law::fit(&points(&[1, 2, 3, 4, 5, 6], jagged), 2).usl.is_err());
        assert_eq!(Law::fit(&points(&[2, 4], |width| width), 4).amdahl, None);
    }
}
