//! Clocks that divide the time of a thread into states.

use super::sample::SlotTimes;
use super::state::SlotState;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How often a reader tries to read a clock that is being changed. A change takes some nanoseconds.
const TRIES: u32 = 100;

/// In place of a state while the clock is being changed.
const CHANGING: u64 = 0xF;

/// In place of a state while the clock stands still.
const STOPPED: u64 = 0xE;

/// Which state a thread is in, and how long it has been in each of them. The thread writes; anyone may read.
///
/// The states sum to the time for which the clock ran, because each change ends one and begins another. Relaxed ordering
/// would let a reader count a state twice, so all accesses are sequentially consistent; a change takes some 50 ns.
#[derive(Debug)]
#[repr(align(128))]
pub struct Clock<const N: usize> {
    origin: Instant,
    /// The current state in the lowest four bits, and above them the nanosecond at which it began.
    now: AtomicU64,
    /// Nanoseconds in each state.
    totals: [AtomicU64; N],
}

impl<const N: usize> Clock<N> {
    /// A clock that stands still.
    pub fn new(origin: Instant) -> Self {
        Self { origin, now: AtomicU64::new(STOPPED), totals: [const { AtomicU64::new(0) }; N] }
    }

    /// Begins the state with this number, and ends the current one. Returns that of before.
    fn change(&self, to: u64) -> u64 {
        // Before the time is read: whoever has read the clock until now has seen an earlier time than this.
        let before = self.now.swap(CHANGING, Ordering::SeqCst);
        let at = self.elapsed();
        let (state, since) = (before & 0xF, before >> 4);
        if let Some(total) = self.totals.get(usize::try_from(state).unwrap_or(N)) {
            total.store(total.load(Ordering::SeqCst) + at.saturating_sub(since), Ordering::SeqCst);
        }
        self.now.store(at << 4 | to, Ordering::SeqCst);
        state
    }

    /// Enters this state, and ends the current one. That costs next to nothing if it is the current one.
    pub fn enter(&self, state: usize) {
        if self.now.load(Ordering::Relaxed) & 0xF != state as u64 {
            self.change(state as u64);
        }
    }

    /// Ends the current state; none begins.
    pub fn stop(&self) {
        self.change(STOPPED);
    }

    /// Does something within this state, and returns to the current one.
    pub fn during<T>(&self, state: usize, work: impl FnOnce() -> T) -> T {
        let before = self.change(state as u64);
        let done = work();
        self.change(before);
        done
    }

    /// Nanoseconds in each state so far. `None` if the thread happened to change it at every try.
    pub fn read(&self) -> Option<[u64; N]> {
        for _ in 0..TRIES {
            let before = self.now.load(Ordering::SeqCst);
            let mut totals = [0; N];
            totals.iter_mut().zip(&self.totals).for_each(|(to, from)| *to = from.load(Ordering::SeqCst));
            let at = self.elapsed();
            if before & 0xF == CHANGING || self.now.load(Ordering::SeqCst) != before {
                std::hint::spin_loop();
                continue;
            }
            if let Some(current) = totals.get_mut(usize::try_from(before & 0xF).unwrap_or(N)) {
                *current += at.saturating_sub(before >> 4);
            }
            return Some(totals);
        }
        None
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The clocks of a step's slots.
#[derive(Debug)]
pub struct SlotClocks(Box<[Clock<{ SlotState::ALL.len() }>]>);

impl SlotClocks {
    /// A clock for each of `slots` slots, at least one.
    pub fn new(slots: usize) -> Self {
        let origin = Instant::now();
        Self((0..slots.max(1)).map(|_| Clock::new(origin)).collect())
    }

    /// The clock of a slot.
    pub fn of(&self, slot: usize) -> SlotClock<'_> {
        SlotClock(&self.0[slot.min(self.0.len() - 1)])
    }

    /// Nanoseconds in each state, for each slot. `before` is what was read last, which stays where a clock cannot be read.
    pub fn read(&self, before: &[SlotTimes]) -> Vec<SlotTimes> {
        let old = |slot: usize| before.get(slot).copied().unwrap_or_default();
        self.0.iter().enumerate().map(|(slot, clock)| clock.read().unwrap_or_else(|| old(slot))).collect()
    }
}

/// The clock of one slot.
#[derive(Debug, Clone, Copy)]
pub struct SlotClock<'a>(&'a Clock<{ SlotState::ALL.len() }>);

impl SlotClock<'_> {
    /// Enters this state, and ends the current one.
    pub fn enter(self, state: SlotState) {
        self.0.enter(state as usize);
    }

    /// Does something within this state, and returns to the current one.
    pub fn during<T>(self, state: SlotState, work: impl FnOnce() -> T) -> T {
        self.0.during(state as usize, work)
    }

    /// Ends the current state; none begins.
    pub fn stop(self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn the_spans_sum_to_the_time_for_which_a_clock_ran() {
        let clock: Clock<3> = Clock::new(Instant::now());
        assert_eq!(clock.read(), Some([0; 3]), "a clock stands still until a state begins");
        let began = clock.elapsed();
        clock.enter(0);
        clock.during(2, || clock.during(1, || ()));
        let first = clock.read().unwrap();
        clock.stop();
        let ended = clock.elapsed();
        let [a, b, c] = clock.read().unwrap();
        assert!(first.iter().sum::<u64>() <= a + b + c && a + b + c <= ended - began);
        assert!(a > 0 && b > 0 && c > 0);
        assert_eq!(clock.read(), Some([a, b, c]));
    }

    #[test]
    fn a_clock_that_is_read_while_it_changes_never_goes_back() {
        let clock: Clock<2> = Clock::new(Instant::now());
        clock.enter(0);
        let done = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for at in 0..200_000 {
                    clock.enter(at % 2);
                }
                done.store(true, Ordering::SeqCst);
            });
            let mut last = [0; 2];
            while !done.load(Ordering::SeqCst) {
                let Some(now) = clock.read() else { continue };
                assert!(now[0] >= last[0] && now[1] >= last[1], "{last:?} {now:?}");
                last = now;
            }
        });
    }
}
