//! The lines that show a running step on a terminal.
//!
//! ```text
//! load   ━━━━━━━━━━━━━━╸─────────  61%  19/31 items  0.46/s  eta 26s
//!        failed 1 · retrying 1 · 2/2 busy · 1.2 GiB · slowest 2024-03.csv 14s
//! ```
//!
//! Pure: from what is known of the step and the width of the terminal to text with tones, without a clock or a terminal.

use super::format::{bytes, count, number, per_second};
use super::pace::short;
use super::progress::{Measure, SlowItem, StepProgress};
use crate::text::Printable;
use console::measure_text_width;
use std::time::Duration;

/// The narrowest terminal that has a second line.
const WIDE: usize = 60;

/// The width of a bar.
const BAR: std::ops::RangeInclusive<usize> = 8..=40;

/// The columns that the name of an item gets at least.
const ITEM_NAME: usize = 20;

/// What is between the facts of the second line.
pub(super) const SEPARATOR: &str = " · ";

/// What a part of a line tells; it decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Nothing of its own.
    Plain,
    /// What is done.
    Done,
    /// What is not done yet.
    Left,
    /// Failures.
    Failed,
    /// Retries.
    Retried,
}

/// A part of a line. It has no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// A line in parts.
pub(super) type Line = Vec<Part>;

fn part(text: impl Into<String>, tone: Tone) -> Part {
    Part { text: text.into(), tone }
}

/// The lines of a step on a terminal of this width, so long after its start.
pub(super) fn lines(progress: &StepProgress, columns: usize, now: Duration) -> Vec<Line> {
    let name = Printable::excerpt(progress.name.as_str(), (columns / 4).max(8)).to_string();
    let mut lines = vec![first(progress, &name, columns, now)];
    if columns >= WIDE {
        let indent = measure_text_width(&name) + 2;
        let second = second(progress, columns - indent, now);
        if !second.is_empty() {
            lines.push([vec![part(" ".repeat(indent), Tone::Plain)], second].concat());
        }
    }
    lines
}

/// What the first line says besides name and bar, in the order of the line. What goes first if there is no room has the
/// highest rank.
pub(super) fn facts(progress: &StepProgress, columns: usize, now: Duration) -> Vec<(u8, String)> {
    let (position, stats) = (progress.position, &progress.stats);
    let rate = progress.items_per_second().map(per_second);
    let percent = progress.percent().map(|percent| (0, format!("{percent:>3}%")));
    let eta = progress.eta().map(|eta| (1, eta.text()));
    let facts = match progress.measure {
        // A step without items of its own.
        Measure::Items(1) => vec![Some((1, short(now)))],
        Measure::Items(total) => {
            let unit = if columns >= WIDE { " items" } else { "" };
            // As wide as it will be: what grows would take room from the bar.
            let total = number(total);
            let items = format!("{:>width$}/{total}{unit}", number(position), width = total.len());
            vec![percent, Some((2, items)), rate.map(|rate| (4, rate)), eta]
        }
        Measure::Bytes(all) => {
            let read = format!("{}/{}", bytes(position), bytes(all));
            let rows = count(stats.settled(), "row");
            vec![percent, Some((2, rows)), Some((4, read)), rate.map(|rate| (3, rate)), eta]
        }
        Measure::Counter => {
            vec![Some((0, count(position, "item"))), rate.map(|rate| (4, rate)), Some((1, short(now)))]
        }
    };
    facts.into_iter().flatten().collect()
}

/// `load  ━━━━╸───  61%  19/31 items  0.46/s  eta 26s`
fn first(progress: &StepProgress, name: &str, columns: usize, now: Duration) -> Line {
    let mut facts = facts(progress, columns, now);
    let has_bar = progress.percent().is_some() && progress.measure != Measure::Items(1);
    // The last column stays free: some terminals begin a new line there.
    let room = columns.saturating_sub(1 + measure_text_width(name));
    let width = |facts: &[(u8, String)]| facts.iter().map(|(_, fact)| measure_text_width(fact) + 2).sum::<usize>();
    // Whatever the facts need: a bar that gives way to them would go back.
    let bar_width = if columns < WIDE { *BAR.start() } else { (room / 3).clamp(*BAR.start(), *BAR.end()) };
    let needed = if has_bar { bar_width + 2 } else { 0 };
    while facts.len() > 1 && width(&facts) + needed > room {
        let last = facts.iter().map(|(rank, _)| *rank).max();
        facts.retain(|(rank, _)| Some(*rank) != last);
    }
    let mut line = vec![part(name, Tone::Plain)];
    if needed > 0 && width(&facts) + needed <= room {
        line.push(part("  ", Tone::Plain));
        line.extend(bar(progress, bar_width));
    }
    line.extend(facts.into_iter().map(|(_, fact)| part(format!("  {fact}"), Tone::Plain)));
    line
}

