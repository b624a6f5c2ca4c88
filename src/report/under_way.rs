//! How a run in progress looks to people: on its own terminal, and in `status` on another one.

use super::bar_text::{Line, Part, Tone, lines, log_line};
use super::format::duration;
use super::noted::Noted;
use super::progress::StepProgress;
use super::step_words::{StepWords, words};
use super::summary::step_line;
use crate::model::{Event, RunId, Stats, StepName, StepReport};
use crate::text::Printable;
use console::{StyledObject, style};
use std::time::Duration;

/// How many steps that are over stay above the bar.
pub(super) const MOST_STEPS: usize = 5;

/// The lines on a terminal of this width: the steps that are over, then the running one, so long after its start.
pub(super) fn screen(over: &[StepReport], running: Option<(&StepProgress, Duration)>, columns: usize) -> Vec<Line> {
    let over = over[over.len().saturating_sub(MOST_STEPS)..].iter().map(|report| {
        let text = Printable::excerpt(over_line(report), columns.saturating_sub(1)).to_string();
        vec![Part { text, tone: Tone::Plain }]
    });
    let running = running.map_or_else(Vec::new, |(step, now)| lines(step, columns, now));
    over.chain(running).collect()
}

fn over_line(report: &StepReport) -> String {
    format!("{}  {}", report.name, step_line(report))
}

/// The line in the colours of a terminal, if it has any and the user wants them. `to` says which terminal.
pub(super) fn painted<'a>(line: &'a Line, to: impl Fn(StyledObject<&'a str>) -> StyledObject<&'a str>) -> String {
    let paint = |Part { text, tone }: &'a Part| {
        let text = to(style(text.as_str()));
        match tone {
            Tone::Plain => text,
            Tone::Done => text.cyan(),
            Tone::Left => text.dim(),
            Tone::Failed => text.red(),
            Tone::Retried => text.yellow(),
        }
        .to_string()
    };
    line.iter().map(paint).collect()
}

/// The running step as the ledger knows it.
#[derive(Debug, Clone)]
pub struct RunningStep {
    /// Its name.
    pub name: StepName,
    /// Its counts.
    pub stats: Stats,
    /// When it started: milliseconds since 1970, UTC.
    pub started: i64,
    /// How many items an earlier execution has done.
    pub done: u64,
}

/// A run under way, seen from another process.
#[derive(Debug)]
pub struct UnderWay {
    run: RunId,
    /// For how long it has been running.
    took: Duration,
    over: Vec<StepReport>,
    running: Option<(StepProgress, Duration)>,
}

impl UnderWay {
    /// A run, so long after its start, with these steps over.
    pub fn new(run: RunId, took: Duration, over: Vec<StepReport>) -> Self {
        Self { run, took, over, running: None }
    }

    /// Adds the running step. `noted` is what the run has noted of itself; the ledger's counts are newer. `now` is in
    /// milliseconds since 1970.
    #[must_use]
    pub fn with_running(self, step: RunningStep, noted: Option<&[u8]>, now: i64) -> Self {
        let since = |started: i64| Duration::from_millis(u64::try_from(now.saturating_sub(started)).unwrap_or(0));
        let noted = noted.and_then(Noted::read).filter(|noted| noted.progress.name == step.name);
        let running = match noted {
            Some(Noted { started, mut progress }) => {
                let (known, now) = (progress.stats, step.stats);
                progress.count(Stats {
                    succeeded: known.succeeded.max(now.succeeded),
                    failed: known.failed.max(now.failed),
                    bad_rows: known.bad_rows.max(now.bad_rows),
                    cancelled: known.cancelled.max(now.cancelled),
                    ..known
                });
                (progress, since(started))
            }
            None => (counted(&step, since(step.started)), since(step.started)),
        };
        Self { running: Some(running), ..self }
    }

    /// What the lines of a terminal say of the running step, if there is one, for whoever draws it otherwise.
    pub fn words(&self) -> Option<StepWords> {
        self.running.as_ref().map(|(step, now)| words(step, *now))
    }

    /// What a terminal of this width shows. Without a width, the same without a bar.
    pub fn text(&self, columns: Option<usize>) -> String {
        let head = format!("run {} running for {}", self.run, duration(self.took));
        let lines: Vec<String> = match columns {
            Some(columns) => {
                let running = self.running.as_ref().map(|(step, now)| (step, *now));
                let lines = screen(&self.over, running, columns);
                lines.iter().map(|line| painted(line, |text| text)).collect()
            }
            None => {
                let over = self.over.iter().map(over_line);
                let running = self.running.iter().map(|(step, now)| log_line(step, *now));
                over.chain(running).map(|line| Printable::line(line).to_string()).collect()
            }
        };
        let head = columns
            .map_or_else(|| Printable::line(&head), |columns| Printable::excerpt(&head, columns.saturating_sub(1)));
        std::iter::once(head.to_string()).chain(lines).map(|line| format!("{line}\n")).collect()
    }
}

