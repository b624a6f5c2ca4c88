//! The connection: one assignment, then one outcome for each frame.

use super::assigned::Assigned;
use crate::measure::SlotState;
use crate::model::{Batch, HostName, Items, Keys};
use crate::task::{BatchOutcome, Cancel, Frame, FrameOutcome, LogLine};
use crate::wire::{
    FrameReader, Hello, HostBatch, HostLog, HostMessage, HostOutcome, HostOutcomeHead, Role, Run, WireError,
    write_frame,
};
use crossbeam_channel::{Receiver, unbounded};
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

/// The command-line argument that makes `batchmill` a host.
pub const VERB: &str = "host";

/// How much printed text a frame may bring along, in bytes.
const MOST_PRINTED: usize = 16 << 20;

/// Serves what has started it, until that closes stdin. Python tasks run in this interpreter, which is of this version.
///
/// # Errors
/// If stdin or stdout fails, or the system refuses what it needs.
pub fn serve(python: Option<(PathBuf, String)>) -> io::Result<()> {
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let cancel = Cancel::new()?;
    write(&mut output, &HostMessage::Hello(Hello::new(Role::Host)))?;
    let (arrived, messages) = unbounded();
    let input_state = Arc::new(InputState::default());
    let (ends, state) = (cancel.clone(), Arc::clone(&input_state));
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Not joined: it waits for stdin, which outlives the last frame.
    Builder::new().name("input".to_owned()).spawn(move || {
        let mut reader = FrameReader::default();
        while let Ok(Some(message)) = reader.read::<HostMessage>(&mut input) {
            if arrived.send(message).is_err() {
                break;
            }
        }
        state.has_closed.store(true, Ordering::SeqCst);
        // Nobody waits for what is running. If nothing is, `teardown` comes next.
        if state.is_busy.load(Ordering::SeqCst) {
            ends.stop.fire();
            ends.kill.fire();
        }
    })?;
    let Ok(HostMessage::Assign(assignment)) = messages.recv() else { return Ok(()) };
    match Assigned::open(*assignment, python, &cancel) {
        Ok(assigned) => {
            write(&mut output, &HostMessage::Ready)?;
            frames(&assigned, &messages, (&mut output, &input_state))
        }
        Err(why) => write(&mut output, &HostMessage::Refused(why)),
    }
}

/// What is known of stdin, and of what it brought.
#[derive(Debug, Default)]
struct InputState {
    is_busy: AtomicBool,
    has_closed: AtomicBool,
}

/// Runs frames until there are no more.
fn frames(
    assigned: &Assigned,
    messages: &Receiver<HostMessage>,
    (output, input): (&mut File, &InputState),
) -> io::Result<()> {
    let mut lane = assigned.lane();
    while let Ok(HostMessage::Frame(run)) = messages.recv() {
        input.is_busy.store(true, Ordering::SeqCst);
        if input.has_closed.load(Ordering::SeqCst) {
            break;
        }
        let halt_on_failure = run.halt_on_failure;
        let answer = match batches(run, assigned.forms()) {
            Some(batches) => {
                let logs = RefCell::new(Logs::default());
                let log = |at: usize, line: LogLine| logs.borrow_mut().push(at, line);
                let frame = Frame { batches: &batches, halt_on_failure, error: None, log: &log };
                assigned.clock().enter(SlotState::Encode);
                let outcome = lane.run(&frame);
                assigned.clock().enter(SlotState::Idle);
                HostMessage::Outcome(arranged(outcome, assigned.name().clone(), logs.into_inner().lines))
            }
            None => HostMessage::Refused("the frame is damaged".to_owned()),
        };
        if input.has_closed.load(Ordering::SeqCst) {
            // The frame was interrupted, so it has no outcome.
            break;
        }
        write(output, &answer)?;
        input.is_busy.store(false, Ordering::SeqCst);
    }
    // What `teardown` prints has no item, and nobody to hear it.
    drop(lane.finish(&|_| {}));
    Ok(())
}

/// The batches of a frame. None if they do not fit together.
fn batches(run: Run, forms: usize) -> Option<Vec<Batch>> {
    let mut from = 0;
    let mut batches = Vec::with_capacity(run.batches.len());
    for head in run.batches {
        let count = head.indexes.len();
        let to = from + count;
        if to > run.items.len() || head.form >= forms {
            return None;
        }
        let mut items = Items::default();
        (from..to).for_each(|position| items.push(run.items.get(position)));
        from = to;
        batches.push(Batch {
            number: head.number,
            size: head.size,
            attempt: head.attempt,
            indexes: head.indexes,
            items,
            // Only the engine knows items by their keys.
            keys: Keys::Run(0.into(), count),
            form: head.form,
            origin: head.origin,
            bytes: 0,
            file_error: None,
        });
    }
    Some(batches)
}

/// What was printed, as far as there is room.
#[derive(Default)]
struct Logs {
    lines: Vec<HostLog>,
    bytes: usize,
}

impl Logs {
    fn push(&mut self, batch: usize, line: LogLine) {
        let LogLine { position, stream, text } = line;
        let before = self.bytes;
        self.bytes += text.len();
        if self.bytes <= MOST_PRINTED {
            self.lines.push(HostLog { batch, position, stream, text });
        } else if before <= MOST_PRINTED {
            let text = format!("batchmill: more than {} MiB were printed; the rest is missing\n", MOST_PRINTED >> 20);
            self.lines.push(HostLog { batch, position, stream, text });
        }
    }
}

/// An outcome as it travels.
fn arranged(outcome: FrameOutcome, host: HostName, logs: Vec<HostLog>) -> HostOutcome {
    let FrameOutcome { batches, fatal, worker, request, times, .. } = outcome;
    let mut results = Vec::new();
    let batches = batches.into_iter().map(|batch| {
        let BatchOutcome { unrun, failures, lines, form, list, nulls, files } = batch;
        results.extend_from_slice(&lines.0);
        let failure = |(position, failure): (usize, crate::model::Failure)| {
            let wait = failure.retry_after;
            (position, failure, wait)
        };
        let failures = failures.into_iter().map(failure).collect();
        HostBatch { unrun, failures, bytes: lines.0.len(), form, list, nulls, files }
    });
    let batches = batches.collect();
    let times = times.into_iter().map(|(at, time)| (u32::try_from(at).unwrap_or(u32::MAX), time));
    let spent = (worker.decode, worker.task, worker.encode);
    let requests = (request.connect, request.wait, request.transfer);
    HostOutcome {
        head: HostOutcomeHead { host, batches, fatal, logs, spent, requests },
        times: times.collect(),
        results,
    }
}

fn write(output: &mut File, message: &HostMessage) -> io::Result<()> {
    write_frame(output, message).map_err(|error| match error {
        WireError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    })
}
