//! Who hears of a run: what shows its progress, the file of events, the file of metrics.
//!
//! A file that cannot be written any more is one warning, which the others hear; the run goes on.

use super::json::JsonProgress;
use super::metrics::MetricsListener;
use crate::model::{Event, Listener};
use crate::text::Printable;
use std::io::{self, Write};

/// Where events are written.
pub struct EventsOutput {
    /// Its name in messages.
    pub name: String,
    /// Where lines go, each in one write.
    pub out: Box<dyn Write + Send>,
}

/// All who hear of a run.
pub struct Audience {
    shown: Option<Box<dyn Listener>>,
    events: Option<(String, JsonProgress<Box<dyn Write + Send>>)>,
    metrics: Option<MetricsListener>,
}

impl Audience {
    /// Progress as `shown` shows it, if at all; events and metrics if they are wanted.
    pub fn new(
        shown: Option<Box<dyn Listener>>,
        events: Option<EventsOutput>,
        metrics: Option<MetricsListener>,
    ) -> Self {
        Self { shown, events: events.map(|it| (it.name, JsonProgress(it.out))), metrics }
    }

    fn write(&mut self, event: &Event) {
        let Some((name, lines)) = &mut self.events else { return };
        if let Err(error) = lines.write(event) {
            // A line may be cut off. None follows it.
            let text = format!("warning: cannot write any more events to `{name}`: {error}; the run goes on");
            self.events = None;
            self.warn(text);
        }
    }

    /// Passes on what the writer of metrics has to say.
    fn hear_metrics(&mut self) {
        if let Some(text) = self.metrics.as_ref().and_then(MetricsListener::warning) {
            self.warn(text);
        }
    }

    fn warn(&mut self, text: String) {
        match &mut self.shown {
            Some(shown) => shown.event(&Event::Notice { name: None, text: text.clone() }),
            // Even where no progress is wanted: nobody else says it.
            None => drop(io::stderr().write_all(format!("{}\n", Printable::lines(&text).indented("  ")).as_bytes())),
        }
        self.write(&Event::Notice { name: None, text });
    }
}

impl Listener for Audience {
    fn event(&mut self, event: &Event) {
        if let Some(metrics) = &self.metrics {
            metrics.take(event);
        }
        if let Some(shown) = &mut self.shown {
            shown.event(event);
        }
        self.write(event);
        self.hear_metrics();
    }

    fn tick(&mut self) {
        if let Some(shown) = &mut self.shown {
            shown.tick();
        }
        self.hear_metrics();
    }
}
