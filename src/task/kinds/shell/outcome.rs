//! How a command ended, as the outcome of its item.

use crate::model::{Failure, FailureKind, Outcome};
use crate::task::process::{self, EndedBy, ProcessEnd};
use crate::task::withdrawn::cancelled;
use crate::text::{CUT, Secrets};
use bytesize::ByteSize;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

/// How to pass a value that is too long for an argument.
const USE_STDIN: &str = "pass it with `stdin: \"{{ item }}\"`, or in a file";

/// How much of a script the kernel reads to find its interpreter.
const MOST_FIRST_LINE: u64 = 256;

/// The status of a shell that cannot start a program that it has found.
const CANNOT_START: i32 = 126;

/// The interpreter that the first line of a script asks for, with its arguments.
fn interpreter_of(script: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(script).ok()?.take(MOST_FIRST_LINE).read_to_end(&mut bytes).ok()?;
    let line = bytes.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    Some(String::from_utf8_lossy(line).trim_start().to_owned())
}

pub(super) fn start_failure(program: &Path, error: &io::Error) -> Failure {
    let shown = program.display();
    let message = match error.kind() {
        io::ErrorKind::NotFound => match interpreter_of(program) {
            Some(line) if line.ends_with('\r') => {
                let line = line.trim_end();
                format!(
                    "cannot start `{shown}`: its lines end as on Windows, so it asks for the interpreter `{line}\\r`; convert it: `sed -i 's/\\r$//' {shown}`"
                )
            }
            Some(line) => {
                format!("cannot start `{shown}`: its first line asks for the interpreter `{line}`, which is not there")
            }
            None => format!("command not found: `{shown}`"),
        },
        io::ErrorKind::PermissionDenied => format!("not executable: `{shown}`"),
        io::ErrorKind::ArgumentListTooLong => {
            format!("an argument or a variable is too long: Linux allows 128 KiB for each; {USE_STDIN}")
        }
        io::ErrorKind::InvalidInput => "a command cannot contain a NUL byte".to_owned(),
        _ => format!("cannot start `{shown}`: {error}"),
    };
    // A command that does not exist will not appear by itself.
    Failure::new(FailureKind::Start, "Start", message).permanent()
}

/// The result of a command: both streams and the status.
pub(super) fn outcome(ended: &ProcessEnd) -> Outcome {
    let (stdout, stderr) = (text(&ended.stdout), text(&ended.stderr));
    Ok(serde_json::json!({ "stdout": stdout, "stderr": stderr, "exit_code": 0 }).to_string().into_bytes())
}

/// Fails a command that did not succeed.
///
/// # Errors
/// If it ended in another way than with status 0.
pub(super) fn succeeded(
    ended: &ProcessEnd,
    timeout: Option<Duration>,
    most_memory: Option<u64>,
    secrets: &Secrets,
) -> Result<(), Failure> {
    let stderr = text(&ended.stderr);
    match ended.by {
        EndedBy::Itself if ended.status.success() => Ok(()),
        EndedBy::Itself if ended.status.code() == Some(CANNOT_START) && stderr.contains("rgument list too long") => {
            let message = format!("a value is too long for the argument of a program; {USE_STDIN}");
            Err(Failure::new(FailureKind::Start, "Start", message).with_detail(tail(&stderr)).permanent())
        }
        EndedBy::Itself => {
            // Masked before a line is taken: a secret may go over several lines.
            let masked = || secrets.masked(tail(&stderr));
            let shown = if secrets.is_empty() { Cow::Borrowed(&stderr) } else { Cow::Owned(masked()) };
            let last = shown.lines().rev().find(|line| !line.trim().is_empty());
            let last = last.map_or(String::new(), |line| format!(": {}", line.trim()));
            let message = format!("command {}{last}", describe(ended.status));
            let failure =
                Failure::new(FailureKind::ExitStatus, "ExitStatus", message).with_detail(both(&stderr, &ended.stdout));
            Err(failure.with_code(ended.status.code()))
        }
        EndedBy::Timeout => {
            let message = format!("took longer than {:?}", timeout.unwrap_or_default());
            Err(Failure::new(FailureKind::Timeout, "Timeout", message).with_detail(both(&stderr, &ended.stdout)))
        }
        EndedBy::Memory(used) => {
            let size = |bytes| ByteSize::b(bytes).display().si();
            let most = most_memory.unwrap_or_default();
            let message = format!("command used {:.1}; `max_memory` is {:.1}", size(used), size(most));
            let failure = Failure::new(FailureKind::Memory, "MemoryLimit", message);
            Err(failure.with_detail(both(&stderr, &ended.stdout)).permanent())
        }
        EndedBy::Recall => Err(cancelled().with_detail(both(&stderr, &ended.stdout))),
        EndedBy::Interrupt => Err(Failure::new(FailureKind::Interrupted, "Interrupted", "the run was cancelled")),
        EndedBy::Flood => {
            let most = process::MOST_OUTPUT >> 20;
            let message = format!("command printed more than {most} MiB; write the output to a file instead");
            Err(Failure::new(FailureKind::Start, "OutputTooLong", message).permanent())
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// Output as text without trailing newlines, as in `$(..)`.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\r']).to_owned()
}

/// The last lines of both streams of a command that failed.
fn both(stderr: &str, stdout: &[u8]) -> String {
    let (stderr, stdout) = (tail(stderr), tail(&text(stdout)));
    match (stderr.is_empty(), stdout.is_empty()) {
        (_, true) => stderr,
        (true, false) => format!("stdout: {stdout}"),
        (false, false) => format!("{stderr}\nstdout: {stdout}"),
    }
}

/// The last 4,096 bytes of a text, cut at a character, with a mark where it was cut.
fn tail(text: &str) -> String {
    let from = text.len().saturating_sub(4096);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    if from == 0 { text.to_owned() } else { format!("{CUT}{}", &text[from..]) }
}
