//! A stream of a child: what it prints, up to a maximum.

use rustix::event::{PollFd, PollFlags};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

/// What a child prints to one of its streams.
pub(super) struct Stream<'a> {
    pub(super) pipe: Option<OwnedFd>,
    pub(super) bytes: Vec<u8>,
    most: usize,
    /// Takes the bytes, if they are not kept in memory.
    into: Option<&'a File>,
    /// Why it did not take all of them.
    pub(super) failed: Option<io::Error>,
}

impl<'a> Stream<'a> {
    pub(super) fn new(pipe: OwnedFd, most: usize) -> Self {
        // Otherwise a read could wait for a grandchild. Setting this on a new pipe cannot fail.
        let _ = rustix::io::ioctl_fionbio(&pipe, true);
        Self { pipe: Some(pipe), bytes: Vec::new(), most, into: None, failed: None }
    }

    /// Has a file take the bytes, if there is one.
    pub(super) fn into(self, file: Option<&'a File>) -> Self {
        Self { into: file, ..self }
    }

    pub(super) fn poll_fd(&self) -> Option<PollFd<'_>> {
        self.pipe.as_ref().map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN))
    }

    pub(super) fn flooded(&self) -> bool {
        self.bytes.len() > self.most
    }

    fn keep(&mut self, bytes: &[u8]) {
        match self.into {
            Some(mut file) if self.failed.is_none() => self.failed = file.write_all(bytes).err(),
            Some(_) => {}
            None => self.bytes.extend_from_slice(bytes),
        }
    }

    /// Reads what is available, and drops what is beyond the maximum. Closes the pipe at its end.
    pub(super) fn read(&mut self) {
        let Some(pipe) = self.pipe.take() else { return };
        let mut file = File::from(pipe);
        let mut chunk = [0; 16 << 10];
        // Not without an end: whoever reads has limits to look after.
        for _ in 0..64 {
            match file.read(&mut chunk) {
                Ok(0) => return,
                Ok(_) if self.flooded() => {}
                Ok(read) => self.keep(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return,
            }
        }
        self.pipe = Some(file.into());
    }
}
