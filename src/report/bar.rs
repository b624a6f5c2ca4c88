//! Progress as a bar, for terminals: rate, time left, failures.

use super::highlights::{Collector, LeftHighlights};
use super::messages::message;
use super::progress::StepProgress;
use super::under_way::{MOST_STEPS, painted, screen};
use crate::model::{Event, Listener, StepReport};
use crate::text::Printable;
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

/// How often the bar is drawn while batches end.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Below this width, a bar has no line that names the slowest item.
const NARROW: u16 = 60;

/// Draws the running step on stderr, below the steps that are over.
pub struct BarProgress {
    /// None while nothing is drawn.
    bar: Option<ProgressBar>,
    step: Option<StepProgress>,
    /// The steps that are over, the last of them.
    over: Vec<StepReport>,
    drawn: Instant,
    collector: Collector,
}

/// Whether stderr is a terminal that can move its cursor.
pub fn can_draw() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    Term::stderr().is_term() && !dumb
}

/// The width of the terminal on stderr, if there is one.
pub fn columns() -> Option<usize> {
    let term = Term::stderr();
    term.is_term().then(|| usize::from(term.size().1))
}

impl BarProgress {
    /// A bar that shows nothing before the first step begins. Leaves the highlights of the run there.
    pub fn new(left: LeftHighlights) -> Self {
        Self { bar: None, step: None, over: Vec::new(), drawn: Instant::now(), collector: Collector::new(left) }
    }

    /// Writes lines above the bar, if there is one.
    fn write(&self, line: &Printable) {
        match self.bar.as_ref().filter(|bar| !bar.is_hidden()) {
            Some(bar) => bar.println(line.as_str()),
            None => drop(io::stderr().write_all(format!("{line}\n").as_bytes())),
        }
    }

    fn begin(&mut self, step: StepProgress) {
        self.step = Some(step);
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is a constant"));
        self.bar = Some(bar);
        self.draw();
    }

    fn end(&mut self, report: &StepReport) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.step = None;
        if self.over.len() == MOST_STEPS {
            self.over.remove(0);
        }
        self.over.push(report.clone());
    }

    fn draw(&mut self) {
        let (Some(bar), Some(step)) = (&self.bar, &mut self.step) else { return };
        let (now, columns) = (step.elapsed(), usize::from(Term::stderr().size().1));
        step.note(now);
        let lines = screen(&self.over, Some((&*step, now)), columns);
        let lines: Vec<String> = lines.iter().map(|line| painted(line, |text| text.for_stderr())).collect();
        let text = lines.join("\n");
        if bar.message() != text {
            bar.set_message(text);
        }
        self.drawn = Instant::now();
    }
}

impl Listener for BarProgress {
    fn event(&mut self, event: &Event) {
        let failures = self.collector.follow(event);
        if let Some(step) = &mut self.step {
            step.follow(event, step.elapsed());
        }
        failures.iter().for_each(|line| self.write(line));
        match event {
            Event::RunStarted { run, .. } => self.write(&Printable::line(format!("run {run} started"))),
            Event::StepStarted { .. } => StepProgress::started(event).into_iter().for_each(|step| self.begin(step)),
            Event::BatchFinished { .. } if self.drawn.elapsed() < DRAW_EVERY => {}
            Event::BatchFinished { .. } => self.draw(),
            Event::StepFinished(report) => self.end(report),
            // The second line names the slowest item.
            Event::ItemSlow { .. } if self.bar.is_some() && Term::stderr().size().1 >= NARROW => self.draw(),
            Event::StepLoad { .. } => self.draw(),
            other => message(other).iter().for_each(|line| self.write(line)),
        }
    }

    fn tick(&mut self) {
        self.draw();
    }
}
