//! Cuts a frame into what is sent, and puts together what comes back.

use crate::model::{Batch, Failure, HostName, ItemTime, Items};
use crate::task::context::StepContext;
use crate::task::item_files::ItemFiles;
use crate::task::lane::{Frame, FrameOutcome, LogLine};
use crate::task::withdrawn::{Withdrawn, skipped};
use crate::text::Printable;
use crate::wire::{HostBatch, HostMessage, HostOutcome, HostOutcomeHead, Run, RunBatch, WireError, write_frame};
use std::borrow::Cow;
use std::path::PathBuf;

/// A batch of a frame, or some items of one.
pub(super) struct Piece<'a> {
    /// The place of the batch in the frame.
    at: usize,
    pub(super) batch: Cow<'a, Batch>,
    /// The positions of its items in that batch; none if these are all.
    positions: Option<Vec<usize>>,
}

impl Piece<'_> {
    /// The position in the batch of the item at this position of the piece.
    fn position(&self, position: usize) -> usize {
        self.positions.as_ref().and_then(|positions| positions.get(position).copied()).unwrap_or(position)
    }
}

/// The batches of a frame. Items that the user has taken out are not among them: they have their outcome.
pub(super) fn whole<'a>(frame: &'a Frame<'_>, withdrawn: &Withdrawn, outcome: &mut FrameOutcome) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    for (at, batch) in frame.batches.iter().enumerate() {
        let is_out = |position: &usize| withdrawn.any() && withdrawn.has(batch.indexes.get(*position));
        let (out, left): (Vec<usize>, Vec<usize>) = (0..batch.items.len()).partition(is_out);
        if out.is_empty() {
            pieces.push(Piece { at, batch: Cow::Borrowed(batch), positions: None });
            continue;
        }
        outcome.batches[at].failures.extend(out.into_iter().map(|position| (position, skipped())));
        if !left.is_empty() {
            pieces.push(Piece { at, batch: Cow::Owned(batch.part(&left, batch.attempt)), positions: Some(left) });
        }
    }
    pieces
}

/// Cuts a piece into its items.
pub(super) fn items<'a>(piece: &Piece<'_>) -> Vec<Piece<'a>> {
    let one = |position: usize| Piece {
        at: piece.at,
        batch: Cow::Owned(piece.batch.part(&[position], piece.batch.attempt)),
        positions: Some(vec![piece.position(position)]),
    };
    (0..piece.batch.items.len()).map(one).collect()
}

/// The message with these pieces.
pub(super) fn encode(pieces: &[Piece<'_>], halt_on_failure: bool) -> Result<Vec<u8>, WireError> {
    let mut items = Items::default();
    let mut batches = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let batch = &*piece.batch;
        batch.items.iter().for_each(|item| items.push(item));
        batches.push(RunBatch {
            number: batch.number,
            size: batch.size,
            total: 0,
            attempt: batch.attempt,
            indexes: batch.indexes.clone(),
            form: batch.form,
            origin: batch.origin.clone(),
        });
    }
    let mut bytes = Vec::new();
    let run = Run { halt_on_failure, batches, items, inputs: Items::default() };
    write_frame(&mut bytes, &HostMessage::Frame(run))?;
    Ok(bytes)
}

