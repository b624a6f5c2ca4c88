//! Progress as lines, for logs and pipes.

use super::failures::FirstFailures;
use super::format::{bytes, count, duration, number, rate};
use super::messages::message;
use crate::model::{Event, Listener, Stats, StepName};
use crate::text::Printable;
use std::io::Write;
use std::time::{Duration, Instant};

/// Time between two lines about the same step.
const EVERY: Duration = Duration::from_secs(10);

/// Writes a line when a step begins, every [`EVERY`] while it runs, and for its first failures.
pub struct LineProgress<W> {
    out: W,
    due: Instant,
    total: Option<u64>,
    /// The bytes of the step's files, if the number of items is not known.
    bytes: Option<FileBytes>,
    failures: FirstFailures,
}

/// The bytes of a step's files.
#[derive(Clone, Copy)]
struct FileBytes {
    all: u64,
    /// Those that earlier executions of the run have read.
    before: u64,
}

impl<W: Write + Send> LineProgress<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, due: Instant::now() + EVERY, total: None, bytes: None, failures: FirstFailures::default() }
    }

    /// Ignores errors: if the terminal is gone, there is no one to tell.
    fn write(&mut self, line: &Printable) {
        drop(self.out.write_all(format!("{line}\n").as_bytes()));
    }
}

impl<W: Write + Send> Listener for LineProgress<W> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { run, .. } => self.write(&Printable::line(format!("run {run} started"))),
            Event::StepStarted { name, total, done, bytes: all, bytes_done, slots } => {
                (self.total, self.due) = (*total, Instant::now() + EVERY);
                self.failures = FirstFailures::default();
                self.bytes = all.filter(|_| total.is_none()).map(|all| FileBytes { all, before: *bytes_done });
                let items = match (total, self.bytes) {
                    (Some(total), _) => count(*total, "item"),
                    (None, Some(FileBytes { all, .. })) => format!("rows, {}", bytes(all)),
                    (None, None) => "items".to_owned(),
                };
                let before = if *done > 0 { format!(", {} already done", number(*done)) } else { String::new() };
                let workers = count(*slots as u64, "worker");
                self.write(&Printable::line(format!("step {name}: {items}{before}, {workers}")));
            }
            Event::BatchFinished { name, report, stats } => {
                for line in self.failures.show(name, &report.failed) {
                    self.write(&line);
                }
                if Instant::now() >= self.due {
                    self.due = Instant::now() + EVERY;
                    let line = match self.bytes {
                        Some(bytes) => bytes_line(name, stats, bytes),
                        None => progress_line(name, stats, self.total),
                    };
                    self.write(&Printable::line(line));
                }
            }
            other => message(other).iter().for_each(|line| self.write(line)),
        }
    }
}

fn progress_line(name: &StepName, stats: &Stats, total: Option<u64>) -> String {
    let done = stats.succeeded + stats.failed;
    let of = total.map_or_else(|| count(done, "item"), |total| format!("{} of {}", number(done), count(total, "item")));
    let per_second = stats.items_per_second();
    let left = total.filter(|_| per_second > 0.0).map_or(String::new(), |total| {
        let left = Duration::from_secs_f64(total.saturating_sub(done) as f64 / per_second);
        format!(", {} left", duration(left))
    });
    format!("step {name}: {of}{}, {}{left}", failed(stats), rate(per_second, "items"))
}

/// The same for rows: their number is unknown before they are read, so it uses their bytes.
fn bytes_line(name: &StepName, stats: &Stats, file: FileBytes) -> String {
    let done = stats.bytes_done.min(file.all);
    let percent = 100 * u128::from(done) / u128::from(file.all.max(1));
    let now = done.saturating_sub(file.before);
    let left = if now == 0 {
        String::new()
    } else {
        let left = stats.duration.mul_f64((file.all - done) as f64 / now as f64);
        format!(", {} left", duration(left))
    };
    let rows = count(stats.settled(), "row");
    let (done, all, rate) = (bytes(done), bytes(file.all), rate(stats.items_per_second(), "rows"));
    format!("step {name}: {rows}, {done} of {all} ({percent}%){}, {rate}{left}", failed(stats))
}

fn failed(stats: &Stats) -> String {
    if stats.failed > 0 { format!(", {} failed", number(stats.failed)) } else { String::new() }
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
        let name = StepName::new("late").unwrap();
        let line = bytes_line(&name, &stats, FileBytes { all: 12 << 30, before: 0 });
        let expected = "step late: 1,204,002 rows, 3.0 GiB of 12.0 GiB (25%), 2 failed, 60,200 rows/s, 1 min 0 s left";
        assert_eq!(line, expected);
        let again = bytes_line(&name, &stats, FileBytes { all: 4 << 30, before: 2 << 30 });
        assert!(again.ends_with("(75%), 2 failed, 60,200 rows/s, 20.0 s left"), "{again}");
    }

    #[test]
    fn hostile_text_stays_within_its_message() {
        let mut out = Vec::new();
        let event = Event::Notice { name: StepName::new("a"), text: "one\u{1b}[2J\nerror: two\r\u{202e}".to_owned() };
        LineProgress::new(&mut out).event(&event);
        assert_eq!(String::from_utf8(out).unwrap(), "a: one\\x1b[2J\n  error: two\\r\\u{202e}\n");
    }
}
