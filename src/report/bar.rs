//! Progress as a bar, for terminals: rate, time left, failures.

use super::plain::{failure_lines, slow_line};
use super::words::{number, will_run};
use crate::model::{Event, Sink};
use indicatif::style::TemplateError;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::io::{self, Write as _};

/// Draws one bar per step on stderr.
pub struct Bar {
    bar: ProgressBar,
    shown: u64,
}

const KNOWN: &str = "{prefix} {bar:30} {human_pos}/{human_len} {percent}%  {rate}  eta {eta}{msg}";
const UNKNOWN: &str = "{prefix} {spinner} {human_pos} items  {rate}  {elapsed}{msg}";

impl Bar {
    /// A bar that shows nothing before the first step begins.
    pub fn new() -> Self {
        Self { bar: ProgressBar::hidden(), shown: 0 }
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

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

fn style(template: &str) -> Result<ProgressStyle, TemplateError> {
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        // Nobody reads the fractions of a large number.
        let rate = state.per_sec();
        let _ =
            if rate < 10.0 { write!(out, "{rate:.1} items/s") } else { write!(out, "{} items/s", number(rate as u64)) };
    };
    Ok(ProgressStyle::with_template(template)?.with_key("rate", rate))
}

impl Sink for Bar {
    fn event(&mut self, event: &Event) {
        match event {
            Event::StepStarted { name, total, done, .. } => {
                let template = if total.is_some() { KNOWN } else { UNKNOWN };
                let style = style(template).expect("the template is a constant that a test draws");
                self.bar = match total {
                    Some(total) => ProgressBar::new(*total),
                    None => ProgressBar::no_length(),
                };
                self.bar.set_style(style);
                self.bar.set_prefix(name.to_string());
                self.bar.set_position(*done);
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
                self.bar.set_position(stats.succeeded + stats.failed);
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
    fn both_templates_are_good() {
        assert!(style(KNOWN).is_ok() && style(UNKNOWN).is_ok());
    }
}
