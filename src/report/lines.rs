//! Progress as lines, for logs and pipes.

use super::bar_text::log_line;
use super::format::{bytes, count, number};
use super::highlights::{Collector, LeftHighlights};
use super::messages::message;
use super::progress::{Measure, StepProgress};
use crate::model::{Event, Listener};
use crate::text::Printable;
use std::io::Write;
use std::time::Duration;

/// Time between two lines about the same step: a share of how long it has been running, within limits.
const EVERY: Duration = Duration::from_secs(10);
const EVERY_AT_MOST: Duration = Duration::from_secs(60);
const EVERY_SHARE: u32 = 20;

/// Writes a line when a step begins, every [`EVERY`] while it runs, and for its first failures.
pub struct LineProgress<W> {
    out: W,
    step: Option<StepProgress>,
    /// When the next line is due, from the start of the step.
    due: Duration,
    collector: Collector,
}

impl<W: Write + Send> LineProgress<W> {
    /// Writes to `out`. Leaves the highlights of the run there.
    pub fn new(out: W, left: LeftHighlights) -> Self {
        Self { out, step: None, due: EVERY, collector: Collector::new(left) }
    }

    /// Ignores errors: if the terminal is gone, there is no one to tell.
    fn write(&mut self, line: &Printable) {
        drop(self.out.write_all(format!("{line}\n").as_bytes()));
    }

    /// Writes a line about the step, if it is time for it.
    fn write_due(&mut self, now: Duration) {
        if now < self.due {
            return;
        }
        let Some(step) = &mut self.step else { return };
        step.note(now);
        self.due = now + (now / EVERY_SHARE).clamp(EVERY, EVERY_AT_MOST);
        let line = Printable::line(log_line(step, now));
        self.write(&line);
    }

    fn begin(&mut self, step: StepProgress) {
        let items = match step.measure {
            Measure::Items(total) => count(total, "item"),
            Measure::Bytes(all) => format!("rows, {}", bytes(all)),
            Measure::Counter => "items".to_owned(),
        };
        let done = step.stats.kept;
        let before = if done > 0 { format!(", {} already done", number(done)) } else { String::new() };
        let line = format!("step {}: {items}{before}, {}", step.name, count(step.slots as u64, "worker"));
        self.write(&Printable::line(line));
        (self.step, self.due) = (Some(step), EVERY);
    }

    fn elapsed(&self) -> Duration {
        self.step.as_ref().map_or(Duration::ZERO, StepProgress::elapsed)
    }
}

impl<W: Write + Send> Listener for LineProgress<W> {
    fn event(&mut self, event: &Event) {
        let failures = self.collector.follow(event);
        let now = self.elapsed();
        if let Some(step) = &mut self.step {
            step.follow(event, now);
        }
        failures.iter().for_each(|line| self.write(line));
        match event {
            Event::RunStarted { run, .. } => self.write(&Printable::line(format!("run {run} started"))),
            Event::StepStarted { .. } => StepProgress::started(event).into_iter().for_each(|step| self.begin(step)),
            Event::BatchFinished { .. } => self.write_due(now),
            Event::StepFinished(_) => self.step = None,
            other => message(other).iter().for_each(|line| self.write(line)),
        }
    }

    fn tick(&mut self) {
        if let (now, Some(step)) = (self.elapsed(), &mut self.step) {
            step.note(now);
            self.write_due(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StepName;

    #[test]
    fn hostile_text_stays_within_its_message() {
        let mut out = Vec::new();
        let event = Event::Notice { name: StepName::new("a"), text: "one\u{1b}[2J\nerror: two\r\u{202e}".to_owned() };
        LineProgress::new(&mut out, LeftHighlights::default()).event(&event);
        assert_eq!(String::from_utf8(out).unwrap(), "a: one\\x1b[2J\n  error: two\\r\\u{202e}\n");
    }
}
