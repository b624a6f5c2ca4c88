//! Progress as a bar, for terminals: rate, time left, failures.

use super::failures::FirstFailures;
use super::format::{bytes, number, rate};
use super::messages::message;
use crate::model::{Event, Listener};
use crate::text::Printable;
use console::Term;
use indicatif::style::TemplateError;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Draws one bar per step on stderr.
pub struct BarProgress {
    bar: ProgressBar,
    failures: FirstFailures,
    /// The size of the step's files, if the bar measures bytes.
    bytes: Option<u64>,
    /// The rows so far; drawn if the bar measures bytes.
    rows: Arc<AtomicU64>,
}

/// What a bar measures.
#[derive(Clone, Copy)]
enum Measure {
    /// Items, of a known number.
    Items,
    /// Items, of an unknown number.
    Counter,
    /// Bytes of files of rows.
    Bytes,
}

/// A bar that fits a terminal of this width.
fn template(measure: Measure, columns: u16) -> &'static str {
    match (measure, columns) {
        (Measure::Items, 100..) => "{prefix} {bar:30} {human_pos}/{human_len} {percent}%  {rate}  eta {eta}{msg}",
        (Measure::Items, 60..) => "{prefix} {wide_bar} {human_pos}/{human_len} {percent}%  eta {eta}{msg}",
        (Measure::Items, _) => "{prefix} {human_pos}/{human_len} {percent}%{msg}",
        (Measure::Counter, 60..) => "{prefix} {spinner} {human_pos} items  {rate}  {elapsed}{msg}",
        (Measure::Counter, _) => "{prefix} {human_pos} items{msg}",
        (Measure::Bytes, 100..) => "{prefix} {bar:30} {rows} rows  {read}/{all} {percent}%  eta {eta}{msg}",
        (Measure::Bytes, 60..) => "{prefix} {wide_bar} {rows} rows  {percent}%  eta {eta}{msg}",
        (Measure::Bytes, _) => "{prefix} {rows} rows  {percent}%{msg}",
    }
}

impl BarProgress {
    /// A bar that shows nothing before the first step begins.
    pub fn new() -> Self {
        Self { bar: ProgressBar::hidden(), failures: FirstFailures::default(), bytes: None, rows: Arc::default() }
    }

    /// Writes lines above the bar, if there is one.
    fn write(&self, line: &Printable) {
        if self.bar.is_finished() || self.bar.is_hidden() {
            drop(io::stderr().write_all(format!("{line}\n").as_bytes()));
        } else {
            self.bar.println(line.as_str());
        }
    }

    fn begin(&mut self, name: &str, measure: Measure, length: Option<u64>) {
        let style = style(template(measure, Term::stderr().size().1), &self.rows);
        self.bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
        self.bar.set_style(style.expect("the template is a constant that a test draws"));
        self.bar.set_prefix(Printable::line(name).to_string());
        self.failures = FirstFailures::default();
    }
}

impl Default for BarProgress {
    fn default() -> Self {
        Self::new()
    }
}

fn style(template: &str, rows: &Arc<AtomicU64>) -> Result<ProgressStyle, TemplateError> {
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = out.write_str(&rate(state.per_sec(), "items"));
    };
    let rows = Arc::clone(rows);
    let rows = move |_: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = out.write_str(&number(rows.load(Ordering::Relaxed)));
    };
    let read = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = out.write_str(&bytes(state.pos()));
    };
    let all = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = out.write_str(&bytes(state.len().unwrap_or(0)));
    };
    let style = ProgressStyle::with_template(template)?.with_key("rate", rate);
    Ok(style.with_key("rows", rows).with_key("read", read).with_key("all", all))
}

impl Listener for BarProgress {
    fn event(&mut self, event: &Event) {
        match event {
            Event::StepStarted { name, total, done, bytes, bytes_done, .. } => {
                self.bytes = bytes.filter(|_| total.is_none());
                let (measure, length, position) = match (total, self.bytes) {
                    (Some(_), _) => (Measure::Items, *total, *done),
                    (None, Some(_)) => (Measure::Bytes, self.bytes, *bytes_done),
                    (None, None) => (Measure::Counter, None, *done),
                };
                self.rows.store(*done, Ordering::Relaxed);
                self.begin(name.as_str(), measure, length);
                self.bar.set_position(position);
                self.bar.reset_eta();
            }
            Event::BatchFinished { name, report, stats } => {
                for line in self.failures.show(name, &report.failed) {
                    self.bar.println(line.as_str());
                }
                if stats.failed > 0 {
                    self.bar.set_message(format!("  {} failed", number(stats.failed)));
                }
                self.rows.store(stats.settled(), Ordering::Relaxed);
                self.bar.set_position(match self.bytes {
                    Some(all) => stats.bytes_done.min(all),
                    None => stats.succeeded + stats.failed,
                });
            }
            Event::StepFinished(_) => self.bar.finish_and_clear(),
            other => message(other).iter().for_each(|line| self.write(line)),
        }
    }

    fn tick(&mut self) {
        self.bar.tick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_templates_are_good() {
        for measure in [Measure::Items, Measure::Counter, Measure::Bytes] {
            assert!(
                [40, 80, 160]
                    .map(|columns| template(measure, columns))
                    .iter()
                    .all(|t| style(t, &Arc::default()).is_ok())
            );
        }
    }
}
