//! Ctrl-C and SIGTERM: the first asks, the second ends what is under way now; one that comes while the run cleans up behind
//! itself ends that.

use super::control::{Command, Control};
use crossbeam_channel::select;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

/// After the kill, what is left may take this long; children get TERM first and KILL two seconds later.
const LAST: Duration = Duration::from_secs(4);

/// Which signal came, if one did.
#[derive(Debug, Clone, Default)]
pub struct Interrupts(Arc<AtomicI32>);

impl Interrupts {
    /// The number of the first signal.
    pub fn signal(&self) -> Option<i32> {
        Some(self.0.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }
}

/// Starts the thread that listens. The first signal stops the run and gives items under way the time of `grace`; the second,
/// or the end of that time, kills them. What cannot be killed is left behind after [`LAST`]: the ledger is whole at every
/// instant, so nothing is lost with the process.
///
/// # Errors
/// Where the system refuses the handlers.
pub fn listen(control: &Arc<Control>, grace: Duration) -> io::Result<Interrupts> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let interrupts = Interrupts::default();
    let (seen, control) = (interrupts.clone(), Arc::clone(control));
    // Not joined: it lives as long as the process, and holds nothing that would have to be given back.
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            // The first one too, if it comes while a run that succeeded cleans up.
            if control.cancel.closing.is_fired() {
                let _ = seen.0.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
                control.apply(Command::Kill);
                continue;
            }
            if control.cancel.stop.is_fired() {
                control.apply(Command::Kill);
                continue;
            }
            seen.0.store(signal, Ordering::SeqCst);
            control.apply(Command::Stop);
            let control = Arc::clone(&control);
            std::thread::spawn(move || end_in_time(&control, grace, signal));
        }
    })?;
    Ok(interrupts)
}

/// Makes a write beyond the limit on the size of files an error instead of the end of the program. A handler that does
/// nothing, and not "ignore": children of the engine inherit what is ignored, but get the default action for what is handled,
/// so a command dies of this signal as it would in a shell.
///
/// # Errors
/// Where the system refuses the handler.
pub fn outlive_file_limit() -> io::Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(drop)
}

/// Sees to it that a stopped run ends.
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
        control.apply(Command::Kill);
        let _ = closing.recv_timeout(LAST);
    }
    if cancel.closing.is_fired() {
        // The cleaning up takes the time that it needs; only a further signal ends it.
        let _ = cancel.last.channel().recv();
        std::thread::sleep(LAST);
    }
    drop(writeln!(
        io::stderr(),
        "warning: some tasks could not be stopped and are left behind\nhelp: what was done is kept; continue with `batchmill resume`"
    ));
    std::process::exit(128 + signal);
}
