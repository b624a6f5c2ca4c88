//! Compares a profile with an earlier one, which was saved as JSON.

use super::grid::Setup;
use super::interval::Interval;
use serde::{Deserialize, Serialize};

/// The version of a profile as JSON.
pub(super) const VERSION: u32 = 1;

/// The parts of an earlier profile that are compared.
#[derive(Debug, Deserialize)]
struct Earlier {
    version: u32,
    step: String,
    rows: Vec<EarlierRow>,
}

#[derive(Debug, Deserialize)]
struct EarlierRow {
    width: usize,
    batch_size: Option<usize>,
    threads: Option<usize>,
    rates: Vec<f64>,
}

/// The throughput of one combination of settings, now and then.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The settings.
    #[serde(flatten)]
    pub setup: Setup,
    /// The throughput of now over that of then.
    pub ratio: Interval,
    /// What that means.
    pub verdict: Verdict,
}

/// What became of a throughput.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is higher.
    Faster,
    /// It is lower.
    Slower,
    /// It may be the same: the interval holds 1, or the difference is below 2%.
    Same,
}

/// Compares throughputs of a step with an earlier profile. Only settings that both have are compared.
pub(super) fn compare(step: &str, rows: &[(Setup, &[f64])], earlier: &[u8]) -> Result<Vec<Compared>, String> {
    let earlier: Earlier = serde_json::from_slice(earlier).map_err(|error| format!("it isn't a profile: {error}"))?;
    if earlier.version != VERSION {
        return Err(format!("it has version {}, and this batchmill reads version {VERSION}", earlier.version));
    }
    if earlier.step != step {
        return Err(format!("it is of step `{}`", earlier.step));
    }
    let then = |setup: Setup| {
        let is_same = |row: &&EarlierRow| {
            (row.width, row.batch_size, row.threads) == (setup.width, setup.batch_size, setup.threads)
        };
        earlier.rows.iter().find(is_same).filter(|row| !row.rates.is_empty())
    };
    let compared = rows.iter().filter_map(|(setup, rates)| {
        let ratio = Interval::ratio(rates, &then(*setup)?.rates);
        let verdict = match ratio {
            Interval { low, median, .. } if low > 1.0 && median >= 1.02 => Verdict::Faster,
            Interval { high, median, .. } if high < 1.0 && median <= 0.98 => Verdict::Slower,
            _ => Verdict::Same,
        };
        Some(Compared { setup: *setup, ratio, verdict })
    });
    let compared: Vec<Compared> = compared.collect();
    if compared.is_empty() { Err("it has none of the settings that were tried now".to_owned()) } else { Ok(compared) }
}
