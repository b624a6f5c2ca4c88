//! Asks an interpreter for its version and paths, and has it check the workflow's code before anything runs.

use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// A part of the workflow that the interpreter checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Check {
    /// Whether this code compiles, and knows the names that it reads.
    Code {
        /// The source code.
        source: String,
        /// Whether it becomes the body of a function, in which `return` is allowed.
        is_block: bool,
        /// The file that it is in, if that is not the workflow file.
        #[serde(skip)]
        file: Option<String>,
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

/// The program that the interpreter runs. Workers look for names in the same way. First of all it leaves the current directory out
/// of the import path, where an `ast.py` of the user's may be.
pub(super) const PROBE: &str = concat!(
    "import sys\nif sys.path and sys.path[0] == \"\":\n    del sys.path[0]\n",
    include_str!("../../../worker/python/names.py"),
    "\n\n",
    include_str!("probe.py")
);

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
    /// What may be wrong.
    pub(super) doubts: Vec<CheckFault>,
}

/// What compiles code blocks in the worker: what it refuses, it refuses here.
pub(super) const COMPILER: &str = include_str!("../../../worker/python/code.py");

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
    let asked = serde_json::json!({ "compiler": COMPILER, "import_path": import_path, "checks": checks }).to_string();
    let stdin = child.stdin.take();
    // Fails if the program does not read its input. Then it is not Python, which is reported below.
    let _ = stdin.map(|mut stdin| stdin.write_all(asked.as_bytes()));
    let output = child.wait_with_output().map_err(|error| format!("waiting for it failed: {error}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let last = stdout.lines().next_back().unwrap_or_default();
    serde_json::from_str(last).map_err(|_| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr.lines().next_back().unwrap_or("no output").trim();
        let shadow =
            shadowing_file(&stderr).map_or(String::new(), |file| format!("; `{file}` may hide a module of Python"));
        format!("it does not behave like Python 3 ({}; {last}{shadow})", output.status)
    })
}

/// The last file of a traceback, if it is one of the user's: where the probe fails, that file has the name of a module that it
/// needs.
fn shadowing_file(stderr: &str) -> Option<&str> {
    let files = stderr.lines().filter_map(|line| line.trim_start().strip_prefix("File \"")?.split('"').next());
    let mut own = files.filter(|file| !file.starts_with('<') && !file.contains("/lib/python"));
    own.next_back()
}
