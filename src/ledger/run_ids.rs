//! IDs of new runs: the time at the beginning, so that their order is the order of their starts.

use crate::model::RunId;
use jiff::civil::DateTime;
use jiff::{Timestamp, ToSpan as _};

/// The digits of the time in an ID, with the hyphen between date and time.
const LENGTH: usize = 18;

/// The time at the beginning of a new run's ID. If the clock was set back, this is the time after that of the newest run, so that
/// no run comes before one that was started earlier.
pub(super) fn time_of_next(now: Timestamp, others: impl Iterator<Item = RunId>) -> String {
    let now = now.strftime("%Y%m%d-%H%M%S%3f").to_string();
    let times = others.filter_map(|run| Some((time_of(&run.0)?, run.0.get(..LENGTH)?.to_owned())));
    match times.max().filter(|(_, newest)| now <= *newest) {
        Some((time, newest)) => time.checked_add(1.millisecond()).map_or(newest, text),
        None => now,
    }
}

fn text(time: DateTime) -> String {
    time.strftime("%Y%m%d-%H%M%S%3f").to_string()
}

/// The time at the beginning of an ID, if it has one.
fn time_of(run: &str) -> Option<DateTime> {
    let time = run.get(..LENGTH).filter(|_| run.get(LENGTH..=LENGTH) == Some("-"))?;
    let (seconds, milliseconds) = (time.get(..LENGTH - 3)?, time.get(LENGTH - 3..)?);
    let milliseconds: u16 = milliseconds.parse().ok()?;
    let time = DateTime::strptime("%Y%m%d-%H%M%S", seconds).ok()?;
    time.checked_add(i64::from(milliseconds).milliseconds()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(others: &[&str]) -> String {
        let now: Timestamp = "2026-11-28T01:02:03.456Z".parse().unwrap();
        time_of_next(now, others.iter().map(|run| RunId((*run).to_owned())))
    }

    #[test]
    fn a_new_run_comes_after_all_others_whatever_the_clock_says() {
        assert_eq!(next(&[]), "20261128-010203456");
        assert_eq!(next(&["20261128-010203455-a-x", "latest", "20269999-999999999-b-y"]), "20261128-010203456");
        assert_eq!(next(&["20261128-010203456-a-x"]), "20261128-010203457");
        assert_eq!(next(&["20270101-235959999-ä-x", "20261201-000000000-b-y"]), "20270102-000000000");
        // No later date can be written.
        assert_eq!(next(&["99991231-235959999-a-x"]), "99991231-235959999");
    }
}
