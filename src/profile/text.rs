//! A profile as text.

use super::advice::{Change, Key};
use super::against::{Compared, Verdict};
use super::grid::Setup;
use super::interval::Interval;
use super::outcome::{Outcome, Row};
use super::words::{counted, percent, rate};
use crate::text::Printable;
use std::fmt::Write;

/// How many packages and libraries are named.
const MOST_CODE: usize = 6;

/// The profile, for a terminal. `file` is the workflow file as the user would type it.
pub fn text(outcome: &Outcome, file: &str) -> String {
    let mut text = format!("{} {}.\n{}\n", outcome.step, outcome.why, advised(outcome, file));
    table(outcome, &mut text);
    text.push('\n');
    if let Some(own) = own(outcome) {
        let times = own.states.iter().filter(|(name, share)| **share >= 0.005 && !["held", "parked"].contains(*name));
        let mut times: Vec<(&str, f64)> = times.map(|(name, share)| (*name, *share)).collect();
        times.sort_by(|left, right| right.1.total_cmp(&left.1));
        line(&mut text, "where the workers' time went", &times);
        let mut inside =
            vec![("on the CPU", own.on_cpu), ("waiting for a core", own.runnable), ("waiting", own.blocked)];
        inside.retain(|(_, share)| *share >= 0.005);
        line(&mut text, "what it was", &inside);
        if let Some([decode, task, encode]) = own.inside {
            line(
                &mut text,
                "inside the task",
                &[("your code", task), ("making its items", decode), ("packing results", encode)],
            );
        }
        if let Some([connect, wait, transfer]) = own.requests {
            let parts = [("opening connections", connect), ("waiting", wait), ("sending and receiving", transfer)];
            line(&mut text, "inside the requests", &parts);
        }
        if let Some(sampled) = &outcome.sampled {
            let code = sampled.code.iter().filter(|(_, share)| *share >= 0.005).take(MOST_CODE);
            let code: Vec<(String, f64)> =
                code.map(|(name, share)| (Printable::line(name).to_string(), *share)).collect();
            let code: Vec<(&str, f64)> = code.iter().map(|(name, share)| (name.as_str(), *share)).collect();
            line(&mut text, "code that used the CPU", &code);
        }
    }
    text.push_str(&laws(outcome));
    compared(outcome, &mut text);
    for note in &outcome.notes {
        let _ = writeln!(text, "  {note}");
    }
    let whole = if outcome.is_whole { "all " } else { "" };
    let _ = writeln!(
        text,
        "  {} of {whole}{}, {:.0} s",
        counted(outcome.trials, "trial"),
        counted(outcome.sample, "item"),
        outcome.seconds
    );
    text
}

fn own(outcome: &Outcome) -> Option<&Row> {
    outcome.rows.iter().find(|row| row.setup == outcome.own)
}

/// What to change, in lines. `file` is the workflow file as the user would type it.
pub fn advised(outcome: &Outcome, file: &str) -> String {
    let mut text = String::new();
    let Some(advice) = &outcome.advice else {
        let best = outcome.rows.iter().filter(|row| row.setup.width > outcome.own.width && row.setup.threads.is_none());
        let wider = best.min_by_key(|row| (row.setup.width, row.setup.batch_size != outcome.own.batch_size));
        let _ = match (wider, own(outcome)) {
            (Some(wider), Some(own)) => {
                let ratio = Interval::ratio(&wider.rates, &own.rates);
                writeln!(
                    text,
                    "Nothing to change: {} would run at {}.",
                    counted(wider.setup.width, "worker"),
                    times(&ratio)
                )
            }
            _ => writeln!(text, "Nothing to change."),
        };
        return text;
    };
    let what = match advice.changes.first().map(|change| (&change.key, &change.to)) {
        Some((Key::MaxParallel, to)) => format!("Use {}", counted(to.parse().unwrap_or(0), "worker")),
        Some((Key::BatchSize, to)) => format!("Use batches of {to}"),
        _ => "Limit the threads of libraries".to_owned(),
    };
    let _ = writeln!(text, "{what}: {}.\n", times(&advice.gain));
    for Change { key, from, to } in &advice.changes {
        let (key, within) = (key.name(), if matches!(key, Key::Env(_)) { "  # in `env`" } else { "" });
        if !from.is_empty() {
            let _ = writeln!(text, "  - {key}: {from}");
        }
        let _ = writeln!(text, "  + {key}: {to}{within}");
    }
    let _ = writeln!(text, "\n  or: batchmill profile {file} --step {} --apply", outcome.step);
    text
}

/// `5.6x (5.1x to 6.0x)`
fn times(ratio: &Interval) -> String {
    format!("{:.2}x ({:.2}x to {:.2}x)", ratio.median, ratio.low, ratio.high)
}

