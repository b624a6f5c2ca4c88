//! The time limit of a step: a thread that ends the step when its time is up.
//!
//! It is set before the step opens its source, because that may wait too: for a command, a query or a pipe. Whatever waits
//! listens to the step's latches, so none of it needs to know the time limit.

use crate::task::Cancel;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Ends a step when its time is up. Dropping it takes the limit away.
#[derive(Debug, Default)]
pub struct Alarm {
    rung: Arc<AtomicBool>,
    waiting: Option<(Sender<Infallible>, JoinHandle<()>)>,
}

impl Alarm {
    /// Fires `stop` and `kill` after this time.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn set(limit: Option<Duration>, cancel: &Cancel) -> io::Result<Self> {
        let Some(limit) = limit else { return Ok(Self::default()) };
        let rung = Arc::new(AtomicBool::new(false));
        let (keep, gone) = bounded::<Infallible>(0);
        let (flag, cancel) = (Arc::clone(&rung), cancel.clone());
        let ring = move || {
            if gone.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                // First, so that whoever sees the latch knows why it fired.
                flag.store(true, Ordering::SeqCst);
                cancel.stop.fire();
                cancel.kill.fire();
            }
        };
        let thread = Builder::new().name("alarm".to_owned()).spawn(ring)?;
        Ok(Self { rung, waiting: Some((keep, thread)) })
    }

    /// Whether the time is up.
    pub fn has_rung(&self) -> bool {
        self.rung.load(Ordering::SeqCst)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some((keep, thread)) = self.waiting.take() {
            drop(keep);
            // It does nothing that could panic.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn an_alarm_fires_both_latches_when_its_time_is_up_and_not_if_it_is_dropped_before() {
        let cancel = Cancel::new().unwrap();
        drop(Alarm::set(Some(Duration::from_secs(3600)), &cancel).unwrap());
        assert!(!Alarm::set(None, &cancel).unwrap().has_rung() && !cancel.stop.is_fired());
        let alarm = Alarm::set(Some(Duration::ZERO), &cancel).unwrap();
        // Returns once the latch has fired.
        assert!(cancel.kill.channel().recv_deadline(Instant::now() + Duration::from_secs(60)).is_err());
        assert!(alarm.has_rung() && cancel.stop.is_fired() && cancel.kill.is_fired());
    }
}
