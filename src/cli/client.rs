//! The process that started this one to work for it, such as a Python program: when it ends, this one ends too.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open};
use std::io;
use std::os::fd::OwnedFd;
use std::thread::Builder;

/// Sends this process SIGTERM when the client ends, however it ends: a run stops in order, anything else ends at once.
pub fn end_with(client: i32) -> io::Result<()> {
    let refused = || io::Error::new(io::ErrorKind::InvalidInput, format!("`{client}` is not the number of a process"));
    let client = match pidfd_open(Pid::from_raw(client).ok_or_else(refused)?, PidfdFlags::empty()) {
        Ok(client) => Some(client),
        // It has ended already.
        Err(Errno::SRCH) => None,
        Err(error) => return Err(error.into()),
    };
    // Not joined: it lives as long as the process, and holds nothing that must be released.
    Builder::new().name("client".to_owned()).spawn(move || {
        client.iter().for_each(wait_for_end);
        // Fails only if this process has ended.
        let _ = kill_process(getpid(), Signal::TERM);
    })?;
    Ok(())
}

/// A pidfd can be read once its process has ended.
fn wait_for_end(process: &OwnedFd) {
    let mut watched = [PollFd::new(process, PollFlags::IN)];
    while poll(&mut watched, None) == Err(Errno::INTR) {}
}
