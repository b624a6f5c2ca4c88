//! The lane of a slot whose frames run on other machines.
//!
//! A frame that is lost with the process that ran it is sent again: no item has failed by that. What was lost too often is cut into
//! its items, because one of them may be what ends the processes; so is a crash in a local worker treated.

use super::link::{Answer, Word};
use super::pieces::{Piece, encode, fail, items, leave, merge, sort, whole};
use super::step::RemoteStep;
use crate::measure::SlotState;
use crate::model::{Failure, FailureKind, Refusal};
use crate::task::context::StepContext;
use crate::task::lane::{BatchOutcome, Frame, FrameOutcome, Lane};
use crate::wire::{FrameReader, HostMessage, HostOutcome};
use crossbeam_channel::{Receiver, RecvTimeoutError, at, select};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often frames may be lost with others before that counts against them.
const SHARED_LOSSES: u32 = 20;

/// How often a frame may be lost before it is cut into its items, and an item before it fails.
const LOSSES: u32 = 3;

/// How long a frame may wait in the queue of a cluster beyond the time that its items may take, before it counts as lost.
const QUEUED: Duration = Duration::from_secs(15 * 60);

/// Sends frames to a driver, one at a time.
pub(in crate::task) struct RemoteLane {
    remote: Arc<RemoteStep>,
    context: StepContext,
    slot: usize,
    /// When the next frame may be sent.
    free_at: Instant,
}

/// How the attempt to run some pieces ended.
enum Sent {
    /// A host has run them.
    Ran(HostOutcome),
    /// They were lost, too often.
    Lost(String),
    /// The run was ended.
    Interrupted,
    /// Nothing runs any more.
    Broken(Failure),
}

impl RemoteLane {
    /// The lane of this slot.
    pub(in crate::task) fn new(remote: Arc<RemoteStep>, context: StepContext, slot: usize) -> Self {
        // Slots begin one after the other, so that their shares of a `rate_limit` lie between each other.
        let pause = remote.pause.unwrap_or_default();
        let share = pause / u32::try_from(context.settings.width.max(1)).unwrap_or(u32::MAX);
        let free_at = Instant::now() + share * u32::try_from(slot).unwrap_or(u32::MAX);
        Self { remote, context, slot, free_at }
    }

    fn enter(&self, state: SlotState) {
        self.context.clocks.of(self.slot).enter(state);
    }

    /// Waits until the slot may make its next request.
    fn pause(&self) {
        if self.remote.pause.is_some() {
            self.enter(SlotState::RateLimited);
            select! {
                recv(self.context.cancel.kill.channel()) -> _ => {}
                recv(at(self.free_at)) -> _ => {}
            }
        }
    }

    /// Sends some pieces until they have an outcome, or were lost too often.
    fn send(&self, pieces: &[Piece<'_>], halt_on_failure: bool) -> Sent {
        let Some(first) = pieces.first() else { return Sent::Ran(HostOutcome::default()) };
        self.enter(SlotState::Encode);
        let frame = match encode(pieces, halt_on_failure) {
            Ok(frame) => frame,
            Err(error) => return Sent::Broken(self.broken(&format!("a frame cannot be sent: {error}"))),
        };
        let batch = &first.batch;
        let name = format!("batchmill/{}/{}/{}/{}", self.context.run.0, self.context.step, batch.number, batch.attempt);
        let (mut alone, mut losses, mut shared) = (None, 0, 0);
        loop {
            if self.context.cancel.stop.is_fired() {
                return Sent::Interrupted;
            }
            self.enter(SlotState::Send);
            let (ticket, answer) = match self.remote.driver.submit(self.remote.program, &name, frame.clone()) {
                Ok(submitted) => submitted,
                Err(refusal) => return Sent::Broken(self.refused(&refusal)),
            };
            self.enter(SlotState::Task);
            let answer = self.wait(&answer, deadline(pieces, self.context.settings.item_timeout));
            self.enter(SlotState::Receive);
            let why = match answer {
                Waited::Answer(Answer::Outcome(bytes)) => return self.opened(&bytes),
                // Whose process has died is not known: until it is, these frames run one at a time.
                Waited::Answer(Answer::Lost { shared: true, .. }) if alone.is_none() && shared < SHARED_LOSSES => {
                    shared += 1;
                    alone = self.remote.quarantine.enter(&self.context.cancel.kill);
                    continue;
                }
                Waited::Answer(Answer::Lost { why, .. }) => why,
                Waited::Late => {
                    self.remote.driver.cancel(ticket);
                    "no outcome in all the time that its items may take".to_owned()
                }
                Waited::Killed => {
                    self.remote.driver.cancel(ticket);
                    return Sent::Interrupted;
                }
                Waited::Gone => return Sent::Broken(self.refused(&self.remote.driver.gone())),
            };
            losses += 1;
            if losses == LOSSES {
                return Sent::Lost(why);
            }
        }
    }

    fn wait(&self, words: &Receiver<Word>, deadline: Option<Instant>) -> Waited {
        // What was fired before the frame was submitted, nobody tells.
        if self.context.cancel.kill.is_fired() {
            return Waited::Killed;
        }
        if self.context.cancel.stop.is_fired() {
            self.remote.stop();
        }
        loop {
            let word = match deadline {
                Some(deadline) => words.recv_deadline(deadline),
                None => words.recv().map_err(RecvTimeoutError::from),
            };
            return match word {
                // The host answers with what it has done by then.
                Ok(Word::Stop) => {
                    self.remote.stop();
                    continue;
                }
                Ok(Word::Kill) => Waited::Killed,
                Ok(Word::End(answer)) => Waited::Answer(answer),
                Err(RecvTimeoutError::Timeout) => Waited::Late,
                Err(RecvTimeoutError::Disconnected) => Waited::Gone,
            };
        }
    }

    /// Sends the items of pieces that were lost one by one: batches, if the task takes batches.
    fn one_by_one(&self, pieces: Vec<Piece<'_>>, frame: &Frame<'_>, outcome: &mut FrameOutcome) {
        let batched = self.context.settings.batched;
        let mut left: Vec<Piece<'_>> = if batched { pieces } else { pieces.iter().flat_map(items).collect() };
        left.reverse();
        while let Some(piece) = left.pop() {
            let piece = [piece];
            let ended = match self.send(&piece, frame.halt_on_failure) {
                Sent::Ran(ran) => self.take(&piece, ran, (frame, outcome)),
                Sent::Lost(why) => {
                    fail(&piece, &self.lost(&why), outcome);
                    frame.halt_on_failure
                }
                Sent::Interrupted => {
                    leave(&piece, outcome);
                    true
                }
                Sent::Broken(failure) => {
                    leave(&piece, outcome);
                    outcome.fatal.get_or_insert(failure);
                    true
                }
            };
            let failed = |batch: &BatchOutcome| {
                batch.failures.iter().any(|(_, failure)| self.context.settings.is_halted_by(failure))
            };
            let halts = frame.halt_on_failure && outcome.batches.iter().any(failed);
            if ended || halts || outcome.fatal.is_some() {
                break;
            }
        }
        leave(&left, outcome);
    }
}

impl RemoteLane {
    /// Takes what a host says of some pieces. True if it is of something else, which ends the step.
    fn take(&self, pieces: &[Piece<'_>], ran: HostOutcome, (frame, outcome): (&Frame<'_>, &mut FrameOutcome)) -> bool {
        let is_wrong = merge(pieces, ran, (frame, outcome), &self.context).is_none();
        if is_wrong {
            leave(pieces, outcome);
            outcome.fatal = Some(self.broken("a host has answered with the outcome of something else"));
        }
        is_wrong
    }

