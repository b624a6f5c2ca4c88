//! Streams: pipes, devices, sockets. They are read once; what was read beforehand is kept and comes again.

use crossbeam_channel::{Receiver, TryRecvError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a read waits before it checks whether the bytes are still needed.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// A stream, which can be peeked at any number of times and then read once.
#[derive(Debug, Clone)]
pub(in crate::sources) struct Stream(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    path: PathBuf,
    stop: Receiver<Infallible>,
    /// None before it was opened, and once it is being read.
    file: Option<Pipe>,
    /// What was read ahead.
    seen: Vec<u8>,
    is_read: bool,
}

/// The bytes of a stream are no longer needed.
#[derive(Debug, thiserror::Error)]
#[error("interrupted while waiting for a stream")]
pub(in crate::sources) struct Stopped;

impl Stream {
    /// The stream at this path. Reads end when `stop` is disconnected.
    pub(super) fn new(path: &Path, stop: &Receiver<Infallible>) -> Self {
        let (path, stop) = (path.to_path_buf(), stop.clone());
        Self(Arc::new(Mutex::new(State { path, stop, file: None, seen: Vec::new(), is_read: false })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is being read, or was.
    pub(in crate::sources) fn is_read(&self) -> bool {
        self.state().is_read
    }

    /// Its bytes from the first one on, which will come again.
    pub(super) fn look(&self) -> io::Result<Box<dyn Read + Send>> {
        self.state().open()?;
        Ok(Box::new(Look { stream: self.clone(), at: 0 }))
    }

    /// Its bytes from the first one on, for the last time.
    pub(super) fn read(&self) -> io::Result<Box<dyn Read + Send>> {
        let mut state = self.state();
        state.open()?;
        state.is_read = true;
        let seen = io::Cursor::new(std::mem::take(&mut state.seen));
        Ok(Box::new(seen.chain(state.file.take().ok_or_else(read_already)?)))
    }
}

fn read_already() -> io::Error {
    io::Error::other("it is a stream, which can be read only once, and it was already read")
}

impl State {
    fn open(&mut self) -> io::Result<()> {
        if self.is_read {
            return Err(read_already());
        }
        if self.file.is_none() {
            self.file = Some(Pipe { file: open(&self.path)?, stop: self.stop.clone() });
        }
        Ok(())
    }
}

/// Reads a stream, and keeps what it reads.
struct Look {
    stream: Stream,
    at: usize,
}

impl Read for Look {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.stream.state();
        let State { file, seen, .. } = &mut *state;
        if self.at == seen.len() {
            let read = file.as_mut().ok_or_else(read_already)?.read(buffer)?;
            seen.extend_from_slice(&buffer[..read]);
            self.at += read;
            return Ok(read);
        }
        let count = buffer.len().min(seen.len() - self.at);
        buffer[..count].copy_from_slice(&seen[self.at..][..count]);
        self.at += count;
        Ok(count)
    }
}

/// Opens a stream without waiting for a writer: reads wait.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        // A socket cannot be opened by its name.
        Err(Errno::NXIO) if is_stdin(path) => Ok(io::stdin().as_fd().try_clone_to_owned()?.into()),
        Err(error) => Err(error.into()),
    }
}

fn is_stdin(path: &Path) -> bool {
    ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path == Path::new(name))
}

/// A stream that listens to `stop` while it waits for bytes.
#[derive(Debug)]
struct Pipe {
    file: File,
    stop: Receiver<Infallible>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let ready = poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&PATIENCE));
            if self.stop.try_recv() == Err(TryRecvError::Disconnected) {
                return Err(io::Error::other(Stopped));
            }
            match ready {
                Ok(0) | Err(Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            match self.file.read(buffer) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                read => return read,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::{Sender, bounded};
    use std::io::{PipeReader, Write};
    use std::os::fd::AsRawFd;

    /// A pipe that this text is written to, by its path, and what keeps reads of it from being stopped.
    fn stream(text: &'static [u8]) -> (Stream, PipeReader, Sender<Infallible>) {
        let (reader, mut writer) = io::pipe().unwrap();
        std::thread::spawn(move || writer.write_all(text));
        let (keep, stop) = bounded(0);
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        (Stream::new(Path::new(&path), &stop), reader, keep)
    }

    fn first(count: u64, reader: Box<dyn Read + Send>) -> String {
        let mut text = String::new();
        reader.take(count).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn what_was_looked_at_comes_again_and_what_was_read_does_not() {
        let (stream, _reader, _keep) = stream(b"one\ntwo\nthree\n");
        assert_eq!(first(4, stream.look().unwrap()), "one\n");
        assert_eq!(first(8, stream.look().unwrap()), "one\ntwo\n");
        assert_eq!(first(2, stream.look().unwrap()), "on");
        assert!(!stream.is_read());
        assert_eq!(first(100, stream.read().unwrap()), "one\ntwo\nthree\n");
        assert!(stream.is_read());
        for again in [stream.look(), stream.read()] {
            assert!(again.err().unwrap().to_string().contains("only once"));
        }
    }

    #[test]
    fn a_fifo_is_opened_before_it_has_a_writer_and_waiting_can_be_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, Mode::from(0o600), 0).unwrap();
        let (keep, stop) = bounded(0);
        let fifo = Stream::new(&path, &stop);
        drop(fifo.look().unwrap());
        let mut reader = Stream::new(&path, &stop).read().unwrap();
        drop(keep);
        let error = reader.read(&mut [0; 8]).unwrap_err();
        assert!(error.get_ref().is_some_and(|error| error.is::<Stopped>()), "{error}");
    }
}