/// Adds the outcome of some pieces to that of their frame. None if it is the outcome of other pieces.
pub(super) fn merge(
    pieces: &[Piece<'_>],
    arrived: HostOutcome,
    (frame, outcome): (&Frame<'_>, &mut FrameOutcome),
    context: &StepContext,
) -> Option<()> {
    let HostOutcome { head, times, results } = arrived;
    if !fits(pieces, &head, &times) {
        return None;
    }
    outcome.worker.add(head.worker());
    outcome.request.add(head.request());
    note_host(&head.host, outcome, context);
    for log in head.logs {
        let piece = pieces.get(log.batch)?;
        let position = log.position.filter(|position| *position < piece.batch.items.len());
        let position = position.map(|position| piece.position(position));
        (frame.log)(piece.at, LogLine { position, stream: log.stream, text: log.text });
    }
    for (place, time) in times {
        let piece = pieces.get(place as usize)?;
        let first = u32::try_from(piece.position(time.first as usize)).ok()?;
        // Those that were timed together follow each other in the batch only if the piece is the batch.
        if piece.positions.is_none() || time.count == 1 {
            outcome.times.push((piece.at, ItemTime { first, ..time }));
        }
    }
    let mut rest = results.as_slice();
    for (piece, mut batch) in pieces.iter().zip(head.batches) {
        let (lines, after) = rest.split_at_checked(batch.bytes)?;
        rest = after;
        let mut lines = Cow::Borrowed(lines);
        let into = &mut outcome.batches[piece.at];
        let files = std::mem::take(&mut batch.files);
        if let Some(items) = context.item_files.as_deref().filter(|_| !files.is_empty()) {
            let adopted = Adopted::of(piece, files, (items, context));
            let kept = adopted.files.into_iter().map(|(position, path)| (piece.position(position), path));
            into.files.extend(kept);
            if !adopted.failures.is_empty() {
                lines = Cow::Owned(without(&lines, (piece, &mut batch), adopted.failures, context.settings.batched));
            }
        }
        into.lines.0.extend_from_slice(&lines);
        let HostBatch { unrun, failures, form, list, nulls, .. } = batch;
        into.unrun.extend(unrun.into_iter().map(|position| piece.position(position)));
        into.failures.extend(
            failures
                .into_iter()
                .map(|(position, failure, retry_after)| (piece.position(position), Failure { retry_after, ..failure })),
        );
        (into.form, into.list) = (form, list);
        into.nulls += nulls;
    }
    outcome.fatal = outcome.fatal.take().or(head.fatal);
    Some(())
}

/// Notes which host has run a frame, and says of the first one that it does not share the files of this machine.
fn note_host(host: &HostName, outcome: &mut FrameOutcome, context: &StepContext) {
    if !host.shares_files && context.host.remote.as_ref().is_some_and(|remote| remote.is_first_alone()) {
        outcome.notices.push(format!(
            "host `{}` does not share the files of this machine: it runs the step in a directory of its own, and files that tasks write \
             there are removed with it",
            Printable::line(&host.machine)
        ));
    }
    outcome.host = Some(host.clone());
}

/// The files of a piece, in their final directory. Positions are those of the piece.
#[derive(Default)]
struct Adopted {
    files: Vec<(usize, PathBuf)>,
    failures: Vec<(usize, Failure)>,
}

impl Adopted {
    fn of(piece: &Piece<'_>, folders: Vec<(usize, PathBuf)>, (items, context): (&ItemFiles, &StepContext)) -> Self {
        let mut adopted = Self::default();
        for (position, folder) in folders {
            // Nothing else is moved, whatever a host says.
            if !folder.starts_with(items.of_hosts()) || position >= piece.batch.items.len() {
                continue;
            }
            let owner = (piece.batch.indexes.get(position), piece.batch.keys.get(position));
            match items.adopt(&folder, owner, &context.host.secrets) {
                Ok(files) => adopted.files.extend(files.into_iter().map(|file| (position, file))),
                Err(failure) => adopted.failures.push((position, failure)),
            }
        }
        adopted
    }
}

/// The results without those of items whose files have no place, which fail; a batch fails as a whole.
fn without(
    lines: &[u8],
    (piece, batch): (&Piece<'_>, &mut HostBatch),
    lost: Vec<(usize, Failure)>,
    batched: bool,
) -> Vec<u8> {
    let is_done = |batch: &HostBatch, position: usize| {
        !batch.unrun.contains(&position) && batch.failures.iter().all(|(failed, ..)| *failed != position)
    };
    let done: Vec<usize> = (0..piece.batch.items.len()).filter(|position| is_done(batch, *position)).collect();
    if batched {
        let failure = lost.into_iter().next().map(|(_, failure)| failure);
        let failed = done.into_iter().filter_map(|position| Some((position, failure.clone()?, None)));
        batch.failures.extend(failed);
        return Vec::new();
    }
    let is_kept = |position: &usize| lost.iter().all(|(failed, _)| failed != position);
    let own = lines.split_inclusive(|byte| *byte == b'\n').zip(&done);
    let kept = own.filter(|(_, position)| is_kept(position)).flat_map(|(line, _)| line).copied().collect();
    batch.failures.extend(lost.into_iter().map(|(position, failure)| (position, failure, None)));
    kept
}

/// Whether an outcome can be of these pieces: what is merged is not taken back.
fn fits(pieces: &[Piece<'_>], head: &HostOutcomeHead, times: &[(u32, ItemTime)]) -> bool {
    let is_within = |(piece, batch): (&Piece<'_>, &HostBatch)| {
        let mut positions = batch.unrun.iter().chain(batch.failures.iter().map(|(position, ..)| position));
        positions.all(|position| *position < piece.batch.items.len())
    };
    head.batches.len() == pieces.len()
        && pieces.iter().zip(&head.batches).all(is_within)
        && head.logs.iter().all(|log| log.batch < pieces.len())
        && times.iter().all(|(at, _)| (*at as usize) < pieces.len())
}

/// Gives all items of some pieces this outcome.
pub(super) fn fail(pieces: &[Piece<'_>], failure: &Failure, outcome: &mut FrameOutcome) {
    for piece in pieces {
        let failed = (0..piece.batch.items.len()).map(|position| (piece.position(position), failure.clone()));
        outcome.batches[piece.at].failures.extend(failed);
    }
}

/// The items of some pieces have not run.
pub(super) fn leave(pieces: &[Piece<'_>], outcome: &mut FrameOutcome) {
    for piece in pieces {
        let left = (0..piece.batch.items.len()).map(|position| piece.position(position));
        outcome.batches[piece.at].unrun.extend(left);
    }
}

/// Puts the outcomes of each batch in the order of its items.
pub(super) fn sort(outcome: &mut FrameOutcome) {
    for batch in &mut outcome.batches {
        batch.unrun.sort_unstable();
        batch.failures.sort_by_key(|(position, _)| *position);
    }
}
