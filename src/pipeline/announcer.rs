//! Informs listeners of events, with secrets masked.

use crate::model::{Event, Listener, StepName};
use crate::text::Secrets;

/// The listeners of a run.
pub struct Announcer<'a> {
    listeners: &'a mut [Box<dyn Listener>],
    secrets: &'a Secrets,
}

impl<'a> Announcer<'a> {
    /// Informs these listeners, and masks these secrets.
    pub fn new(listeners: &'a mut [Box<dyn Listener>], secrets: &'a Secrets) -> Self {
        Self { listeners, secrets }
    }

    /// Passes an event on.
    pub fn tell(&mut self, event: &Event) {
        self.listeners.iter_mut().for_each(|listener| listener.event(event));
    }

    /// Tells the user something about a step.
    pub fn notice(&mut self, step: &StepName, text: impl Into<String>) {
        let text = self.secrets.masked(text.into());
        self.tell(&Event::Notice { name: Some(step.clone()), text });
    }

    /// Tells the user something about the run.
    pub fn notice_of_run(&mut self, text: impl Into<String>) {
        let text = self.secrets.masked(text.into());
        self.tell(&Event::Notice { name: None, text });
    }

    /// Lets listeners look at the clock.
    pub fn tick(&mut self) {
        self.listeners.iter_mut().for_each(|listener| listener.tick());
    }

    /// The secrets to mask.
    pub fn secrets(&self) -> &'a Secrets {
        self.secrets
    }

    /// A shorter borrow, for a part of the work.
    pub fn reborrow(&mut self) -> Announcer<'_> {
        Announcer { listeners: self.listeners, secrets: self.secrets }
    }
}
