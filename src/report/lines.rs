//! Progress as lines, for logs and pipes.

use super::format::{bytes, count, duration, number, will_run};
use crate::model::{Event, ItemFailure, Listener, Stats, StepName};
use std::io::Write;
use std::time::{Duration, Instant};

/// Time between two lines about the same step.
const EVERY: Duration = Duration::from_secs(10);

/// The most failures of a step that are shown as they happen.
const MOST_FAILURES: u64 = 5;

/// Writes a line when a step begins, every [`EVERY`] while it runs, and for its first failures.
pub struct LineProgress<W> {
    out: W,
    due: Instant,
    total: Option<u64>,
    /// All bytes of the step's files and those done before, where the number of items is not known.
    bytes: Option<(u64, u64)>,
    shown: u64,
}

impl<W: Write + Send> LineProgress<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, due: Instant::now() + EVERY, total: None, bytes: None, shown: 0 }
    }

    /// Nobody to tell when the terminal is gone.
    fn line(&mut self, line: &str) {
        drop(writeln!(self.out, "{line}"));
    }
}

impl<W: Write + Send> Listener for LineProgress<W> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { run, .. } => self.line(&format!("run {run} started")),
            Event::StepStarted { name, total, done, bytes: all, bytes_done, slots } => {
                (self.total, self.shown, self.due) = (*total, 0, Instant::now() + EVERY);
                self.bytes = all.filter(|_| total.is_none()).map(|all| (all, *bytes_done));
                let items = match (total, self.bytes) {
                    (Some(total), _) => count(*total, "item"),
                    (None, Some((all, _))) => format!("rows, {}", bytes(all)),
                    (None, None) => "items".to_owned(),
                };
                let before = if *done > 0 { format!(", {} done before", number(*done)) } else { String::new() };
                self.line(&format!("step {name}: {items}{before}, {}", count(*slots as u64, "worker")));
            }
            Event::BatchFinished { name, report, stats } => {
                for line in failure_lines(name, &report.failed, &mut self.shown) {
                    self.line(&line);
                }
                if Instant::now() >= self.due {
                    self.due = Instant::now() + EVERY;
                    self.line(&match self.bytes {
                        Some(bytes) => bytes_line(name, stats, bytes),
                        None => progress_line(name, stats, self.total),
                    });
                }
            }
            Event::ItemSlow { name, index, running } => self.line(&slow_line(name, *index, *running)),
            Event::StepSortedOut { name, total, reasons } => {
                self.line(&format!("{name}: {}", will_run(*total, reasons)));
            }
            Event::Notice { name, text } => self.line(&format!("{name}: {text}")),
            Event::StepFinished(_) | Event::RunFinished(_) => {}
        }
    }
}

/// Says which item has been under way for how long.
pub(super) fn slow_line(name: &StepName, index: u64, running: Duration) -> String {
    format!("{name}[{index}] has been running for {}", duration(running))
}

fn progress_line(name: &StepName, stats: &Stats, total: Option<u64>) -> String {
    let done = stats.succeeded + stats.failed;
    let of = total.map_or_else(|| count(done, "item"), |total| format!("{} of {}", number(done), count(total, "item")));
    let failed = if stats.failed > 0 { format!(", {} failed", number(stats.failed)) } else { String::new() };
    let rate = stats.items_per_second();
    let left = total.filter(|_| rate > 0.0).map_or(String::new(), |total| {
        let left = Duration::from_secs_f64(total.saturating_sub(done) as f64 / rate);
        format!(", {} left", duration(left))
    });
    format!("step {name}: {of}{failed}, {rate:.0} items/s{left}")
}

/// The same of rows, whose number is not known before they are read: their bytes are.
fn bytes_line(name: &StepName, stats: &Stats, (all, before): (u64, u64)) -> String {
    let done = stats.bytes_done.min(all);
    let percent = 100 * u128::from(done) / u128::from(all.max(1));
    let failed = if stats.failed > 0 { format!(", {} failed", number(stats.failed)) } else { String::new() };
    let now = done.saturating_sub(before);
    let left = if now == 0 {
        String::new()
    } else {
        let left = stats.duration.mul_f64((all - done) as f64 / now as f64);
        format!(", {} left", duration(left))
    };
    let (rows, rate) = (count(stats.settled(), "row"), stats.items_per_second());
    format!("step {name}: {rows}, {} of {} ({percent}%){failed}, {rate:.0} rows/s{left}", bytes(done), bytes(all))
}

/// Lines for the first failures of a step, and one that says that there are more.
pub(super) fn failure_lines(name: &StepName, failed: &[ItemFailure], shown: &mut u64) -> Vec<String> {
    let mut lines = Vec::new();
    // Rows that are left out are counted at the end of the step.
    for failure in failed.iter().filter(|failure| !failure.left_out) {
        *shown += 1;
        if *shown <= MOST_FAILURES {
            let (class, message) = (&failure.failure.class, &failure.failure.message);
            let attempts =
                if failure.attempts > 1 { format!(" after {} attempts", failure.attempts) } else { String::new() };
            lines.push(format!("{name}[{}] failed{attempts}: {class}: {message}", failure.index));
            lines.extend(
                failure.handler.as_ref().map(|handler| format!("  and its on_item_error failed: {}", handler.message)),
            );
        } else if *shown == MOST_FAILURES + 1 {
            lines.push(format!("{name}: further failures are kept for `batchmill failures`"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_measured_by_the_bytes_of_their_files() {
        let stats = Stats {
            succeeded: 1_204_000,
            failed: 2,
            bytes_done: 3 << 30,
            duration: Duration::from_secs(20),
            ..Stats::default()
        };
        let line = bytes_line(&StepName::new("late").unwrap(), &stats, (12 << 30, 0));
        let expected = "step late: 1,204,002 rows, 3.0 GiB of 12.0 GiB (25%), 2 failed, 60200 rows/s, 1 min 0 s left";
        assert_eq!(line, expected);
        let again = bytes_line(&StepName::new("late").unwrap(), &stats, (4 << 30, 2 << 30));
        assert!(again.ends_with("(75%), 2 failed, 60200 rows/s, 20.0 s left"), "{again}");
    }
}
