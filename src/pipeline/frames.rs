//! Where the feeder gets frames of new batches: from the source itself, or from a thread that reads a source which may wait for
//! its items. Such a source must not hold back what else the feeder does.

use super::event::FrameBatches;
use super::frame_cutter::{FrameCutter, ReadSoFar};
use crate::sources::SourceError;
use crossbeam_channel::{Receiver, Sender, bounded, never};
use std::thread::Scope;

/// A frame; none at the end.
pub(super) type NextFrame = Result<Option<FrameBatches>, SourceError>;

/// Frames of new batches.
pub(super) enum Frames<'feed, 'a> {
    /// Cut when they are asked for.
    Here(Box<FrameCutter<'feed, 'a>>),
    /// Cut by a thread.
    There(RemoteFrames),
}

/// The feeder's end of a thread that cuts frames, one at a time.
pub(super) struct RemoteFrames {
    ask: Sender<()>,
    frames: Receiver<(NextFrame, ReadSoFar)>,
    is_asked: bool,
    so_far: ReadSoFar,
}

impl<'feed, 'a> Frames<'feed, 'a> {
    /// The frames of a cutter, in a thread of this scope if its source may wait. The thread ends with the frames, or, while it
    /// waits for an item, when the step stops.
    pub(super) fn of<'scope>(mut cutter: FrameCutter<'feed, 'a>, scope: &'scope Scope<'scope, '_>) -> Self
    where
        'feed: 'scope,
        'a: 'scope,
    {
        if !cutter.may_wait() {
            return Self::Here(Box::new(cutter));
        }
        let (ask, asked) = bounded::<()>(1);
        let (give, frames) = bounded(1);
        scope.spawn(move || {
            while asked.recv().is_ok() {
                let frame = cutter.next();
                if give.send((frame, cutter.so_far())).is_err() {
                    break;
                }
            }
        });
        Self::There(RemoteFrames { ask, frames, is_asked: false, so_far: ReadSoFar::default() })
    }

    /// The next frame; none at the end, and none while a thread is reading it: [`Self::coming`] has it then.
    pub(super) fn next(&mut self) -> NextFrame {
        match self {
            Self::Here(cutter) => cutter.next(),
            Self::There(remote) => {
                if !remote.is_asked && !remote.so_far.exhausted {
                    remote.is_asked = remote.ask.send(()).is_ok();
                }
                match remote.frames.try_recv() {
                    Ok(frame) => self.take(frame),
                    Err(_) => Ok(None),
                }
            }
        }
    }

    /// What a thread sends once it has read a frame; hand it to [`Self::take`].
    pub(super) fn coming(&self) -> Receiver<(NextFrame, ReadSoFar)> {
        match self {
            Self::Here(_) => never(),
            Self::There(remote) => remote.frames.clone(),
        }
    }

    /// Takes note of what a thread has sent.
    pub(super) fn take(&mut self, (frame, so_far): (NextFrame, ReadSoFar)) -> NextFrame {
        if let Self::There(remote) = self {
            (remote.is_asked, remote.so_far) = (false, so_far);
        }
        frame
    }

    /// How far reading has come.
    pub(super) fn so_far(&self) -> ReadSoFar {
        match self {
            Self::Here(cutter) => cutter.so_far(),
            Self::There(remote) => remote.so_far,
        }
    }
}
