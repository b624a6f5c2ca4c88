//! A command, ready to start.
//!
//! Calls `posix_spawn` directly instead of using [`Command`], which sorts the whole environment for each command and makes the
//! C library query the action of each of 64 signals. Together that is a tenth of the run time of a small command. What the
//! commands of a step have in common is prepared once, as [`SpawnDefaults`]. If the working directory changes, or the program's
//! file is not known, [`Command`] starts it: no crate has a safe `posix_spawn` that supports these.

use super::shortage::shortage;
use crate::model::{Failure, FailureKind};
use nix::errno::Errno;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::Pid;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The command of an item.
#[derive(Debug)]
pub(super) struct Invocation {
    /// The program's file. A name without a slash is looked up in the `PATH` of the command.
    pub(super) file: PathBuf,
    /// The program as the user wrote it, and its arguments.
    pub(super) words: Vec<String>,
    /// Environment variables to set. If a name comes twice, the last one wins.
    pub(super) variables: Vec<(String, OsString)>,
    /// The working directory, if it differs from the engine's.
    pub(super) folder: Option<String>,
    /// What it reads from stdin. Nothing if there is none.
    pub(super) stdin: Option<File>,
    /// What must be open as long as it runs.
    pub(super) held: Vec<File>,
}

/// What all commands of a step have in common.
#[derive(Debug)]
pub(super) struct SpawnDefaults {
    variables: Vec<Variable>,
    null: &'static File,
    attributes: PosixSpawnAttr,
}

/// An environment variable.
#[derive(Debug)]
struct Variable {
    /// `NAME=VALUE`
    text: CString,
    name: usize,
}

/// A child process and its output.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) pid: Pid,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

impl Invocation {
    /// A program's file, and its words.
    pub(super) fn new(file: PathBuf, words: Vec<String>) -> Self {
        Self { file, words, variables: Vec::new(), folder: None, stdin: None, held: Vec::new() }
    }

    /// Gives it this text to read.
    ///
    /// # Errors
    /// If the system is out of descriptors or memory.
    pub(super) fn read(&mut self, text: &[u8]) -> Result<(), Failure> {
        self.stdin = Some(memory_file(text)?);
        Ok(())
    }

    /// Starts it in its own process group. `env` must be what `defaults` were made with.
    ///
    /// # Errors
    /// If it cannot be started; [`io::ErrorKind::InvalidInput`] if it contains a NUL byte.
    pub(super) fn start(&self, defaults: &SpawnDefaults, env: &[(String, String)]) -> io::Result<Started> {
        if self.folder.is_some() || !self.file.as_os_str().as_bytes().contains(&b'/') {
            let mut command = self.command(env);
            if self.stdin.is_none() {
                command.stdin(Stdio::null());
            }
            return start_with_stdin(&mut command);
        }
        let file = CString::new(self.file.as_os_str().as_bytes())?;
        let words = self.words.iter().map(|word| CString::new(word.as_bytes())).collect::<Result<Vec<_>, _>>()?;
        let own = self.variables.iter().enumerate().filter(|(at, (name, _))| {
            let later = &self.variables[at + 1..];
            !later.iter().any(|(other, _)| other == name)
        });
        let own = own.map(|(_, (name, value))| Variable::new(name.as_ref(), value));
        let own = own.collect::<io::Result<Vec<_>>>()?;
        let given = defaults.variables.iter().filter(|given| !own.iter().any(|own| own.name() == given.name()));
        let variables: Vec<_> = given.chain(&own).map(|variable| variable.text.as_c_str()).collect();

        let ((stdout, their_stdout), (stderr, their_stderr)) = (io::pipe()?, io::pipe()?);
        let mut actions = PosixSpawnFileActions::init()?;
        // None of the three is 0, 1 or 2: Rust's runtime opens those before `main`.
        actions.add_dup2(self.stdin.as_ref().unwrap_or(defaults.null).as_raw_fd(), 0)?;
        actions.add_dup2(their_stdout.as_raw_fd(), 1)?;
        actions.add_dup2(their_stderr.as_raw_fd(), 2)?;
        let pid = posix_spawn(file.as_c_str(), &actions, &defaults.attributes, &words, &variables)?;
        let pid = Pid::from_raw(pid.as_raw()).ok_or(Errno::ESRCH)?;
        Ok(Started { pid, stdout: stdout.into(), stderr: stderr.into() })
    }

