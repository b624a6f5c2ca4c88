//! Turns a process into a worker: descriptors, signals, and the Python environment.
//!
//! The descriptors are moved before CPython or any `.pth` file can run, so neither user code nor its child processes have the
//! socket. Afterwards fd 0 is `/dev/null`, and fd 1 is the same log file as fd 2.

use super::bare;
use super::page::Page;
use super::serve::{self, Link};
use pyo3::prelude::*;
use rustix::fs::{FileType, Mode, OFlags};
use std::io;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

/// The environment variable that describes the Python environment for `batchmill-python`, as JSON.
const SITE: &str = "BATCHMILL_PYTHON_SITE";

/// The argument that asks for one item in the foreground.
const FOREGROUND: &str = "foreground";

/// Why this process cannot be a worker.
#[derive(Debug, thiserror::Error)]
enum HostError {
    #[error("internal command: only batchmill itself runs this")]
    NotAWorker,
    #[error("cannot set up the descriptors from batchmill")]
    Descriptors(#[from] io::Error),
}

impl From<rustix::io::Errno> for HostError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Descriptors(error.into())
    }
}

/// The main function of `batchmill-python`.
pub fn main() -> ExitCode {
    let version = Python::version_str().split_whitespace().next().unwrap_or("unknown");
    match std::env::args_os().nth(1) {
        Some(flag) if flag == "--version" || flag == "-V" => {
            println!("batchmill-python {} (CPython {version})", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Some(verb) if verb == FOREGROUND => {
            let path = std::env::args().nth(2).unwrap_or_default();
            return embed(|py| super::foreground(py, &path));
        }
        Some(_) => return refuse(&HostError::NotAWorker),
        None => {}
    }
    match take_over() {
        Ok(link) => embed(|py| serve::serve(py, link)),
        Err(error) => refuse(&error),
    }
}

/// Starts CPython and runs `work` in it.
fn embed(work: impl FnOnce(Python<'_>) -> u8) -> ExitCode {
    bare::start();
    Python::attach(|py| {
        let code = match activate(py) {
            Ok(()) => work(py),
            Err(error) => {
                error.print(py);
                1
            }
        };
        // An embedded interpreter is never finalized, so this does what CPython does at its exit.
        if let Err(error) = super::support::finish(py) {
            error.print(py);
        }
        ExitCode::from(code)
    })
}

/// Runs a worker in an interpreter that has the wheel. Returns the exit status.
pub fn hosted(py: Python<'_>) -> u8 {
    match take_over() {
        Ok(link) => serve::serve(py, link),
        Err(error) => {
            refuse(&error);
            2
        }
    }
}

fn refuse(error: &HostError) -> ExitCode {
    eprintln!("error: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        eprintln!("  caused by: {inner}");
        cause = inner.source();
    }
    ExitCode::from(2)
}

/// Takes the socket and the shared page from stdin and stdout. The process ends when the other end of the socket is closed.
fn take_over() -> Result<Link, HostError> {
    let (stdin, stdout, stderr) = (rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr());
    let kind = rustix::fs::fstat(stdin).map_err(|_| HostError::NotAWorker)?.st_mode;
    if FileType::from_raw_mode(kind) != FileType::Socket {
        return Err(HostError::NotAWorker);
    }
    let socket = rustix::io::fcntl_dupfd_cloexec(stdin, 3)?;
    let memfd = rustix::io::fcntl_dupfd_cloexec(stdout, 3)?;
    let page = Page::map(&memfd)?;
    let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(null)?;
    rustix::stdio::dup2_stdout(stderr)?;
    Ok(Link { socket: UnixStream::from(socket), page })
}

fn activate(py: Python<'_>) -> PyResult<()> {
    let Some(site) = std::env::var_os(SITE) else {
        return Ok(());
    };
    super::support::activate(py, &site.into_encoded_bytes())
}
