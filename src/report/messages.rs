//! Messages that every listener for people shows in the same words.

use super::format::{duration, will_run};
use crate::model::Event;
use crate::text::Printable;

/// The message of an event; `None` for events that listeners show each in their own way, or not at all.
pub(super) fn message(event: &Event) -> Option<Printable> {
    let text = match event {
        Event::ItemSlow { name, index, running } => {
            format!("{name}[{index}] has been running for {}", duration(*running))
        }
        Event::StepSortedOut { name, total, reasons } => format!("{name}: {}", will_run(*total, reasons)),
        Event::Notice { name, text } => {
            let text = name.as_ref().map_or_else(|| text.clone(), |name| format!("{name}: {text}"));
            return Some(Printable::lines(text).indented("  "));
        }
        _ => return None,
    };
    Some(Printable::line(text))
}
