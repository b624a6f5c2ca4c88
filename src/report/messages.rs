//! Messages that every listener for people shows in the same words.

use super::format::{duration, will_run};
use crate::model::Event;
use crate::text::Printable;

/// How much of an item a message shows, in columns.
const LONGEST_ITEM: usize = 80;

/// The message of an event; `None` for events that listeners show each in their own way, or not at all.
pub(super) fn message(event: &Event) -> Option<Printable> {
    let text = match event {
        Event::ItemSlow { name, index, item, running } => {
            let item = item.as_ref().map_or_else(Printable::default, |item| Printable::excerpt(item, LONGEST_ITEM));
            let space = if item.as_str().is_empty() { "" } else { " " };
            format!("{name}[{index}]{space}{item} has been running for {}", duration(*running))
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