    /// Opens the message of a host.
    fn opened(&self, bytes: &[u8]) -> Sent {
        match FrameReader::default().read(&mut &*bytes) {
            Ok(Some(HostMessage::Outcome(outcome))) => Sent::Ran(outcome),
            Ok(Some(HostMessage::Refused(why))) => Sent::Broken(self.broken(&why)),
            Ok(_) => Sent::Broken(self.broken("a host has answered with something else than an outcome")),
            Err(error) => Sent::Broken(self.broken(&format!("the answer of a host cannot be read: {error}"))),
        }
    }

    fn lost(&self, why: &str) -> Failure {
        let message = format!("the process that ran it was lost {LOSSES} times: {}", self.masked(why));
        Failure::new(FailureKind::NodeLost, "NodeLost", message).permanent()
    }

    fn broken(&self, message: &str) -> Failure {
        Failure::new(FailureKind::Start, "ExecutorError", self.masked(message))
    }

    fn refused(&self, refusal: &Refusal) -> Failure {
        let failure = self.broken(&refusal.message);
        refusal.help.iter().fold(failure, |failure, help| failure.with_detail(self.masked(help)))
    }

    /// What the cluster says may come from user code that makes an executor.
    fn masked(&self, text: &str) -> String {
        self.context.host.secrets.masked(text.to_owned())
    }
}

/// What ended the wait for a frame.
enum Waited {
    Answer(Answer),
    Late,
    Killed,
    Gone,
}

impl Lane for RemoteLane {
    fn run(&mut self, frame: &Frame<'_>) -> FrameOutcome {
        self.pause();
        let mut outcome = FrameOutcome::default();
        outcome.batches.resize(frame.batches.len(), BatchOutcome::default());
        let pieces = whole(frame, &self.context.withdrawn, &mut outcome);
        let Some(first) = pieces.first() else {
            // The user has taken all of them out.
            sort(&mut outcome);
            return outcome;
        };
        self.context.current_items.on(self.slot, first.batch.indexes.get(0), Instant::now());
        match self.send(&pieces, frame.halt_on_failure) {
            Sent::Ran(ran) => drop(self.take(&pieces, ran, (frame, &mut outcome))),
            Sent::Lost(_) => self.one_by_one(pieces, frame, &mut outcome),
            Sent::Interrupted => leave(&pieces, &mut outcome),
            Sent::Broken(failure) => {
                leave(&pieces, &mut outcome);
                outcome.fatal = Some(failure);
            }
        }
        self.context.current_items.off(self.slot);
        self.free_at = Instant::now() + self.remote.pause.unwrap_or_default();
        sort(&mut outcome);
        outcome
    }
}

/// When a frame counts as lost without a word.
fn deadline(pieces: &[Piece<'_>], timeout: Option<Duration>) -> Option<Instant> {
    let items: usize = pieces.iter().map(|piece| piece.batch.items.len()).sum();
    let most = timeout?.checked_mul(u32::try_from(items).ok()?)?;
    Instant::now().checked_add(most)?.checked_add(QUEUED)
}
