//! Ctrl-C and SIGTERM: the first asks, the second ends everything now.

use crate::task::Cancel;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

/// After the first signal, items under way may take this long to end.
const GRACE: Duration = Duration::from_secs(10);

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

/// Starts the thread that listens. The first signal stops the run and gives items under way [`GRACE`]; the second, or the
/// end of that time, kills them. What cannot be killed, such as a write to a disk that hangs, is left behind after
/// [`LAST`]: the ledger is whole at every instant, so nothing is lost with the process.
///
/// # Errors
/// Where the system refuses the handlers.
pub fn listen(cancel: &Cancel) -> io::Result<Interrupts> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let interrupts = Interrupts::default();
    let (seen, cancel) = (interrupts.clone(), cancel.clone());
    // Not joined: it lives as long as the process, and holds nothing that would have to be given back.
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if cancel.stop.is_fired() {
                cancel.kill.fire();
                continue;
            }
            seen.0.store(signal, Ordering::SeqCst);
            cancel.stop.fire();
            let cancel = cancel.clone();
            std::thread::spawn(move || end_in_time(&cancel, signal));
        }
    })?;
    Ok(interrupts)
}

/// Sees to it that a stopped run ends.
fn end_in_time(cancel: &Cancel, signal: i32) {
    // Disconnects early when the second signal fires it.
    let _ = cancel.kill.channel().recv_timeout(GRACE);
    if cancel.is_closing() {
        // The cleaning up has begun, which only a second signal ends.
        let _ = cancel.kill.channel().recv();
    }
    cancel.kill.fire();
    std::thread::sleep(LAST);
    drop(writeln!(io::stderr(), "something does not end; leaving it. What was done is kept"));
    std::process::exit(128 + signal);
}