/// A bar of this width. Its two halves differ in shape, for those who see no colours.
fn bar(progress: &StepProgress, width: usize) -> [Part; 2] {
    let all = match progress.measure {
        Measure::Items(all) | Measure::Bytes(all) => all,
        Measure::Counter => 0,
    };
    let halves = if all == 0 {
        2 * width
    } else {
        (2 * width as u128 * u128::from(progress.position) / u128::from(all)) as usize
    };
    let mut done = "━".repeat(halves / 2);
    if halves % 2 == 1 {
        done.push('╸');
    }
    let rest = width - halves.div_ceil(2);
    [part(done, Tone::Done), part("─".repeat(rest), Tone::Left)]
}

/// `failed 1 · retrying 1 · 2/2 busy · 1.2 GiB · slowest 2024-03.csv 14s`
pub(super) fn second(progress: &StepProgress, room: usize, now: Duration) -> Line {
    let (stats, load) = (&progress.stats, progress.load);
    // With their ranks: what goes first if there is no room has the highest.
    let mut facts = Vec::new();
    let mut counted = |rank: u8, word: &str, value: u64, tone| {
        if value > 0 {
            facts.push((rank, part(format!("{word} {}", number(value)), tone)));
        }
    };
    counted(0, "failed", stats.failed, Tone::Failed);
    counted(4, "retried", stats.retried, Tone::Retried);
    counted(3, "cancelled", stats.cancelled, Tone::Retried);
    counted(1, "retrying", load.map_or(0, |load| load.waiting), Tone::Retried);
    if load.is_some_and(|load| load.paused) {
        facts.insert(0, (0, part("paused", Tone::Retried)));
    }
    if let Some(load) = load {
        let busy = (load.busy_slots.round() as usize).min(progress.slots);
        facts.push((2, part(format!("{busy}/{} busy", progress.slots), Tone::Plain)));
        facts.push((3, part(bytes(load.memory), Tone::Plain)));
    }
    let width = |facts: &[(u8, Part)]| facts.iter().map(|(_, fact)| measure_text_width(&fact.text) + 3).sum::<usize>();
    if let Some((item, running)) = progress.slowest(now) {
        let running = short(running);
        let free = room.saturating_sub(width(&facts) + "slowest  ".len() + running.len() + 1);
        let name = item_name(progress, item, free.max(ITEM_NAME));
        facts.push((1, part(format!("slowest {name} {running}"), Tone::Plain)));
    }
    while width(&facts) >= room + 3 && !facts.is_empty() {
        let last = facts.iter().map(|(rank, _)| *rank).max();
        facts.retain(|(rank, _)| Some(*rank) != last);
    }
    let mut line = Line::new();
    for (_, fact) in facts {
        if !line.is_empty() {
            line.push(part(SEPARATOR, Tone::Plain));
        }
        line.push(fact);
    }
    line
}

/// What an item is called, in so many columns: a long path gives way to its last part. An item that is not known is `load[7]`.
fn item_name(progress: &StepProgress, slow: &SlowItem, columns: usize) -> Printable {
    let Some(text) = slow.item.as_deref().filter(|text| !text.is_empty()) else {
        let step = Printable::excerpt(progress.name.as_str(), ITEM_NAME);
        return Printable::line(format!("{step}[{}]", slow.index));
    };
    let is_path = !text.starts_with(['{', '[']) && !text.contains(char::is_whitespace);
    let last = text.rsplit('/').next().filter(|last| is_path && !last.is_empty()).unwrap_or(text);
    let fits = measure_text_width(Printable::line(text).as_str()) <= columns;
    Printable::excerpt(if fits { text } else { last }, columns)
}