fn table(outcome: &Outcome, text: &mut String) {
    let has = |differs: fn(&Setup, &Setup) -> bool| outcome.rows.iter().any(|row| differs(&row.setup, &outcome.own));
    let (sizes, threads) =
        (has(|row, own| row.batch_size != own.batch_size), has(|row, own| row.threads != own.threads));
    let _ = write!(text, "  {:>7}", "workers");
    if sizes {
        let _ = write!(text, "  {:>10}", "batch_size");
    }
    if threads {
        let _ = write!(text, "  {:>7}", "threads");
    }
    let _ = writeln!(text, "  {:>9}  {:>8}  {:>10}  {:>8}", "items/s", "speed-up", "efficiency", "CPU busy");
    let best = best(outcome.own, outcome.rows.iter().map(|row| (row.setup, row.throughput.median)));
    for (at, row) in outcome.rows.iter().enumerate() {
        let _ = write!(text, "  {:>7}", row.setup.width);
        if sizes {
            let _ = write!(text, "  {:>10}", row.setup.batch_size.map_or("auto".to_owned(), |size| size.to_string()));
        }
        if threads {
            let _ = write!(text, "  {:>7}", row.setup.threads.map_or("as set".to_owned(), |count| count.to_string()));
        }
        let or_none = |value: Option<String>| value.unwrap_or_default();
        let _ = write!(
            text,
            "  {:>9}  {:>8}  {:>10}  {:>8}",
            rate(row.throughput.median),
            or_none(row.speedup.map(|value| format!("{value:.1}x"))),
            or_none(row.efficiency.map(percent)),
            percent(row.cores_used / outcome.cores as f64),
        );
        let marks = [(Some(at) == best, "best"), (row.setup == outcome.own, "now")];
        let marks: Vec<&str> = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
        if !marks.is_empty() {
            let _ = write!(text, "  {}", marks.join(", "));
        }
        text.push('\n');
    }
}

/// The first row that is about as fast as any, of those that differ from the file in one setting: only these are measured more
/// than once.
fn best(own: Setup, rows: impl Iterator<Item = (Setup, f64)> + Clone) -> Option<usize> {
    let differences = |setup: Setup| {
        let differs = [setup.width != own.width, setup.batch_size != own.batch_size, setup.threads != own.threads];
        differs.into_iter().filter(|differs| *differs).count()
    };
    let rates = rows.map(|(setup, rate)| if differences(setup) <= 1 { rate } else { 0.0 });
    let fastest = rates.clone().fold(0.0, f64::max);
    rates.enumerate().find(|(_, rate)| *rate > 0.0 && *rate >= 0.97 * fastest).map(|(at, _)| at)
}

fn line(text: &mut String, name: &str, shares: &[(&str, f64)]) {
    let shares: Vec<String> = shares.iter().map(|(name, share)| format!("{name} {}", percent(*share))).collect();
    let _ = writeln!(text, "  {name:<32}  {}", shares.join(", "));
}

/// How it compares with an earlier profile.
fn compared(outcome: &Outcome, text: &mut String) {
    for Compared { setup, ratio, verdict } in outcome.against.iter().flatten() {
        let verdict = match verdict {
            Verdict::Faster => "faster",
            Verdict::Slower => "slower",
            Verdict::Same => "no difference beyond noise",
        };
        let size = setup.batch_size.filter(|_| setup.batch_size != outcome.own.batch_size);
        let size = size.map_or(String::new(), |size| format!(", batches of {size}"));
        let threads = setup.threads.map_or(String::new(), |threads| format!(", {}", counted(threads, "thread")));
        let name = format!("{}{size}{threads}, against then", counted(setup.width, "worker"));
        let _ = writeln!(text, "  {name:<32}  {}: {verdict}", times(ratio));
    }
}

fn laws(outcome: &Outcome) -> String {
    let share = |interval: &Interval| {
        format!("{} ({} to {})", percent(interval.median), percent(interval.low), percent(interval.high))
    };
    let mut text = String::new();
    if let Some(amdahl) = &outcome.law.amdahl {
        let _ = writeln!(text, "  {:<32}  serial share {}", "Amdahl's law, up to the cores", share(amdahl));
    }
    let usl = match &outcome.law.usl {
        Ok(usl) => {
            let peak = usl.peak.map_or("none".to_owned(), |peak| format!("at {peak:.0} workers"));
            format!("serial share {}, crosstalk {}, peak {peak}", share(&usl.serial), share(&usl.crosstalk))
        }
        Err(why) => format!("not fitted: {why}"),
    };
    let _ = writeln!(text, "  {:<32}  {usl}", "Universal Scalability Law");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_row_differs_from_the_file_in_one_setting() {
        let setup = |width, size| Setup { width, batch_size: Some(size), threads: None };
        let rows = [(2, 1, 100.0), (4, 1, 195.0), (8, 1, 198.0), (2, 10, 150.0), (8, 10, 400.0)];
        let rows = rows.map(|(width, size, rate)| (setup(width, size), rate));
        assert_eq!(best(setup(2, 1), rows.into_iter()), Some(1));
        assert_eq!(best(setup(2, 10), rows.into_iter()), Some(4));
        assert_eq!(best(setup(2, 1), rows[4..].iter().copied()), None);
    }
}
