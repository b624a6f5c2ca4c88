//! The end of a run in a few lines; the last one is the next command.

use super::format::{count, duration, number};
use crate::model::{RunSummary, Status, StepReport};
use std::fmt::Write;

/// The lines for the end of a run.
pub fn summary(summary: &RunSummary) -> String {
    let mut text = String::new();
    let width = summary.steps.iter().map(|step| step.name.as_str().chars().count()).max().unwrap_or(0);
    for step in &summary.steps {
        let name = step.name.as_str();
        let _ = writeln!(text, "  {name:width$}  {}", step_line(step));
        if let (Status::Failed, Some(failure)) = (step.status, &step.failure) {
            let _ = writeln!(text, "  {:width$}  stopped by {}: {}", "", failure.class, failure.message);
        }
    }
    let run = &summary.run;
    let failed: u64 = summary.steps.iter().map(|step| step.stats.failed).sum();
    let (how, next) = match summary.status {
        Status::Succeeded => ("succeeded", format!("batchmill results {run}")),
        Status::Empty => ("ended: a step has no items", "batchmill plan FILE".to_owned()),
        Status::Partial => ("finished with failures", format!("batchmill failures {run}")),
        Status::Failed if failed > 0 => ("failed", format!("batchmill failures {run}")),
        Status::Failed => ("failed", format!("batchmill resume {run}")),
        Status::Interrupted | Status::Running => ("was interrupted", format!("batchmill resume {run}")),
    };
    format!("run {run} {how}\n{text}next: {next}\n")
}

/// What stopped the run, where nothing else was shown of it; empty where it was not stopped.
pub fn stop_error(summary: &RunSummary) -> String {
    let Some(step) = summary.steps.last() else { return String::new() };
    match (summary.status, &step.failure) {
        (Status::Failed, Some(failure)) => {
            format!("error: step `{}` stopped: {}: {}\n", step.name, failure.class, failure.message)
        }
        (Status::Empty, _) => format!("error: step `{}` has no items\n", step.name),
        _ => String::new(),
    }
}

fn step_line(step: &StepReport) -> String {
    let stats = &step.stats;
    let mut line = count(stats.total, "item");
    let mut part = |value: u64, word: &str| {
        if value > 0 {
            let _ = write!(line, ", {} {word}", number(value));
        }
    };
    part(stats.failed, "failed");
    part(stats.unchanged, "unchanged");
    part(stats.bad_rows, "bad and left out");
    part(stats.skipped, "not run");
    part(stats.retried, "retried");
    let _ = write!(line, " in {}", duration(stats.duration));
    if stats.total > 1 {
        let _ = write!(line, " ({:.0} items/s)", stats.items_per_second());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RunId, Stats, StepName};
    use std::time::Duration;

    #[test]
    fn the_end_of_a_run_says_what_failed_and_what_to_type_next() {
        let stats =
            Stats { total: 1200, succeeded: 1198, failed: 2, duration: Duration::from_secs(2), ..Stats::default() };
        let name = StepName::new("resize").unwrap();
        let step = StepReport { name, status: Status::Partial, stats, failure: None };
        let end = RunSummary { run: RunId("r1".to_owned()), status: Status::Partial, steps: vec![step] };
        insta::assert_snapshot!(summary(&end), @r"
        run r1 finished with failures
          resize  1,200 items, 2 failed in 2.0 s (600 items/s)
        next: batchmill failures r1
        ");
    }
}
