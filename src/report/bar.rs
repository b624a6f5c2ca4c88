//! Progress as a bar, for terminals: rate, time left, failures.

use super::format::{bytes, number, will_run};
use super::lines::{failure_lines, slow_line};
use crate::model::{Event, Listener};
use indicatif::style::TemplateError;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Draws one bar per step on stderr.
pub struct BarProgress {
    bar: ProgressBar,
    shown: u64,
    /// All bytes of the step's files, where the bar measures these.
    bytes: Option<u64>,
    /// Then the rows so far are drawn beside it.
    rows: Arc<AtomicU64>,
}

const KNOWN: &str = "{prefix} {bar:30} {human_pos}/{human_len} {percent}%  {rate}  eta {eta}{msg}";
const UNKNOWN: &str = "{prefix} {spinner} {human_pos} items  {rate}  {elapsed}{msg}";
const BYTES: &str = "{prefix} {bar:30} {rows} rows  {read}/{all} {percent}%  eta {eta}{msg}";

impl BarProgress {
    /// A bar that shows nothing before the first step begins.
    pub fn new() -> Self {
        Self { bar: ProgressBar::hidden(), shown: 0, bytes: None, rows: Arc::default() }
    }

    /// A line above the bar, where there is one.
    fn line(&self, line: &str) {
        if self.bar.is_finished() || self.bar.is_hidden() {
            drop(writeln!(io::stderr(), "{line}"));
        } else {
            self.bar.println(line);
        }
    }
}

impl Default for BarProgress {
    fn default() -> Self {
        Self::new()
    }
}

fn style(template: &str, rows: &Arc<AtomicU64>) -> Result<ProgressStyle, TemplateError> {
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        // Nobody reads the fractions of a large number.
        let rate = state.per_sec();
        let _ =
            if rate < 10.0 { write!(out, "{rate:.1} items/s") } else { write!(out, "{} items/s", number(rate as u64)) };
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
                let (template, length, position) = match (total, self.bytes) {
                    (Some(_), _) => (KNOWN, *total, *done),
                    (None, Some(_)) => (BYTES, self.bytes, *bytes_done),
                    (None, None) => (UNKNOWN, None, *done),
                };
                self.rows.store(*done, Ordering::Relaxed);
                let style = style(template, &self.rows).expect("the template is a constant that a test draws");
                self.bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
                self.bar.set_style(style);
                self.bar.set_prefix(name.to_string());
                self.bar.set_position(position);
                self.bar.reset_eta();
                self.shown = 0;
            }
            Event::BatchFinished { name, report, stats } => {
                for line in failure_lines(name, &report.failed, &mut self.shown) {
                    self.bar.println(line);
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
            Event::ItemSlow { name, index, running } => self.line(&slow_line(name, *index, *running)),
            Event::StepSortedOut { name, total, reasons } => {
                self.line(&format!("{name}: {}", will_run(*total, reasons)));
            }
            Event::Notice { name, text } => self.line(&format!("{name}: {text}")),
            Event::StepFinished(_) => self.bar.finish_and_clear(),
            Event::RunStarted { .. } | Event::RunFinished(_) => {}
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
        assert!([KNOWN, UNKNOWN, BYTES].into_iter().all(|template| style(template, &Arc::default()).is_ok()));
    }
}
