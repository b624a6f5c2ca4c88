//! Numbers for people.
//!
//! Counts are indicatif's and sizes bytesize's. Durations are written here: indicatif's round to one unit (`2 minutes`), and
//! jiff's have no space between number and unit.

use indicatif::HumanCount;
use std::time::Duration;

/// `1204` as `1,204`.
pub fn number(value: u64) -> String {
    HumanCount(value).to_string()
}

/// `1 item`, `1,204 items`.
pub fn count(value: u64, unit: &str) -> String {
    let plural = match (value, unit.ends_with("ch")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {unit}{plural}", number(value))
}

/// `0 bytes`, `2.3 MiB`.
pub fn bytes(value: u64) -> String {
    if value < 1024 { count(value, "byte") } else { bytesize::ByteSize::b(value).display().iec().to_string() }
}

/// `3.2 items/s`, `60,200 items/s`. Large rates have no fraction.
pub fn rate(per_second: f64, unit: &str) -> String {
    if per_second < 10.0 {
        format!("{per_second:.1} {unit}/s")
    } else {
        format!("{} {unit}/s", number(per_second as u64))
    }
}

/// `60,200/s`, `3.2/s`, `0.46/s`, `1.2/min`: three digits at most tell a rate at a glance.
pub fn per_second(rate: f64) -> String {
    match rate {
        10.0.. => format!("{}/s", number(rate as u64)),
        1.0.. => format!("{rate:.1}/s"),
        0.1.. => format!("{rate:.2}/s"),
        _ if rate * 60.0 >= 0.1 => format!("{:.1}/min", rate * 60.0),
        _ => format!("{:.1}/h", rate * 3600.0),
    }
}

/// `1,204 of 9,812 items will run: 1,190 not run yet, 14 failed before`.
pub fn will_run(total: u64, reasons: &[(String, u64)]) -> String {
    let run: u64 = reasons.iter().map(|(_, count)| count).sum();
    let reasons: Vec<String> = reasons.iter().map(|(reason, count)| format!("{} {reason}", number(*count))).collect();
    let colon = if reasons.is_empty() { "" } else { ": " };
    format!("{} of {} items will run{colon}{}", number(run), number(total), reasons.join(", "))
}

/// `85 ms`, `1.3 s`, `2 min 5 s`, `3 h 20 min`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_204_000), "1,204,000");
        assert_eq!(count(1, "item"), "1 item");
        assert_eq!(count(2000, "item"), "2,000 items");
        assert_eq!(count(0, "batch"), "0 batches");
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(3_435_973_837), "3.2 GiB");
        assert_eq!(rate(3.24, "items"), "3.2 items/s");
        assert_eq!(rate(60_200.7, "rows"), "60,200 rows/s");
        let rates = [60_200.7, 10.0, 3.24, 0.456, 0.02, 0.001].map(per_second);
        assert_eq!(rates, ["60,200/s", "10/s", "3.2/s", "0.46/s", "1.2/min", "3.6/h"]);
        assert_eq!(duration(Duration::from_millis(85)), "85 ms");
        assert_eq!(duration(Duration::from_millis(1_260)), "1.3 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(duration(Duration::from_secs(12_000)), "3 h 20 min");
    }
}
