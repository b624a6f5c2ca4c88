//! Server-sent events: what has changed since a client was told last.
//!
//! A client that reads slowly is told less often: nothing is kept for it but what is true now.

use super::feed::{Known, Subscription};
use super::reply::{Reply, Rest, events};
use super::until::Visits;
use crate::explain::Part;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

/// Time between two signs of life, which also find out who has left.
const BEAT: Duration = Duration::from_secs(10);

/// Tells a client what happens in a run for as long as it listens.
pub(super) fn stream(subscription: Subscription, visits: Arc<Visits>) -> Reply {
    let (reply, rest) = events();
    tokio::spawn(tell(subscription, rest, visits));
    reply
}

async fn tell(Subscription(mut known): Subscription, mut rest: Rest, visits: Arc<Visits>) {
    let mut told = Told::default();
    known.mark_changed();
    loop {
        let text = match tokio::time::timeout(BEAT, known.changed()).await {
            Err(_) => ": still here\n\n".to_owned(),
            Ok(Err(_)) => return,
            Ok(Ok(())) => told.news(&known.borrow_and_update()),
        };
        visits.note();
        if !text.is_empty() && rest.send_data(Bytes::from(text)).await.is_err() {
            return;
        }
    }
}

/// What a client was told.
#[derive(Default)]
struct Told {
    hasher: RandomState,
    /// Hashes of parts by their names, of events by theirs.
    last: HashMap<String, u64>,
}

impl Told {
    /// Whether something is new; from now on it is not.
    fn is_new(&mut self, name: &str, text: &str) -> bool {
        let hash = self.hasher.hash_one(text);
        self.last.insert(name.to_owned(), hash) != Some(hash)
    }

    /// The events that a client has not been told yet.
    fn news(&mut self, known: &Known) -> String {
        let mut text = String::new();
        let mut event = |told: &mut Self, name: &str, value: &Value| {
            // JSON has no line breaks.
            let line = value.to_string();
            if told.is_new(&format!("event {name}"), &line) {
                text.push_str(&format!("event: {name}\ndata: {line}\n\n"));
            }
        };
        if let Some(snapshot) = &known.snapshot {
            let parts = || std::iter::once(&snapshot.now).chain(snapshot.parts.iter());
            let changed: Vec<&Part> = parts().filter(|part| self.is_new(&part.key, &part.html)).collect();
            if !changed.is_empty() {
                let keys: Vec<&str> = snapshot.parts.iter().map(|part| part.key.as_str()).collect();
                event(self, "parts", &json!({ "title": snapshot.title, "keys": keys, "changed": changed }));
            }
            let (state, why) = match &known.state {
                Some(Ok(state)) => (Some(state), None),
                Some(Err(why)) => (None, Some(why)),
                None => (None, None),
            };
            event(self, "control", &json!({ "running": snapshot.is_running, "state": state, "why": why }));
        }
        event(self, "problem", &json!(known.problem));
        text
    }
}
