//! Ctrl-C and SIGTERM. The first signal stops the run, the second kills what is still running. A signal during the
//! closing steps ends those.

use super::control::Control;
use crossbeam_channel::select;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

/// How long the rest may take after the kill. Children get TERM first, and KILL two seconds later.
const LAST: Duration = Duration::from_secs(4);

/// The signal that interrupted the run, if any.
#[derive(Debug, Clone, Default)]
struct Interrupts(Arc<AtomicI32>);

impl Interrupts {
    /// The number of the first signal.
    fn signal(&self) -> Option<i32> {
        Some(self.0.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }
}

/// What stops a run: signals, or the user from another process.
#[derive(Clone)]
pub struct Stopper {
    control: Arc<Control>,
    interrupts: Interrupts,
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
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let stopper = Self { control: Arc::clone(control), interrupts: Interrupts::default(), grace };
        let listener = stopper.clone();
        // Not joined: it lives as long as the process, and holds nothing that must be released.
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || signals.forever().for_each(|signal| listener.on_signal(signal)))?;
        Ok(stopper)
    }

    /// The signal that interrupted the run, if any.
    pub fn signal(&self) -> Option<i32> {
        self.interrupts.signal()
    }

    /// What is stopped.
    pub(super) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Stops the run as Ctrl-C does. Another time, nothing happens: only signals kill what is running.
    pub(super) fn stop(&self) {
        if !self.control.cancel.stop.is_fired() {
            self.begin_to_stop(SIGINT);
        }
    }

    fn on_signal(&self, signal: i32) {
        // The first one too, if it comes while a run that succeeded cleans up.
        if self.control.cancel.closing.is_fired() {
            let _ = self.interrupts.0.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
            self.control.kill();
        } else if self.control.cancel.stop.is_fired() {
            self.control.kill();
        } else {
            self.begin_to_stop(signal);
        }
    }

    fn begin_to_stop(&self, signal: i32) {
        self.interrupts.0.store(signal, Ordering::SeqCst);
        self.control.stop();
        let (control, grace) = (Arc::clone(&self.control), self.grace);
        std::thread::spawn(move || end_in_time(&control, grace, signal));
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
fn end_in_time(control: &Control, grace: Duration, signal: i32) {
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
    std::process::exit(128 + signal);
}
