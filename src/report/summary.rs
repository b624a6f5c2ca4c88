//! The end of a run in a few lines; the last one is the next command.

use super::format::{count, duration, number, rate};
use crate::model::{RunSummary, Status, StepReport};
use crate::text::Printable;
use std::fmt::Write;
use std::path::Path;

/// The lines for the end of a run of this workflow file.
pub fn summary(summary: &RunSummary, workflow: &Path) -> Printable {
    let mut text = String::new();
    let width = summary.steps.iter().map(|step| step.name.as_str().chars().count()).max().unwrap_or(0);
    for step in &summary.steps {
        let name = step.name.as_str();
        let _ = writeln!(text, "  {name:width$}  {}", step_line(step));
        if let (Status::Failed, Some(failure)) = (step.status, &step.failure) {
            let failure = Printable::lines(format!("stopped by {}: {}", failure.class, failure.message));
            let indent = format!("  {:width$}  ", "");
            let _ = writeln!(text, "{indent}{}", failure.indented(&format!("{indent}  ")));
        }
    }
    let run = Printable::line(&summary.run.0);
    let failed: u64 = summary.steps.iter().map(|step| step.stats.failed).sum();
    let (how, next) = match summary.status {
        Status::Succeeded => ("succeeded", format!("batchmill results {run}")),
        Status::Empty => ("stopped: a step has no items", format!("batchmill plan {}", shell_word(workflow))),
        Status::Partial => ("finished with failures", format!("batchmill failures {run}")),
        Status::Failed if failed > 0 => ("failed", format!("batchmill failures {run}")),
        Status::Failed => ("failed", format!("batchmill resume {run}")),
        Status::Interrupted | Status::Running => ("was interrupted", format!("batchmill resume {run}")),
    };
    Printable::lines(format!("run {run} {how}\n{text}next: {next}"))
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
fn shell_word(path: &Path) -> String {
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
    part(stats.skipped, "skipped");
    part(stats.retried, "retried");
    let _ = write!(line, " in {}", duration(stats.duration));
    if stats.ran() > 1 {
        let _ = write!(line, " ({})", rate(stats.items_per_second(), "items"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Failure, FailureKind, RunId, Stats, StepName};
    use std::time::Duration;

    fn end(status: Status, failure: Option<Failure>) -> RunSummary {
        let stats =
            Stats { total: 1200, succeeded: 1198, failed: 2, duration: Duration::from_secs(2), ..Stats::default() };
        let name = StepName::new("resize").unwrap();
        let step = StepReport { name, status, stats, failure };
        RunSummary { run: RunId("r1".to_owned()), status, steps: vec![step] }
    }

    #[test]
    fn the_end_of_a_run_says_what_failed_and_what_to_type_next() {
        insta::assert_snapshot!(summary(&end(Status::Partial, None), Path::new("a.yaml")), @r"
        run r1 finished with failures
          resize  1,200 items, 2 failed in 2.0 s (600 items/s)
        next: batchmill failures r1
        ");
    }

    #[test]
    fn the_next_command_can_be_pasted() {
        let text = summary(&end(Status::Empty, None), Path::new("my orders.yaml")).to_string();
        assert!(text.ends_with("\nnext: batchmill plan 'my orders.yaml'"), "{text}");
    }

    #[test]
    fn a_failure_that_stopped_the_run_cannot_pose_as_another_line() {
        let failure = Failure::new(FailureKind::Exception, "Error", "bad\nrun r1 succeeded\u{1b}[1A");
        let end = end(Status::Failed, Some(failure));
        insta::assert_snapshot!(summary(&end, Path::new("a.yaml")), @r"
        run r1 failed
          resize  1,200 items, 2 failed in 2.0 s (600 items/s)
                  stopped by Error: bad
                    run r1 succeeded\x1b[1A
        next: batchmill failures r1
        ");
    }
}