    /// The same as a [`Command`], with `env` in addition to its own variables.
    pub(super) fn command<K: AsRef<OsStr>, V: AsRef<OsStr>>(&self, env: &[(K, V)]) -> Command {
        let mut command = Command::new(&self.file);
        if let Some((program, arguments)) = self.words.split_first() {
            command.arg0(program).args(arguments);
        }
        command.envs(env.iter().map(|(name, value)| (name, value)));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        self.folder.iter().for_each(|folder| {
            command.current_dir(folder);
        });
        let stdin = self.stdin.as_ref().and_then(|stdin| stdin.try_clone().ok());
        stdin.into_iter().for_each(|stdin| {
            command.stdin(stdin);
        });
        command
    }
}

/// A file in memory, to be read from its beginning. A program that stops reading it early does not disturb anybody, and one that
/// reads it late does not make anybody wait, as a pipe would.
///
/// # Errors
/// If the system is out of descriptors or memory.
pub(super) fn memory_file(text: &[u8]) -> Result<File, Failure> {
    let make = || {
        let mut file = File::from(memfd_create("batchmill", MemfdFlags::CLOEXEC)?);
        file.write_all(text)?;
        file.rewind()?;
        Ok(file)
    };
    make().map_err(|error: io::Error| {
        let what = "cannot hold the input of the command in memory";
        let failed = || Failure::new(FailureKind::Start, "Start", format!("{what}: {error}"));
        shortage(&error).map_or_else(failed, |short| short.of(what))
    })
}

/// Starts a [`Command`] in the same way as an [`Invocation`], with empty stdin.
///
/// # Errors
/// If it cannot be started.
pub(super) fn start(command: &mut Command) -> io::Result<Started> {
    start_with_stdin(command.stdin(Stdio::null()))
}

fn start_with_stdin(command: &mut Command) -> io::Result<Started> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let streams = |child: &mut Child| Some((child.stdout.take()?, child.stderr.take()?));
    let (stdout, stderr) = streams(&mut child).expect("both streams are pipes");
    Ok(Started { pid: Pid::from_child(&child), stdout: stdout.into(), stderr: stderr.into() })
}

impl SpawnDefaults {
    /// The engine's environment, overridden by `env`.
    ///
    /// # Errors
    /// If `/dev/null` cannot be opened, or a variable contains a NUL byte.
    pub(super) fn new(env: &[(String, String)]) -> io::Result<Self> {
        let inherited = std::env::vars_os().filter(|(name, _)| !env.iter().any(|(own, _)| name == own.as_str()));
        let inherited = inherited.map(|(name, value)| Variable::new(&name, &value));
        let own = env.iter().map(|(name, value)| Variable::new(name.as_ref(), value.as_ref()));
        let variables = inherited.chain(own).collect::<io::Result<_>>()?;

        let mut attributes = PosixSpawnAttr::init()?;
        attributes.set_pgroup(nix::unistd::Pid::from_raw(0))?;
        attributes.set_sigdefault(&handled())?;
        attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETPGROUP | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
        Ok(Self { variables, null: null()?, attributes })
    }
}

/// `/dev/null`, open as long as the process lives. Opening it for each command costs more than some of the system calls that
/// start one.
fn null() -> io::Result<&'static File> {
    static NULL: OnceLock<File> = OnceLock::new();
    if let Some(null) = NULL.get() {
        return Ok(null);
    }
    let null = File::open("/dev/null").map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => io::Error::other(format!("`/dev/null`: {error}")),
        _ => error,
    })?;
    Ok(NULL.get_or_init(|| null))
}

/// The signals that are ignored, if that is known: bit 0 is signal 1.
fn ignored_signals() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

/// Whether a signal is ignored.
pub fn is_ignored(signal: i32) -> bool {
    ignored_signals().is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// The signals to reset in commands: all but those that were ignored when the engine started, as `nohup` does with HUP.
/// SIGPIPE is reset too, because Rust's runtime ignores it. Listing the signals saves the C library from querying each one. If
/// they are unknown, or a real-time signal is ignored, only SIGPIPE is reset. 32 and 33 belong to the C library.
fn handled() -> SigSet {
    let Some(ignored) = ignored_signals().filter(|mask| mask >> 33 == 0) else {
        return SigSet::from_iter([Signal::SIGPIPE]);
    };
    let mut handled = SigSet::all();
    for signal in Signal::iterator().filter(|signal| *signal != Signal::SIGPIPE) {
        if ignored >> (signal as i32 - 1) & 1 == 1 {
            handled.remove(signal);
        }
    }
    handled
}

impl Variable {
    fn new(name: &OsStr, value: &OsStr) -> io::Result<Self> {
        let text = [name.as_bytes(), b"=", value.as_bytes()].concat();
        Ok(Self { text: CString::new(text)?, name: name.len() })
    }

    fn name(&self) -> &[u8] {
        &self.text.as_bytes()[..self.name]
    }
}