/// A step of which nothing is noted yet.
fn counted(step: &RunningStep, now: Duration) -> StepProgress {
    let total = Some(step.stats.total).filter(|total| *total > 0);
    let (name, done) = (step.name.clone(), step.done);
    let started = Event::StepStarted { name, total, done, bytes: None, bytes_done: 0, slots: 0 };
    let mut progress = StepProgress::started(&started).expect("this is the event of a start");
    progress.count(Stats { kept: step.done, ..step.stats });
    progress.note(now);
    progress
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Status, StepLoad};

    const SECOND: Duration = Duration::from_secs(1);

    fn stats(total: u64, succeeded: u64, failed: u64) -> Stats {
        Stats { total, succeeded, failed, duration: SECOND * 3, ..Stats::default() }
    }

    fn run() -> UnderWay {
        let first = StepName::new("fetch").unwrap();
        let over = StepReport { name: first, status: Status::Succeeded, stats: stats(31, 31, 0), failure: None };
        UnderWay::new(RunId("20260131-142530123-flights-k3v2".to_owned()), SECOND * 41, vec![over])
    }

    /// What a run has noted of step `load`, 38 seconds after its start, which was at 1000.
    fn noted() -> Vec<u8> {
        let name = StepName::new("load").unwrap();
        let event =
            Event::StepStarted { name: name.clone(), total: Some(31), done: 0, bytes: None, bytes_done: 0, slots: 2 };
        let mut progress = StepProgress::started(&event).unwrap();
        for second in 1..=38 {
            progress.count(stats(31, u64::from(second) / 2, 0));
            progress.note(SECOND * second);
        }
        let load = StepLoad { busy_slots: 1.9, cores: 1.8, memory: 1_288_490_188, waiting: 1, width: 2, paused: false };
        progress.follow(&Event::StepLoad { name: name.clone(), load }, SECOND * 38);
        let item = Some("data/carriers/2024-03.csv".to_owned());
        progress.follow(&Event::ItemSlow { name, index: 7, item, running: SECOND * 11 }, SECOND * 38);
        Noted::bytes(1000, &progress)
    }

    fn load() -> RunningStep {
        RunningStep { name: StepName::new("load").unwrap(), stats: stats(31, 19, 1), started: 990, done: 0 }
    }

    #[test]
    fn a_run_looks_the_same_from_another_terminal() {
        let run = run().with_running(load(), Some(&noted()), 42_000);
        insta::assert_snapshot!(run.text(Some(40)), @r"
        run 20260131-142530123-flights-k3v2 ru…
        fetch  31 items in 3.0 s (10 items/s)
        load  ━━━━━───   64%  20/31  eta 17-30s
        ");
        insta::assert_snapshot!(run.text(Some(80)), @r"
        run 20260131-142530123-flights-k3v2 running for 41.0 s
        fetch  31 items in 3.0 s (10 items/s)
        load  ━━━━━━━━━━━━━━━━─────────   64%  20/31 items  0.50/s  eta 17-30s
              failed 1 · retrying 1 · 2/2 busy · 1.2 GiB · slowest 2024-03.csv 14s
        ");
        insta::assert_snapshot!(run.text(Some(160)), @r"
        run 20260131-142530123-flights-k3v2 running for 41.0 s
        fetch  31 items in 3.0 s (10 items/s)
        load  ━━━━━━━━━━━━━━━━━━━━━━━━━╸──────────────   64%  20/31 items  0.50/s  eta 17-30s
              failed 1 · retrying 1 · 2/2 busy · 1.2 GiB · slowest data/carriers/2024-03.csv 14s
        ");
        insta::assert_snapshot!(run.text(None), @r"
        run 20260131-142530123-flights-k3v2 running for 41.0 s
        fetch  31 items in 3.0 s (10 items/s)
        load 20/31 (64%) ok 19 failed 1 retrying 1 0.50/s eta 17-30s
        ");
    }

    #[test]
    fn what_is_noted_of_another_step_or_is_no_note_does_not_count() {
        let other = RunningStep { name: StepName::new("price").unwrap(), ..load() };
        for noted in [Some(noted()), Some(b"{\"started\":".to_vec()), None] {
            let run = run().with_running(other.clone(), noted.as_deref(), 42_000);
            assert!(run.text(None).ends_with("price 20/31 (64%) ok 19 failed 1\n"), "{}", run.text(None));
        }
    }
}
