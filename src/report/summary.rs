//! The end of a run in a few lines; the last one is the next command.

use super::format::{count, duration, number, per_second, rate};
use super::highlights::Highlights;
use crate::causes::{FailureGroup, FailureGroups};
use crate::model::{RunSummary, Stats, Status, StepReport};
use crate::text::Printable;
use console::measure_text_width;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// How many groups of failures are shown.
const MOST_GROUPS: usize = 5;

/// From how many failures on they are grouped. Fewer were shown when they happened.
const GROUPED: u64 = 3;

/// A run that took longer is worth a report.
const LONG: Duration = Duration::from_secs(60);

/// The headings of the columns that go first where there is no room for all, in this order.
const SPARE: [&str; 6] = ["busy", "rate", "retried", "skipped", "bad rows", "unchanged"];

/// How much of an error is shown where there is no terminal.
const LONGEST_ERROR: usize = 200;

/// The lines for the end of a run of this workflow file, for a terminal of this width, if it is one.
pub fn summary(summary: &RunSummary, highlights: &Highlights, workflow: &Path, columns: Option<usize>) -> Printable {
    let run = Printable::line(&summary.run.0);
    let failed: u64 = summary.steps.iter().map(|step| step.stats.failed).sum();
    let how = match summary.status {
        Status::Succeeded => "succeeded",
        Status::Empty => "stopped: a step has no items",
        Status::Partial if failed == 0 => "finished; some items were cancelled",
        Status::Partial => "finished with failures",
        Status::Failed => "failed",
        Status::Interrupted | Status::Running => "was interrupted",
    };
    let mut text = format!("run {run} {how}");
    match &summary.steps[..] {
        steps @ ([] | [_]) => {
            text.push('\n');
            steps.iter().for_each(|step| {
                let _ = writeln!(text, "  {}  {}", step.name, step_line(step));
            });
        }
        steps => {
            // Nothing records when a run was killed.
            let took = Some(highlights.took).filter(|took| !took.is_zero());
            let took = took.map_or(String::new(), |took| format!(" in {}", duration(took)));
            let _ = writeln!(text, "{took}\n{}", steps_table(steps, highlights, columns));
        }
    }
    summary.steps.iter().for_each(|step| text.push_str(&stopped_by(step)));
    if highlights.failures.total() >= GROUPED {
        text.push_str(&groups(&highlights.failures, failed, columns));
    }
    let next = next(summary, workflow, failed >= GROUPED || highlights.took >= LONG);
    Printable::lines(format!("{text}next: {}", next.join("\n      ")))
}

/// How many lines of a traceback are shown: the last ones.
const MOST_DETAIL: usize = 12;

/// The failure that stopped a step, if one did.
fn stopped_by(step: &StepReport) -> String {
    match (step.status, &step.failure) {
        (Status::Failed, Some(failure)) => {
            // That of an item is among the failures. That of `setup` is nowhere else.
            let detail = failure.detail.as_deref().filter(|_| step.stats.failed == 0).unwrap_or_default();
            let lines: Vec<&str> = detail.lines().collect();
            let end = lines[lines.len().saturating_sub(MOST_DETAIL)..].iter().map(|line| format!("\n{line}"));
            let text = format!("{} stopped by {}: {}", step.name, failure.class, failure.message);
            let text = Printable::lines(text + &end.collect::<String>());
            format!("  {}\n", text.indented("    "))
        }
        _ => String::new(),
    }
}

/// What to type next; the first is the most likely.
fn next(summary: &RunSummary, workflow: &Path, more: bool) -> Vec<String> {
    let run = Printable::line(&summary.run.0);
    let failed: u64 = summary.steps.iter().map(|step| step.stats.failed).sum();
    let group = if failed >= GROUPED { "--group " } else { "" };
    let failures = format!("batchmill failures {group}{run}");
    let (resume, retry) = (format!("batchmill resume {run}"), format!("batchmill retry {run}"));
    let mut next = match summary.status {
        Status::Succeeded => vec![format!("batchmill results {run}")],
        Status::Empty => vec![format!("batchmill plan {}", shell_word(workflow))],
        Status::Partial if failed == 0 => vec![format!("batchmill retry --cancelled {run}")],
        Status::Partial if more => vec![failures, retry],
        Status::Partial => vec![failures],
        Status::Failed if failed > 0 && more => vec![failures, resume],
        Status::Failed if failed > 0 => vec![failures],
        Status::Failed | Status::Interrupted | Status::Running => vec![resume],
    };
    if more && summary.status != Status::Empty {
        next.push(format!("batchmill report {run}"));
    }
    next
}

