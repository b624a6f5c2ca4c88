//! Asks an interpreter for its version and paths, and has it check the workflow's code before anything runs.

use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// A part of the workflow that the interpreter checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Check {
    /// Whether this code parses, and knows the names that it reads.
    Code {
        /// The source code.
        source: String,
        /// Code that runs before it and shares its names.
        around: Vec<String>,
        /// The names that it is given; `None` if they cannot be known yet.
        known: Option<Vec<String>>,
    },
    /// Whether this module can be found.
    Module {
        /// Dotted name.
        name: String,
    },
}

/// What is wrong with a [`Check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckFault {
    /// The number of the check, from 0.
    pub check: usize,
    /// One line.
    pub message: String,
    /// What may mend it.
    pub help: Option<String>,
    /// Line in the source code, from 1.
    pub line: Option<usize>,
    /// Column in that line, from 1.
    pub column: Option<usize>,
}

/// The program that the interpreter runs. Workers look for names in the same way.
pub(super) const PROBE: &str =
    concat!(include_str!("../../../worker/python/names.py"), "\n\n", include_str!("probe.py"));

/// What an interpreter reports about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) implementation: String,
    pub(super) version: String,
    pub(super) executable: String,
    pub(super) prefix: String,
    pub(super) base_prefix: String,
    pub(super) exec_prefix: String,
    pub(super) path: Vec<String>,
    pub(super) site_packages: Vec<String>,
    pub(super) user_site: bool,
    pub(super) wheel: bool,
    pub(super) faults: Vec<CheckFault>,
}

/// Runs the probe in an interpreter. The error is one line for the user.
pub(super) fn ask(interpreter: &Path, import_path: &[String], checks: &[Check]) -> Result<Answer, String> {
    let mut child = Command::new(interpreter)
        .args(["-c", PROBE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "it does not exist".to_owned(),
            _ => format!("it does not start: {error}"),
        })?;
    let asked = serde_json::json!({ "import_path": import_path, "checks": checks }).to_string();
    let stdin = child.stdin.take();
    // Fails if the program does not read its input. Then it is not Python, which is reported below.
    let _ = stdin.map(|mut stdin| stdin.write_all(asked.as_bytes()));
    let output = child.wait_with_output().map_err(|error| format!("waiting for it failed: {error}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let last = stdout.lines().next_back().unwrap_or_default();
    serde_json::from_str(last).map_err(|_| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr.lines().next_back().unwrap_or("no output").trim();
        format!("it does not behave like Python 3 ({}; {last})", output.status)
    })
}
