//! The connection that a client starts the engine with.

use super::call::answer;
use super::shared::Shared;
use crate::measure::wall_clock;
use crate::model::RunId;
use crate::task::Cancel;
use crate::task::guard::Guard;
use crate::wire::{ClientMessage, FrameReader, Hello, PROTOCOL, Role, write_frame};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

/// The command-line argument with which a client starts the engine.
pub const VERB: &str = "serve-client";

/// How long a worker waits for the next call before it is ended.
const IDLE: Duration = Duration::from_secs(60);

/// How often to look for such workers, in seconds.
const LOOK: i64 = 5;

/// Serves the client at the other end of stdin until it closes the connection.
///
/// # Errors
/// If stdin is not such a connection, or the system refuses what a call needs.
pub fn serve() -> io::Result<()> {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    if !greet(&mut socket)? {
        return Ok(());
    }
    let run = RunId(format!("client-{}-{}", std::process::id(), wall_clock().as_millisecond()));
    let guard = Guard::start(&run)?;
    let shared = Shared { run, guard, warm: Arc::default(), cancel: Cancel::new()? };
    std::thread::scope(|threads| {
        let ended = loop {
            match next_call(&socket) {
                Ok(Next::Call(call)) => {
                    let shared = &shared;
                    let call = UnixStream::from(call);
                    // If the system refuses the thread, the call's socket closes, which the client sees.
                    let answering = move || drop(answer(shared, call));
                    drop(Builder::new().name("call".to_owned()).spawn_scoped(threads, answering));
                }
                Ok(Next::Nothing) => shared.warm.end_idle(IDLE),
                Ok(Next::Gone) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        shared.cancel.stop.fire();
        shared.cancel.kill.fire();
        ended
    })
}

/// Exchanges greetings; false if the client is of another version. It sees that from ours.
fn greet(socket: &mut UnixStream) -> io::Result<bool> {
    let hello: Option<ClientMessage> =
        FrameReader::default().read(socket).map_err(|error| io::Error::other(error.to_string()))?;
    let Some(ClientMessage::Hello(hello)) = hello else { return Ok(false) };
    let ours = ClientMessage::Hello(Hello::new(Role::Engine));
    write_frame(socket, &ours).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(hello.protocol == PROTOCOL && hello.role == Role::Client)
}

enum Next {
    /// The socket of a call.
    Call(OwnedFd),
    /// No call for a while.
    Nothing,
    /// The client has closed the connection.
    Gone,
}

fn next_call(socket: &UnixStream) -> io::Result<Next> {
    let patience = Timespec { tv_sec: LOOK, tv_nsec: 0 };
    let mut watched = [PollFd::new(socket, PollFlags::IN)];
    match poll(&mut watched, Some(&patience)) {
        Ok(0) => return Ok(Next::Nothing),
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(Next::Nothing),
        Err(error) => return Err(error.into()),
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut slices = [IoSliceMut::new(&mut byte)];
    let received = recvmsg(socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Ok(Next::Gone);
    }
    let mut files = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let call = files.next().and_then(|mut files| files.next());
    Ok(call.map_or(Next::Gone, Next::Call))
}
