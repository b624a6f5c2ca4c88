//! What a task prints, which comes in pieces: a secret may be cut in two between them.
//!
//! Holds back the end of a piece that may be the beginning of a secret, until the next piece of the same item and stream comes or
//! the frame ends. So whoever masks the secrets sees them whole.

use crate::model::{ItemAttempt, LogEntry};
use crate::text::Secrets;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many bytes may be held back, and more if a secret is so long that it has more of them when it is escaped.
const MOST_HELD: usize = 64 << 10;
const MOST_PER_BYTE: usize = 12;

/// If more is held back, it is looked at again only when it has doubled: else a long secret in many small pieces would be looked at from its
/// beginning with each of them.
const LOOKED_AT_OFTEN: usize = 4 << 10;

/// Whose text it is: the index and the attempt of an item, and the stream.
type Origin = (Option<(u64, u32)>, String);

/// Text that is held back.
struct Held {
    text: String,
    /// How much of it was there when it was looked at.
    looked_at: usize,
}

/// Passes on what the tasks of a slot print.
pub struct LogPieces<'a> {
    secrets: Arc<Secrets>,
    held: RefCell<BTreeMap<Origin, Held>>,
    most_held: usize,
    log: &'a dyn Fn(LogEntry),
}

impl<'a> LogPieces<'a> {
    /// Passes pieces on to `log`.
    pub fn new(secrets: Arc<Secrets>, log: &'a dyn Fn(LogEntry)) -> Self {
        let most_held = MOST_HELD.max(secrets.longest().saturating_mul(MOST_PER_BYTE));
        Self { secrets, held: RefCell::default(), most_held, log }
    }

    /// Passes a piece on, with what was held back before it.
    pub fn push(&self, mut entry: LogEntry) {
        if self.secrets.is_empty() {
            return (self.log)(entry);
        }
        let origin = (entry.item.map(|item| (item.index, item.attempt)), entry.stream.clone());
        let mut held = self.held.borrow_mut();
        if let Some(mut before) = held.remove(&origin) {
            before.text.push_str(&entry.text);
            if before.looked_at > LOOKED_AT_OFTEN && before.text.len() < 2 * before.looked_at {
                held.insert(origin, before);
                return;
            }
            entry.text = before.text;
        }
        let open = self.secrets.open_end(&entry.text);
        if entry.text.len() - open <= self.most_held {
            let text = entry.text.split_off(open);
            if !text.is_empty() {
                held.insert(origin, Held { looked_at: text.len(), text });
            }
        }
        drop(held);
        if !entry.text.is_empty() {
            (self.log)(entry);
        }
    }

    /// Passes on what is held back.
    pub fn flush(&self) {
        for ((item, stream), Held { text, .. }) in self.held.take() {
            let item = item.map(|(index, attempt)| ItemAttempt { index, attempt });
            (self.log)(LogEntry { item, stream, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_comes_in_pieces_is_passed_on_whole() {
        let seen = RefCell::default();
        let log = |entry: LogEntry| Vec::push(&mut *seen.borrow_mut(), entry.text);
        let pieces = LogPieces::new(Arc::new(Secrets::new(["hunter2".to_owned()])), &log);
        let push = |stream: &str, text: &str| {
            pieces.push(LogEntry { item: None, stream: stream.to_owned(), text: text.to_owned() });
        };
        push("stdout", "pass hun");
        push("stderr", "other\n");
        push("stdout", "ter2\n");
        push("stdout", "the end hunt");
        pieces.flush();
        assert_eq!(*seen.borrow(), ["pass ", "other\n", "hunter2\n", "the end ", "hunt"]);
    }

    #[test]
    fn the_end_of_a_long_piece_is_held_back_too() {
        let seen = RefCell::default();
        let log = |entry: LogEntry| Vec::push(&mut *seen.borrow_mut(), entry.text);
        let pieces = LogPieces::new(Arc::new(Secrets::new(["hunter2".to_owned()])), &log);
        let push = |text: &str| {
            pieces.push(LogEntry { item: None, stream: "stdout".to_owned(), text: text.to_owned() });
            seen.take()
        };
        let before = "!".repeat(2 * MOST_HELD);
        assert_eq!(push(&format!("{before}hun")), [before]);
        assert_eq!(push("ter2!"), ["hunter2!"]);
    }

    #[test]
    fn a_long_secret_in_small_pieces_is_passed_on_whole() {
        let seen = RefCell::default();
        let log = |entry: LogEntry| Vec::push(&mut *seen.borrow_mut(), entry.text);
        let secret = "a".repeat(2 * MOST_HELD);
        let secrets = Arc::new(Secrets::new([secret.clone()]));
        let pieces = LogPieces::new(Arc::clone(&secrets), &log);
        let push = |text: &str| {
            pieces.push(LogEntry { item: None, stream: "stdout".to_owned(), text: text.to_owned() });
        };
        push("<");
        // Whoever looks at all that is held back with each of them is busy for hours.
        (0..secret.len() / 4).for_each(|_| push("aaaa"));
        push(">");
        pieces.flush();
        let masked: String = seen.take().into_iter().map(|text| secrets.masked(text)).collect();
        assert_eq!(masked, "<***>");
    }
}