/// A column of the table of steps: its heading, and a cell for each step. Right-aligned, but for the first.
struct Column(&'static str, Vec<String>);

/// What a column counts.
type Count = fn(&Stats) -> u64;

/// The steps as a table. Has no column in which nothing happened.
fn steps_table(steps: &[StepReport], highlights: &Highlights, room: Option<usize>) -> String {
    let cells = |cell: &dyn Fn(&StepReport) -> String| steps.iter().map(cell).collect::<Vec<_>>();
    let counts = |heading, count: Count| Column(heading, cells(&|step| number(count(&step.stats))));
    let rate = |step: &StepReport| {
        let rate = Some(step.stats.items_per_second()).filter(|rate| step.stats.ran() > 1 && *rate > 0.0);
        rate.map_or(String::new(), per_second)
    };
    let busy =
        |step: &StepReport| highlights.busy(&step.name).map_or(String::new(), |busy| format!("{:.0}%", busy * 100.0));
    let mut columns = vec![
        Column("step", cells(&|step| step.name.to_string())),
        counts("items", |stats| stats.total),
        counts("ok", |stats| stats.succeeded),
    ];
    let all: [(&'static str, Count); 6] = [
        ("failed", |stats| stats.failed),
        ("retried", |stats| stats.retried),
        ("unchanged", |stats| stats.unchanged),
        ("bad rows", |stats| stats.bad_rows),
        ("cancelled", |stats| stats.cancelled),
        ("skipped", |stats| stats.skipped),
    ];
    let happened = all.into_iter().filter(|(_, count)| steps.iter().any(|step| count(&step.stats) > 0));
    columns.extend(happened.map(|(heading, count)| counts(heading, count)));
    let time = |step: &StepReport| {
        let took = Some(step.stats.duration).filter(|took| !took.is_zero());
        took.map_or(String::new(), duration)
    };
    columns.push(Column("time", cells(&time)));
    let last = [Column("rate", cells(&rate)), Column("busy", cells(&busy))];
    columns.extend(last.into_iter().filter(|Column(_, cells)| cells.iter().any(|cell| !cell.is_empty())));
    let fits =
        |columns: &[Column]| room.is_none_or(|room| columns.iter().map(|it| width(it) + 2).sum::<usize>() < room);
    for spare in SPARE {
        if !fits(&columns) {
            columns.retain(|Column(heading, _)| *heading != spare);
        }
    }
    let rows = 0..=steps.len();
    let lines: Vec<String> = rows.map(|row| columns.iter().map(|column| cell(column, row)).collect()).collect();
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// The cell of a row with the space before it; row 0 is the headings.
fn cell(column: &Column, row: usize) -> String {
    let Column(heading, cells) = column;
    let text = if row == 0 { heading } else { cells[row - 1].as_str() };
    let room = " ".repeat(width(column) - measure_text_width(text));
    if *heading == "step" { format!("  {text}{room}") } else { format!("  {room}{text}") }
}

fn width(Column(heading, cells): &Column) -> usize {
    cells.iter().map(String::as_str).chain([*heading]).map(measure_text_width).max().unwrap_or(0)
}

/// The largest groups of failures, with an item of each. `all` are the failures of the run: earlier executions may have had more.
fn groups(failures: &FailureGroups, all: u64, columns: Option<usize>) -> String {
    let largest = failures.largest();
    let causes = count(largest.len() as u64, "cause");
    let more = if failures.other() > 0 { " and more" } else { "" };
    let now = if failures.total() == all { "" } else { " this time" };
    let mut text = format!("  {}{now}, {causes}{more}\n", count(failures.total(), "failure"));
    let shown = &largest[..largest.len().min(MOST_GROUPS)];
    let sample = |group: &FailureGroup| format!("{}[{}]", group.step, group.samples[0]);
    let widest =
        |cell: &dyn Fn(&FailureGroup) -> String| shown.iter().map(|group| measure_text_width(&cell(group))).max();
    let counts = widest(&|group| number(group.count)).unwrap_or(0);
    let samples = widest(&sample).unwrap_or(0);
    let room = columns.map_or(LONGEST_ERROR, |columns| columns.saturating_sub(counts + samples + 9).max(12));
    for group in shown {
        let (count, sample) = (number(group.count), sample(group));
        let gap = " ".repeat(samples - measure_text_width(&sample));
        let error = Printable::excerpt(format!("{}: {}", group.class, group.message()), room);
        let _ = writeln!(text, "    {count:>counts$}  {sample}{gap}  {error}");
    }
    let rest: u64 = largest.iter().skip(MOST_GROUPS).map(|group| group.count).sum::<u64>() + failures.other();
    if rest > 0 {
        let _ = writeln!(text, "    {:>counts$}  of other causes", number(rest));
    }
    text
}

/// What stopped the run, if nothing else was shown.
pub fn stop_error(summary: &RunSummary) -> Option<Printable> {
    let step = summary.steps.last()?;
    match (summary.status, &step.failure) {
        (Status::Failed, Some(failure)) => {
            let text = format!("error: step `{}` stopped: {}: {}", step.name, failure.class, failure.message);
            Some(Printable::lines(text).indented("  "))
        }
        (Status::Empty, _) => Some(Printable::line(format!("error: step `{}` has no items", step.name))),
        _ => None,
    }
}

/// A path, quoted for a shell.
pub fn shell_word(path: &Path) -> String {
    let path = path.display().to_string();
    // A path cannot contain NUL, the only thing that cannot be quoted.
    shlex::try_quote(&path).map_or_else(|_| path.clone(), Into::into)
}

/// `31 items, 1 failed in 1 min 8 s (0.5 items/s)`
pub(super) fn step_line(step: &StepReport) -> String {
    let stats = &step.stats;
    let mut line = count(stats.total, "item");
    let mut part = |value: u64, word: &str| {
        if value > 0 {
            let _ = write!(line, ", {} {word}", number(value));
        }
    };
    part(stats.failed, "failed");
    part(stats.unchanged, "unchanged");
    part(stats.bad_rows, if stats.bad_rows == 1 { "bad row skipped" } else { "bad rows skipped" });
    part(stats.cancelled, "cancelled");
    part(stats.skipped, "skipped");
    part(stats.retried, "retried");
    if stats.duration.is_zero() {
        return line;
    }
    let _ = write!(line, " in {}", duration(stats.duration));
    if stats.ran() > 1 {
        let _ = write!(line, " ({})", rate(stats.items_per_second(), "items"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::FailureText;
    use crate::model::{Event, Failure, FailureKind, RunId, StepLoad, StepName};

    fn end(status: Status, failure: Option<Failure>) -> RunSummary {
        let stats =
            Stats { total: 1200, succeeded: 1198, failed: 2, duration: Duration::from_secs(2), ..Stats::default() };
        let name = StepName::new("resize").unwrap();
        let step = StepReport { name, status, stats, failure };
        RunSummary { run: RunId("r1".to_owned()), status, steps: vec![step] }
    }

    #[test]
    fn the_end_of_a_run_says_what_failed_and_what_to_type_next() {
        insta::assert_snapshot!(summary(&end(Status::Partial, None), &Highlights::default(), Path::new("a.yaml"), None), @r"
        run r1 finished with failures
          resize  1,200 items, 2 failed in 2.0 s (600 items/s)
        next: batchmill failures r1
        ");
    }

    #[test]
    fn the_next_command_can_be_pasted() {
        let text =
            summary(&end(Status::Empty, None), &Highlights::default(), Path::new("my orders.yaml"), None).to_string();
        assert!(text.ends_with("\nnext: batchmill plan 'my orders.yaml'"), "{text}");
    }

    #[test]
    fn a_failure_that_stopped_the_run_cannot_pose_as_another_line() {
        let failure = Failure::new(FailureKind::Exception, "Error", "bad\nrun r1 succeeded\u{1b}[1A");
        let end = end(Status::Failed, Some(failure));
        insta::assert_snapshot!(summary(&end, &Highlights::default(), Path::new("a.yaml"), None), @r"
        run r1 failed
          resize  1,200 items, 2 failed in 2.0 s (600 items/s)
          resize stopped by Error: bad
            run r1 succeeded\x1b[1A
        next: batchmill failures r1
        ");
    }

    /// The end of a run of two steps, some of whose items failed.
    fn two_steps() -> (RunSummary, Highlights) {
        let step = |name: &str, stats| StepReport {
            name: StepName::new(name).unwrap(),
            status: Status::Partial,
            stats,
            failure: None,
        };
        let seconds = Duration::from_secs;
        let load = Stats { total: 31, succeeded: 30, failed: 1, retried: 2, duration: seconds(68), ..Stats::default() };
        let price = Stats { total: 2000, succeeded: 1994, failed: 6, duration: seconds(4), ..Stats::default() };
        let steps = vec![step("load", load), step("price", price)];
        let mut highlights = Highlights::default();
        highlights.took = seconds(72);
        let name = steps[0].name.clone();
        let load = StepLoad { busy_slots: 1.86, width: 2, ..StepLoad::default() };
        let started =
            Event::StepStarted { name: name.clone(), total: None, done: 0, bytes: None, bytes_done: 0, slots: 2 };
        highlights.keep(&started);
        for _ in 0..2 {
            highlights.keep(&Event::StepLoad { name: name.clone(), load });
        }
        let mut fail = |step: &StepReport, index, class: &str, message: &str| {
            highlights.failures.add(FailureText { step: &step.name, index, class, message });
        };
        fail(&steps[0], 7, "ParserError", "expected 19 fields in line 6, saw 21");
        for index in 412..418 {
            fail(&steps[1], index, "ValueError", &format!("could not convert string to float: '{index}\u{1b}[1A\n'"));
        }
        (RunSummary { run: RunId("r1".to_owned()), status: Status::Partial, steps }, highlights)
    }

    #[test]
    fn several_steps_are_a_table_and_many_failures_are_grouped() {
        let (end, highlights) = two_steps();
        let shown = |columns| summary(&end, &highlights, Path::new("a.yaml"), columns);
        insta::assert_snapshot!(shown(Some(40)), @r"
        run r1 finished with failures in 1 min 12 s
          step   items     ok  failed       time
          load      31     30       1  1 min 8 s
          price  2,000  1,994       6      4.0 s
          7 failures, 2 causes
            6  price[412]  ValueError: could n…
            1  load[7]     ParserError: expect…
        next: batchmill failures --group r1
              batchmill retry r1
              batchmill report r1
        ");
        insta::assert_snapshot!(shown(Some(80)), @r"
        run r1 finished with failures in 1 min 12 s
          step   items     ok  failed  retried       time    rate  busy
          load      31     30       1        2  1 min 8 s  0.46/s   93%
          price  2,000  1,994       6        0      4.0 s   500/s
          7 failures, 2 causes
            6  price[412]  ValueError: could not convert string to float: '…'
            1  load[7]     ParserError: expected 19 fields in line 6, saw 21
        next: batchmill failures --group r1
              batchmill retry r1
              batchmill report r1
        ");
        insta::assert_snapshot!(shown(Some(160)), @r"
        run r1 finished with failures in 1 min 12 s
          step   items     ok  failed  retried       time    rate  busy
          load      31     30       1        2  1 min 8 s  0.46/s   93%
          price  2,000  1,994       6        0      4.0 s   500/s
          7 failures, 2 causes
            6  price[412]  ValueError: could not convert string to float: '…'
            1  load[7]     ParserError: expected 19 fields in line 6, saw 21
        next: batchmill failures --group r1
              batchmill retry r1
              batchmill report r1
        ");
        insta::assert_snapshot!(shown(None), @r"
        run r1 finished with failures in 1 min 12 s
          step   items     ok  failed  retried       time    rate  busy
          load      31     30       1        2  1 min 8 s  0.46/s   93%
          price  2,000  1,994       6        0      4.0 s   500/s
          7 failures, 2 causes
            6  price[412]  ValueError: could not convert string to float: '…'
            1  load[7]     ParserError: expected 19 fields in line 6, saw 21
        next: batchmill failures --group r1
              batchmill retry r1
              batchmill report r1
        ");
    }

    #[test]
    fn failures_without_a_cause_of_their_own_are_counted() {
        let (mut end, mut highlights) = two_steps();
        end.steps.remove(0);
        for (index, word) in (0..).zip(["one", "two", "three", "four", "five"]) {
            let (step, message) = (&end.steps[0].name, word);
            highlights.failures.add(FailureText { step, index, class: "E", message });
        }
        insta::assert_snapshot!(summary(&end, &highlights, Path::new("a.yaml"), None), @r"
        run r1 finished with failures
          price  2,000 items, 6 failed in 4.0 s (500 items/s)
          12 failures this time, 7 causes
            6  price[412]  ValueError: could not convert string to float: '…'
            1  load[7]     ParserError: expected 19 fields in line 6, saw 21
            1  price[0]    E: one
            1  price[1]    E: two
            1  price[2]    E: three
            2  of other causes
        next: batchmill failures --group r1
              batchmill retry r1
              batchmill report r1
        ");
    }
}
