//! A running step, as those who steer the run see it: which items are running, and what the step can be told.
//!
//! Lanes and slots look at what they share with it. What concerns the counts or the queue of retries goes to the aggregator
//! as an order.

use super::running_frames::RunningFrames;
use super::width::Width;
use crate::model::StepName;
use crate::task::{StepContext, Withdrawal};
use crate::text::Secrets;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the aggregator may take to answer. It looks for orders ten times a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many orders may wait. Whoever gives one more waits as well.
const MOST_ORDERS: usize = 64;

/// What the aggregator is told.
pub(super) enum Order {
    /// Run the failed items again. A step that is ending sends no answer.
    RetryFailed(Sender<RetriedItems>),
    /// The user has taken this item out: it does not wait for its retry.
    Withdrawn(u64),
    /// Let everyone know.
    Tell(String),
}

/// How many failed items run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetriedItems {
    /// Those that do.
    pub count: u64,
    /// Those that do not, because they could not be kept.
    pub left: u64,
}

/// Where orders come in. Whoever hands items back to the feeder must know that it has not ended, and it must not end before
/// it has got them.
pub(super) struct OrderBook {
    sender: Sender<Order>,
    orders: Receiver<Order>,
    feeder: Mutex<FeederState>,
}

#[derive(Default)]
struct FeederState {
    has_ended: bool,
    /// What it was promised and has not got yet.
    promises: usize,
}

impl OrderBook {
    pub(super) fn new() -> Self {
        let (sender, orders) = bounded(MOST_ORDERS);
        Self { sender, orders, feeder: Mutex::default() }
    }

    pub(super) fn sender(&self) -> Sender<Order> {
        self.sender.clone()
    }

    fn feeder(&self) -> MutexGuard<'_, FeederState> {
        self.feeder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Promises items to the feeder; false if it has ended.
    pub(super) fn promise(&self) -> bool {
        let mut feeder = self.feeder();
        feeder.promises += usize::from(!feeder.has_ended);
        !feeder.has_ended
    }

    /// The feeder has got what it was promised.
    pub(super) fn keep_promise(&self) {
        self.feeder().promises -= 1;
    }

    /// Ends the feeder, unless it was promised something.
    pub(super) fn close(&self) -> bool {
        let mut feeder = self.feeder();
        feeder.has_ended = feeder.promises == 0;
        feeder.has_ended
    }

    /// The next order, if there is one.
    pub(super) fn next(&self) -> Option<Order> {
        self.orders.try_recv().ok()
    }
}

/// An item that is running.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// Its slot.
    pub slot: usize,
    /// Its index; of a batch, that of its first item.
    pub index: u64,
    /// The item, if it is at hand: without secrets, and cut short.
    pub item: Option<String>,
    /// For how long it has been running.
    pub took: Duration,
}

/// Where an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// It is running, or its batch is.
    Running,
    /// A slot has it, and it may run at any moment.
    InSlot,
    /// No slot has it.
    Elsewhere,
}

/// A running step.
pub struct SteeredStep {
    pub(super) context: StepContext,
    pub(super) frames: Arc<RunningFrames>,
    pub(super) width: Arc<Width>,
    /// Whether it finds its width itself.
    pub(super) finds_width: AtomicBool,
    pub(super) orders: Sender<Order>,
    pub(super) secrets: Arc<Secrets>,
}

impl SteeredStep {
    /// Its name.
    pub fn name(&self) -> &StepName {
        &self.context.step
    }

    /// Whether it has items: a plain step has not.
    pub fn has_items(&self) -> bool {
        self.context.settings.has_item
    }

    /// The most items that may run at a time.
    pub fn most_jobs(&self) -> usize {
        self.context.settings.width
    }

    /// How many may run at a time now, whatever the run's width.
    pub fn jobs(&self) -> usize {
        self.width.jobs().min(self.most_jobs())
    }

    /// Whether it finds the number itself.
    pub fn finds_width(&self) -> bool {
        self.finds_width.load(Ordering::SeqCst)
    }

    /// From now on the width of the run counts alone.
    pub fn stop_finding_width(&self) {
        self.width.hold(NonZeroUsize::MAX);
        self.finds_width.store(false, Ordering::SeqCst);
    }

    /// The items that are running.
    pub fn running(&self) -> Vec<Running> {
        let items = self.context.current_items.look().enumerate();
        let items = items.filter_map(|(slot, item)| item.map(|(index, took)| (slot, index, took)));
        items
            .map(|(slot, index, took)| {
                let item = self.frames.name((slot, index), &self.context, &self.secrets);
                Running { slot, index, item, took }
            })
            .collect()
    }

    /// Where an item is.
    pub fn whereabouts(&self, index: u64) -> Whereabouts {
        let batched = self.context.settings.batched;
        let running = |slot: usize| self.context.current_items.look().nth(slot).flatten().map(|(index, _)| index);
        let of_slot = |slot: usize| {
            let batch = self.frames.batch_with(slot, index)?;
            let is_running =
                running(slot).is_some_and(|at| if batched { batch.position(at).is_some() } else { at == index });
            // Which item of its frame a host is at is not known.
            let is_here = self.context.host.remote.is_none();
            Some(if is_running && is_here { Whereabouts::Running } else { Whereabouts::InSlot })
        };
        (0..self.most_jobs()).find_map(of_slot).unwrap_or(Whereabouts::Elsewhere)
    }

    /// Whether an item is taken out already.
    pub fn is_withdrawn(&self, index: u64) -> bool {
        self.context.withdrawn.has(index)
    }

    /// Takes an item out.
    ///
    /// # Errors
    /// If the system is out of descriptors.
    pub fn withdraw(&self, index: u64, how: Withdrawal) -> io::Result<()> {
        self.context.withdrawn.take_out(index, how)?;
        if let Some(remote) = &self.context.host.remote {
            remote.withdraw(index, how);
        }
        drop(self.orders.send(Order::Withdrawn(index)));
        Ok(())
    }

    /// Runs the items again that have failed; none if the step is ending.
    pub fn retry_failed(&self) -> Option<RetriedItems> {
        let (reply, answer) = bounded(1);
        self.orders.send(Order::RetryFailed(reply)).ok()?;
        answer.recv_timeout(PATIENCE).ok()
    }

    /// Lets everyone who hears of the step know.
    pub fn tell(&self, text: String) {
        drop(self.orders.send(Order::Tell(text)));
    }
}
