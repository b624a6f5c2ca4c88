//! Limits that a run keeps on a machine with others: how long it may take, how much memory it leaves free, and up to
//! which load it starts more.

use super::control::Control;
use super::signals::Stopper;
use crate::pipeline::Machine;
use crate::task::{available_memory, load_average};
use bytesize::ByteSize;
use crossbeam_channel::RecvTimeoutError;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::Builder;
use std::time::{Duration, Instant};

/// How often the machine is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The least time between two notices that the run is held back.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// What a run keeps to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// How long it may take.
    pub time: Option<Duration>,
    /// How much memory it leaves free, in bytes.
    pub min_free_memory: Option<u64>,
    /// The load average from which on it starts nothing.
    pub max_load: Option<f64>,
}

impl Limits {
    /// Has a run keep to them. The threads are not joined: they live as long as the process, and hold nothing that must be released.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn keep(self, stopper: &Stopper) -> io::Result<()> {
        if let Some(time) = self.time {
            stopper.stop_in(time)?;
        }
        if self.min_free_memory.is_some() || self.max_load.is_some() {
            let control = Arc::clone(stopper.control());
            let mut watch = Watch { limits: self, held: false, told: None };
            // Before the first step, so that it does not begin in a machine that is short.
            let _ = watch.look(&control);
            Builder::new().name("machine".to_owned()).spawn(move || {
                let stop = control.cancel.stop.channel();
                // When the run stops, what is held back stays so: the slots see that for themselves.
                while stop.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) && watch.look(&control).is_continue() {}
            })?;
        }
        Ok(())
    }

    /// Why nothing may start now.
    fn shortage(self) -> Option<String> {
        let (free, load) = (available_memory(), load_average());
        if let Some(least) = self.min_free_memory.filter(|least| free < *least) {
            let size = |bytes| ByteSize::b(bytes).display().iec();
            return Some(format!("{} of memory free, `min_free_memory` is {}", size(free), size(least)));
        }
        let most = self.max_load.filter(|most| load > *most)?;
        Some(format!("the load is {load:.1}, `max_load` is {most}"))
    }
}

/// Looks at the machine, again and again.
struct Watch {
    limits: Limits,
    held: bool,
    told: Option<Instant>,
}

impl Watch {
    /// Breaks when the steps are over.
    fn look(&mut self, control: &Control) -> ControlFlow<()> {
        let shortage = self.limits.shortage();
        if shortage.is_some() != self.held {
            self.held = shortage.is_some();
            control.width.hold_back(if self.held { Machine::Short } else { Machine::Ready });
        }
        if control.cancel.closing.is_fired() {
            // The closing steps wait for nothing. They may have begun just before.
            control.width.hold_back(Machine::Ready);
            return ControlFlow::Break(());
        }
        if let Some(why) = shortage
            && self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY)
            && let Some(step) = control.step()
        {
            step.tell(format!("new batches wait: {why}"));
            self.told = Some(Instant::now());
        }
        ControlFlow::Continue(())
    }
}
