//! The connection with a driver: frames go there, and each outcome goes to the lane that waits for it.

use crate::model::Refusal;
use crate::text::Printable;
use crate::wire::{
    DriverMessage, DriverReady, FrameReader, Hello, LostFrame, PROTOCOL, Role, Room, WireError, write_frame,
};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Where the first word of a driver goes: that it is connected, or why not.
pub(super) type FirstWord = Sender<Result<DriverReady, Refusal>>;

/// What a lane hears while it waits for a frame.
#[derive(Debug)]
pub(super) enum Word {
    /// The outcome of the frame.
    End(Answer),
    /// The step starts nothing new. The end follows.
    Stop,
    /// What is running ends now. Nothing follows.
    Kill,
}

/// The outcome of a frame.
#[derive(Debug)]
pub(super) enum Answer {
    /// A host has run it: its message.
    Outcome(Vec<u8>),
    /// It was lost with the process that ran it, and why; `shared` if other frames were lost with it.
    Lost { why: String, shared: bool },
}

/// How many words there may be for one ticket: each once.
const WORDS: usize = 3;

/// The engine's end.
#[derive(Debug)]
pub(super) struct Link {
    socket: Mutex<UnixStream>,
    waiting: Arc<Waiting>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

/// Who waits for what.
#[derive(Debug)]
pub(super) struct Waiting {
    /// By ticket. None once the driver is gone: then nobody waits.
    lanes: Mutex<Option<HashMap<u64, Sender<Word>>>>,
    first: Mutex<Option<FirstWord>>,
    /// Who has asked how many frames have room.
    asks: Mutex<Option<Sender<Room>>>,
    refusal: OnceLock<Refusal>,
    duplicates: AtomicU64,
}

impl Link {
    /// Reads from this socket until the driver closes it.
    ///
    /// # Errors
    /// If the system refuses a thread or a descriptor.
    pub(super) fn open(socket: UnixStream, waiting: Arc<Waiting>) -> io::Result<Self> {
        let (mut input, hears) = (socket.try_clone()?, Arc::clone(&waiting));
        let read = move || {
            let mut reader = FrameReader::default();
            while let Ok(Some(message)) = reader.read::<DriverMessage>(&mut input) {
                hears.hear(message);
            }
            hears.end();
        };
        let reader = Mutex::new(Some(Builder::new().name("driver".to_owned()).spawn(read)?));
        Ok(Self { socket: Mutex::new(socket), waiting, reader })
    }

    /// Sends a message.
    pub(super) fn send(&self, message: &DriverMessage) -> Result<(), WireError> {
        write_frame(&mut *lock(&self.socket), message)
    }

    /// Where the answer to this ticket will arrive; none if the driver is gone.
    pub(super) fn expect(&self, ticket: u64) -> Option<Receiver<Word>> {
        let (sender, receiver) = bounded(WORDS);
        lock(&self.waiting.lanes).as_mut()?.insert(ticket, sender);
        Some(receiver)
    }

    /// Where the answer to a question will arrive.
    pub(super) fn expect_room(&self) -> Receiver<Room> {
        let (sender, receiver) = bounded(1);
        *lock(&self.waiting.asks) = Some(sender);
        receiver
    }

    /// Tells all who wait.
    pub(super) fn tell(&self, word: fn() -> Word) {
        for lane in lock(&self.waiting.lanes).iter().flat_map(HashMap::values) {
            // There is room, unless it was told before.
            let _ = lane.try_send(word());
        }
    }

    /// Nobody waits for this ticket any more.
    pub(super) fn forget(&self, ticket: u64) {
        lock(&self.waiting.lanes).as_mut().map(|lanes| lanes.remove(&ticket));
    }

    /// Why the driver cannot go on, if it has said so.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.waiting.refusal.get().cloned()
    }

    /// How many outcomes arrived that nobody waited for.
    pub(super) fn duplicates(&self) -> u64 {
        self.waiting.duplicates.load(Ordering::Relaxed)
    }

    /// Closes the connection, which ends the driver.
    pub(super) fn close(&self) {
        // Only writing: the driver closes its end when it has left its cluster, and the reader ends.
        drop(lock(&self.socket).shutdown(Shutdown::Write));
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(lock(&self.socket).shutdown(Shutdown::Both));
        if let Some(reader) = lock(&self.reader).take() {
            drop(reader.join());
        }
    }
}

impl Waiting {
    /// Nobody yet, apart from who waits for the first word of the driver.
    pub(super) fn new(first: FirstWord) -> Self {
        Self {
            lanes: Mutex::new(Some(HashMap::new())),
            first: Mutex::new(Some(first)),
            asks: Mutex::new(None),
            refusal: OnceLock::new(),
            duplicates: AtomicU64::new(0),
        }
    }

