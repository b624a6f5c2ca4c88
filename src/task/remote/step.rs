//! A step whose frames run on other machines.

use super::driver::Driver;
use super::link::Word;
use crate::model::{Refusal, Resources};
use crate::task::cancel::{Cancel, Latch};
use crate::task::withdrawn::Withdrawal;
use crate::wire::{Assignment, HostMessage, TokenLine, write_frame};
use crossbeam_channel::{Receiver, Sender, bounded, select};
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

/// A step that was announced to a driver.
#[derive(Debug)]
pub struct RemoteStep {
    pub(super) driver: Arc<Driver>,
    pub(super) program: u32,
    /// How long a slot waits from the end of a frame to the next one.
    pub(super) pause: Option<Duration>,
    pub(super) quarantine: Quarantine,
    /// The file that hosts watch.
    token: PathBuf,
    has_stopped: AtomicBool,
    /// Whether a host was seen that does not share the files of this machine.
    has_lonely_host: AtomicBool,
    /// Closed when the step has ended.
    _ends: Sender<Infallible>,
}

/// Where frames run one at a time that were lost together.
#[derive(Debug)]
pub(super) struct Quarantine {
    free: (Sender<()>, Receiver<()>),
}

/// The right to run in quarantine.
pub(super) struct Alone<'a>(&'a Sender<()>);

impl Quarantine {
    fn new() -> Self {
        let free = bounded(1);
        // There is room for it.
        let _ = free.0.send(());
        Self { free }
    }

    /// Waits until nobody else is in it; none if the run is ended first.
    pub(super) fn enter(&self, kill: &Latch) -> Option<Alone<'_>> {
        select! {
            recv(self.free.1) -> free => free.ok().map(|()| Alone(&self.free.0)),
            recv(kill.channel()) -> _ => None,
        }
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        // There is room: this took it out.
        let _ = self.0.send(());
    }
}

impl RemoteStep {
    /// Announces what to run. With a `rate_limit`, each slot has an equal share of it. Its next frame may run on another host, which
    /// does not know when the last request was; so `pause`, the interval of a share, separates them.
    ///
    /// # Errors
    /// If it cannot be sent, or the driver is gone.
    pub fn announce(
        driver: Arc<Driver>,
        (assignment, resources): (Assignment, Resources),
        (pause, cancel): (Option<Duration>, &Cancel),
    ) -> Result<Self, Refusal> {
        let token = assignment.token.clone();
        let mut program = Vec::new();
        write_frame(&mut program, &HostMessage::Assign(Box::new(assignment))).map_err(|error| Refusal {
            message: format!("the step cannot be sent to other machines: {error}"),
            help: None,
        })?;
        let program = driver.announce(resources, program)?;
        let ends = watch(&driver, cancel.clone())
            .map_err(|error| Refusal { message: format!("no thread can be started: {error}"), help: None })?;
        let (has_stopped, has_lonely_host) = (AtomicBool::new(false), AtomicBool::new(false));
        let quarantine = Quarantine::new();
        Ok(Self { driver, program, pause, quarantine, token, has_stopped, has_lonely_host, _ends: ends })
    }

    /// A host does not share the files of this machine. True if it is the first.
    pub(super) fn is_first_alone(&self) -> bool {
        !self.has_lonely_host.swap(true, Ordering::Relaxed)
    }

    /// Has hosts start no further item. What they have finished by then arrives as always.
    pub(super) fn stop(&self) {
        if !self.has_stopped.swap(true, Ordering::SeqCst) {
            self.tell_hosts(TokenLine::Stop);
        }
    }

    /// Has hosts take an item out.
    pub fn withdraw(&self, index: u64, how: Withdrawal) {
        self.tell_hosts(match how {
            Withdrawal::Skip => TokenLine::Skip(index),
            Withdrawal::Cancel => TokenLine::Cancel(index),
        });
    }

    fn tell_hosts(&self, line: TokenLine) {
        // In one write, so that no other gets in between. If it cannot be written, frames run to their end, or to the end of the
        // grace period.
        let _ = File::options()
            .append(true)
            .open(&self.token)
            .and_then(|mut file| file.write_all(line.to_string().as_bytes()));
    }
}

/// Tells lanes of a stop and of a kill: one thread that waits for both, because a thousand lanes that each wait for three things
/// are in each other's way. It ends when the sender that it returns is dropped.
fn watch(driver: &Arc<Driver>, cancel: Cancel) -> io::Result<Sender<Infallible>> {
    let (sender, ends) = bounded(0);
    let driver = Arc::downgrade(driver);
    let tell = move |word: fn() -> Word| driver.upgrade().iter().for_each(|driver| driver.tell(word));
    Builder::new().name("remote".to_owned()).spawn(move || {
        select! {
            recv(cancel.stop.channel()) -> _ => tell(|| Word::Stop),
            recv(cancel.kill.channel()) -> _ => {}
            recv(ends) -> _ => return,
        }
        select! {
            recv(cancel.kill.channel()) -> _ => tell(|| Word::Kill),
            recv(ends) -> _ => {}
        }
    })?;
    Ok(sender)
}

impl Drop for RemoteStep {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.token));
    }
}
