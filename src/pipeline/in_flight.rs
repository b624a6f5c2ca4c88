//! How many bytes of results are on their way from the slots to the recorder.
//!
//! The channel between them counts frames, and a frame may be a few bytes or a hundred megabytes. A slot whose frame would
//! exceed the bound waits, unless nothing else is on its way: a frame of any size gets through.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The bound. A recorder that is quicker than the slots never comes near it.
const MOST_BYTES: usize = 32 << 20;

/// The bytes on their way, and whether anyone still takes them.
#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    is_closed: bool,
}

/// Counts the bytes of results that were not recorded yet.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    held: Mutex<Held>,
    freed: Condvar,
}

impl InFlight {
    /// Adds the results of a frame, once there is room for them.
    pub(super) fn enter(&self, bytes: usize) {
        let full = |held: &mut Held| !held.is_closed && held.bytes > 0 && held.bytes + bytes > MOST_BYTES;
        let mut held = self.freed.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        held.bytes += bytes;
    }

    /// Removes results that were recorded, or given up.
    pub(super) fn leave(&self, bytes: usize) {
        self.lock().bytes -= bytes;
        self.freed.notify_all();
    }

    /// Nobody waits any more, as long as the guard has been dropped: whoever takes results may have panicked.
    pub(super) fn close_at_end(&self) -> impl Drop + '_ {
        struct Closing<'a>(&'a InFlight);
        impl Drop for Closing<'_> {
            fn drop(&mut self) {
                self.0.lock().is_closed = true;
                self.0.freed.notify_all();
            }
        }
        Closing(self)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::{TryRecvError, bounded};

    #[test]
    fn a_frame_waits_for_room_unless_it_is_alone() {
        let in_flight = InFlight::default();
        in_flight.enter(3 * MOST_BYTES);
        in_flight.leave(3 * MOST_BYTES);
        in_flight.enter(MOST_BYTES - 1);
        in_flight.enter(1);
        let (entered, waits) = bounded(1);
        std::thread::scope(|threads| {
            let in_flight = &in_flight;
            threads.spawn(move || {
                in_flight.enter(2);
                entered.send(()).unwrap();
            });
            in_flight.leave(1);
            assert_eq!(waits.try_recv(), Err(TryRecvError::Empty), "there is room for one byte only");
            in_flight.leave(1);
            assert_eq!(waits.recv(), Ok(()));
        });
    }

    #[test]
    fn nobody_waits_for_one_who_takes_nothing_more() {
        let in_flight = InFlight::default();
        in_flight.enter(MOST_BYTES);
        std::thread::scope(|threads| {
            threads.spawn(|| in_flight.enter(1));
            drop(in_flight.close_at_end());
        });
        in_flight.enter(MOST_BYTES);
    }
}