    fn hear(&self, message: DriverMessage) {
        if lock(&self.first).is_some()
            && let Some(word) = first_word(&message)
            && let Some(first) = lock(&self.first).take()
        {
            return drop(first.send(word));
        }
        match message {
            DriverMessage::Outcome(ticket, bytes) => self.answer(ticket, Answer::Outcome(bytes)),
            DriverMessage::Lost(LostFrame { ticket, why, shared }) => self.answer(ticket, Answer::Lost { why, shared }),
            DriverMessage::Room(room) => {
                // The asker may have been stopped meanwhile.
                drop(lock(&self.asks).take().map(|asks| asks.send(room)));
            }
            DriverMessage::Refused(refusal) => {
                drop(self.refusal.set(refusal));
                self.end();
            }
            _ => {}
        }
    }

    /// Gives an answer to the lane that waits for it. A cluster may run a frame twice, or run one that nobody wants: the first
    /// outcome counts.
    fn answer(&self, ticket: u64, answer: Answer) {
        let lane = lock(&self.lanes).as_mut().and_then(|lanes| lanes.remove(&ticket));
        match (lane, &answer) {
            (Some(lane), _) => drop(lane.send(Word::End(answer))),
            (None, Answer::Outcome(_)) => drop(self.duplicates.fetch_add(1, Ordering::Relaxed)),
            (None, _) => {}
        }
    }

    /// The driver is gone: nothing more will arrive. Who waits sees its channel close.
    fn end(&self) {
        drop(lock(&self.lanes).take());
        drop(lock(&self.asks).take());
        drop(lock(&self.first).take());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a driver says first: that it is connected, or why not. `None` if it has not said it yet.
fn first_word(message: &DriverMessage) -> Option<Result<DriverReady, Refusal>> {
    match message {
        DriverMessage::Hello(Hello { protocol, role, .. }) if *protocol == PROTOCOL && *role == Role::Driver => None,
        DriverMessage::Hello(hello) => Some(Err(Refusal {
            message: format!(
                "its driver is of batchmill {}, and this is {}",
                Printable::line(&hello.batchmill),
                env!("CARGO_PKG_VERSION")
            ),
            help: Some("install the same version there".to_owned()),
        })),
        DriverMessage::Ready(ready) => Some(Ok(ready.clone())),
        DriverMessage::Refused(refusal) => Some(Err(refusal.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> (Link, UnixStream) {
        let (ours, driver) = UnixStream::pair().unwrap();
        let waiting = Arc::new(Waiting::new(bounded(1).0));
        (Link::open(ours, waiting).unwrap(), driver)
    }

    #[test]
    fn the_first_outcome_of_a_frame_counts_and_later_ones_are_counted() {
        let (link, mut driver) = link();
        let (first, second) = (link.expect(1).unwrap(), link.expect(2).unwrap());
        for (ticket, bytes) in [(1, b"a"), (1, b"b"), (7, b"c"), (2, b"d")] {
            write_frame(&mut driver, &DriverMessage::Outcome(ticket, bytes.to_vec())).unwrap();
        }
        let outcome = |words: Receiver<Word>| match words.recv().unwrap() {
            Word::End(Answer::Outcome(bytes)) => bytes,
            other => panic!("{other:?}"),
        };
        assert_eq!((outcome(first), outcome(second)), (b"a".to_vec(), b"d".to_vec()));
        assert_eq!(link.duplicates(), 2);
    }

    #[test]
    fn who_waits_hears_that_the_driver_is_gone() {
        let (link, driver) = link();
        let answer = link.expect(1).unwrap();
        drop(driver);
        assert!(answer.recv().is_err());
        assert!(link.expect(2).is_none(), "nobody waits for what cannot come");
    }

    #[test]
    fn a_driver_of_another_version_is_refused_by_its_first_word() {
        let (ours, mut driver) = UnixStream::pair().unwrap();
        let (first, word) = bounded(1);
        let _link = Link::open(ours, Arc::new(Waiting::new(first))).unwrap();
        let hello = Hello { protocol: PROTOCOL + 1, batchmill: "9.0\u{1b}[2J".to_owned(), role: Role::Driver };
        write_frame(&mut driver, &DriverMessage::Hello(hello)).unwrap();
        let refusal = word.recv().unwrap().unwrap_err();
        assert!(refusal.message.starts_with("its driver is of batchmill 9.0\\x1b"), "{}", refusal.message);
    }
}