/// `load 19/31 (61%) ok 18 failed 1 retrying 1 0.46/s eta 26s`: a step on one line, for logs.
pub(super) fn log_line(progress: &StepProgress, now: Duration) -> String {
    let stats = &progress.stats;
    let percent = progress.percent().map_or(String::new(), |percent| format!(" ({percent}%)"));
    let done = match progress.measure {
        Measure::Items(total) => format!("{}/{}", number(progress.position), number(total)),
        Measure::Bytes(all) => format!("{}/{}", bytes(progress.position), bytes(all)),
        Measure::Counter => number(progress.position),
    };
    let mut line = format!("{} {done}{percent} ok {}", progress.name, number(stats.succeeded));
    let mut add = |fact: String| line.extend([" ", &fact]);
    for (word, value) in [("failed", stats.failed), ("retrying", progress.load.map_or(0, |load| load.waiting))] {
        if value > 0 {
            add(format!("{word} {}", number(value)));
        }
    }
    if progress.load.is_some_and(|load| load.paused) {
        add("paused".to_owned());
    }
    progress.items_per_second().map(per_second).into_iter().for_each(&mut add);
    match progress.eta() {
        Some(eta) => add(eta.text()),
        None if progress.measure == Measure::Counter => add(short(now)),
        None => {}
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, StepLoad, StepName};

    const SECOND: Duration = Duration::from_secs(1);

    fn started(name: &str, total: Option<u64>, bytes: Option<u64>) -> StepProgress {
        let name = StepName::new(name).unwrap();
        let event = Event::StepStarted { name, total, done: 0, bytes, bytes_done: 0, slots: 2 };
        StepProgress::started(&event).unwrap()
    }

    /// A step that does so much in each second.
    fn running(mut progress: StepProgress, seconds: impl IntoIterator<Item = u64>) -> StepProgress {
        for (second, done) in (1..).zip(seconds) {
            progress.position += done;
            progress.stats.duration = SECOND * second;
            progress.note(SECOND * second);
        }
        progress
    }

    fn load(progress: &StepProgress, waiting: u64) -> Event {
        let load = StepLoad { busy_slots: 1.9, cores: 1.8, memory: 1_288_490_188, waiting, width: 2, paused: false };
        Event::StepLoad { name: progress.name.clone(), load }
    }

    /// What a terminal of this width shows, and that it fits.
    fn shown(progress: &StepProgress, columns: usize) -> String {
        let text = |line: &Line| line.iter().map(|part| part.text.as_str()).collect::<String>();
        let lines: Vec<String> = lines(progress, columns, SECOND * 41).iter().map(text).collect();
        assert!(lines.iter().all(|line| measure_text_width(line) < columns), "{columns}: {lines:#?}");
        lines.join("\n")
    }

    fn files() -> StepProgress {
        let mut step = running(started("load", Some(31), None), [0, 1].repeat(19));
        (step.stats.succeeded, step.stats.failed, step.stats.retried) = (18, 1, 2);
        step.follow(&load(&step, 1), SECOND * 38);
        step.follow(&slow(&step, Some("data/carriers/2024-03.csv")), SECOND * 38);
        step
    }

    fn slow(step: &StepProgress, item: Option<&str>) -> Event {
        let (name, item) = (step.name.clone(), item.map(str::to_owned));
        Event::ItemSlow { name, index: 7, item, running: SECOND * 11 }
    }

    #[test]
    fn a_step_of_items_at_three_widths() {
        let step = files();
        insta::assert_snapshot!(shown(&step, 40), @"load  ━━━━╸───   61%  19/31  eta 19-32s");
        insta::assert_snapshot!(shown(&step, 80), @r"
        load  ━━━━━━━━━━━━━━━──────────   61%  19/31 items  0.50/s  eta 19-32s
              failed 1 · retrying 1 · 2/2 busy · 1.2 GiB · slowest 2024-03.csv 14s
        ");
        insta::assert_snapshot!(shown(&step, 160), @r"
        load  ━━━━━━━━━━━━━━━━━━━━━━━━╸───────────────   61%  19/31 items  0.50/s  eta 19-32s
              failed 1 · retried 2 · retrying 1 · 2/2 busy · 1.2 GiB · slowest data/carriers/2024-03.csv 14s
        ");
        insta::assert_snapshot!(log_line(&step, SECOND * 41), @"load 19/31 (61%) ok 18 failed 1 retrying 1 0.50/s eta 19-32s");
    }

    #[test]
    fn the_slowest_item_is_named_as_well_as_there_is_room() {
        let named = |item: Option<&str>, columns: usize| {
            let mut step = started("load", Some(31), None);
            step.follow(&slow(&step, item), SECOND * 38);
            shown(&step, columns).lines().last().unwrap().trim().to_owned()
        };
        assert_eq!(named(None, 80), "slowest load[7] 14s");
        assert_eq!(named(Some(""), 80), "slowest load[7] 14s");
        assert_eq!(named(Some("two\nlines\u{1b}[2J \u{202e}"), 80), "slowest two… 14s");
        assert_eq!(named(Some("a\u{1b}[2J\u{202e}b"), 80), r"slowest a\x1b[2J\u{202e}b 14s");
        let long = format!("data/{}/2024-03.csv", "x".repeat(60));
        assert_eq!(named(Some(&long), 80), "slowest 2024-03.csv 14s");
        assert_eq!(named(Some(&long), 160), format!("slowest {long} 14s"));
        let row = format!("{{\"path\": \"a/b\", \"text\": \"{}\"}}", "y".repeat(90));
        assert!(named(Some(&row), 80).starts_with("slowest {\"path\": \"a/b\", \"text\": \"yyy"));
    }

    #[test]
    fn a_step_of_rows_at_three_widths() {
        let mut step = running(started("late", None, Some(12 << 30)), [100 << 20, 80 << 20, 110 << 20].repeat(6));
        step.stats.succeeded = 1_204_002;
        insta::assert_snapshot!(shown(&step, 40), @"late  ━───────   14%  eta 1m 48s");
        insta::assert_snapshot!(shown(&step, 80), @"late  ━━━╸─────────────────────   14%  1,204,002 rows  66,889/s  eta 1m 48s");
        insta::assert_snapshot!(shown(&step, 160), @"late  ━━━━━╸──────────────────────────────────   14%  1,204,002 rows  1.7 GiB/12.0 GiB  66,889/s  eta 1m 48s");
        insta::assert_snapshot!(log_line(&step, SECOND * 41), @"late 1.7 GiB/12.0 GiB (14%) ok 1,204,002 66,889/s eta 1m 48s");
    }

    #[test]
    fn steps_of_an_unknown_number_of_items_and_of_one() {
        let mut step = running(started("read", None, None), [600; 10]);
        step.stats.succeeded = 6000;
        insta::assert_snapshot!(shown(&step, 40), @"read  6,000 items  600/s  41s");
        insta::assert_snapshot!(shown(&step, 80), @"read  6,000 items  600/s  41s");
        insta::assert_snapshot!(shown(&started("train", Some(1), None), 80), @"train  41s");
        insta::assert_snapshot!(log_line(&step, SECOND * 41), @"read 6,000 ok 6,000 600/s 41s");
    }

    #[test]
    fn lines_fit_at_any_width() {
        let long = "x".repeat(90);
        for name in ["a", "load", "日本語の手順の名前はとても長いです", &long] {
            let mut step = running(started(name, Some(12_345_678), None), [1000, 2_000, 0, 30_000]);
            step.load = files().load;
            (step.stats.failed, step.stats.retried) = (123_456, 7);
            for columns in 20..=200 {
                shown(&step, columns);
            }
        }
    }

    #[test]
    fn no_bar_goes_back_because_a_fact_needs_more_room() {
        for columns in [40, 80, 160] {
            for (total, size) in [(Some(1200), None), (None, Some(1200 << 20))] {
                let (mut step, mut before) = (started("load", total, size), 0);
                for second in 1..=1200 {
                    step.position += if total.is_some() { 1 } else { 1 << 20 };
                    (step.stats.succeeded, step.stats.duration) = (second * 700, SECOND * second as u32);
                    step.note(SECOND * second as u32);
                    let done = shown(&step, columns).matches(['━', '╸']).count();
                    assert!(before <= done, "{columns} {second}: {}", shown(&step, columns));
                    before = done;
                }
            }
        }
    }

    #[test]
    fn a_bar_is_empty_at_first_and_full_at_the_end() {
        let bar = |position| {
            let mut step = started("a", Some(20), None);
            step.position = position;
            bar(&step, 10).map(|part| part.text).concat()
        };
        assert_eq!([0, 1, 2, 19, 20].map(bar), ["──────────", "╸─────────", "━─────────", "━━━━━━━━━╸", "━━━━━━━━━━"]);
    }
}
