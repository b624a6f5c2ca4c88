//! Ctrl-C, SIGTERM and SIGHUP, which comes when a terminal is closed. The first signal stops the run, the second kills what is still running. A signal during the
//! closing steps ends those.

use super::control::Control;
use crate::task::is_ignored;
use crossbeam_channel::select;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::io::{self, Write};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The exit code of a run that has reached its time limit.
const OUT_OF_TIME: u8 = 6;

/// How long the rest may take after the kill. Children get TERM first, and KILL two seconds later.
const LAST: Duration = Duration::from_secs(4);

/// What stopped a run from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoppedBy {
    /// A signal, or the user from another process.
    Signal(i32),
    /// Its time limit.
    TimeLimit(Duration),
}

impl StoppedBy {
    /// The exit code of a run that was stopped like this.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Signal(signal) => u8::try_from(128 + signal).unwrap_or(130),
            Self::TimeLimit(_) => OUT_OF_TIME,
        }
    }
}

/// What stops a run: signals, or the user from another process.
#[derive(Clone)]
pub struct Stopper {
    control: Arc<Control>,
    /// What stopped it first.
    by: Arc<OnceLock<StoppedBy>>,
    grace: Duration,
}

impl Stopper {
    /// Starts the thread that listens. The first signal stops the run and gives running items `grace` to finish; the second,
    /// or the end of that time, kills them. What cannot be killed within [`LAST`] is left behind: the ledger is consistent at
    /// every moment, so nothing is lost with the process.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn listen(control: &Arc<Control>, grace: Duration) -> io::Result<Self> {
        // Whoever ignores it, as `nohup` does, wants the run to outlive the terminal.
        let hang_up = (!is_ignored(SIGHUP)).then_some(SIGHUP);
        let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hang_up))?;
        let stopper = Self { control: Arc::clone(control), by: Arc::default(), grace };
        let listener = stopper.clone();
        // Not joined: it lives as long as the process, and holds nothing that must be released.
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || signals.forever().for_each(|signal| listener.on_signal(signal)))?;
        Ok(stopper)
    }

    /// What stopped the run from outside, if anything did.
    pub fn stopped_by(&self) -> Option<StoppedBy> {
        self.by.get().copied()
    }

    /// Stops the run in time: from `grace` before this limit on, nothing new starts, and at the limit what still runs is ended.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub(super) fn stop_in(&self, limit: Duration) -> io::Result<()> {
        let grace = self.grace.min(limit / 2);
        let stopper = Self { grace, ..self.clone() };
        // Not joined, like the one for signals.
        std::thread::Builder::new().name("time limit".to_owned()).spawn(move || {
            let (stop, closing) = (stopper.control.cancel.stop.channel(), stopper.control.cancel.closing.channel());
            select! {
                recv(stop) -> _ => return,
                recv(closing) -> _ => return,
                default(limit.saturating_sub(grace)) => {}
            }
            if let Some(step) = stopper.control.step() {
                step.tell(format!(
                    "the time limit of {limit:?} is near: nothing new starts, and what runs may take {grace:?} more"
                ));
            }
            stopper.begin_to_stop(StoppedBy::TimeLimit(limit));
        })?;
        Ok(())
    }

    /// What is stopped.
    pub(super) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Stops the run as Ctrl-C does. Another time, nothing happens: only signals kill what is running.
    pub(super) fn stop(&self) {
        if !self.control.cancel.stop.is_fired() {
            self.begin_to_stop(StoppedBy::Signal(SIGINT));
        }
    }

    fn on_signal(&self, signal: i32) {
        // The first one too, if it comes while a run that succeeded cleans up.
        if self.control.cancel.closing.is_fired() {
            self.by.get_or_init(|| StoppedBy::Signal(signal));
            self.control.kill();
        } else if self.control.cancel.stop.is_fired() {
            self.control.kill();
        } else {
            self.begin_to_stop(StoppedBy::Signal(signal));
        }
    }

    fn begin_to_stop(&self, by: StoppedBy) {
        let by = *self.by.get_or_init(|| by);
        self.control.stop();
        let (control, grace) = (Arc::clone(&self.control), self.grace);
        std::thread::spawn(move || end_in_time(&control, grace, by));
    }
}

/// Turns a write beyond the file size limit into an error; by default it ends the program. The handler does nothing, but
/// it is not "ignore": children inherit ignored signals, while handled ones get the default action back. So a command
/// dies of this signal as it would in a shell.
///
/// # Errors
/// If the system refuses it.
pub fn outlive_file_limit() -> io::Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(drop)
}

/// Makes sure that a stopped run ends.
fn end_in_time(control: &Control, grace: Duration, by: StoppedBy) {
    let cancel = &control.cancel;
    let (closing, kill) = (cancel.closing.channel(), cancel.kill.channel());
    // A latch never receives anything: it disconnects when it fires.
    select! {
        recv(closing) -> _ => {}
        recv(kill) -> _ => {}
        default(grace) => {}
    }
    if !cancel.closing.is_fired() {
        control.kill();
        let _ = closing.recv_timeout(LAST);
    }
    if cancel.closing.is_fired() {
        // Closing steps take as long as they need; only another signal ends them.
        let _ = cancel.last.channel().recv();
        std::thread::sleep(LAST);
    }
    drop(writeln!(
        io::stderr(),
        "warning: some tasks could not be stopped\nhelp: finished results are saved; continue with `batchmill resume`"
    ));
    std::process::exit(by.exit_code().into());
}
