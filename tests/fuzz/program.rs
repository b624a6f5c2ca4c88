//! The program in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A process gets this long, in seconds, and this much memory, in KiB.
const BOUND: &str = "60";
const MEMORY: u64 = 6 << 20;

/// What came of a process.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Whether it came to its own end: neither killed nor by a panic.
    pub fn is_proper(&self) -> bool {
        matches!(self.code, Some(0..=9)) && !self.stderr.contains("panicked")
    }
}

/// A folder with these files.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
    folder
}

/// The program in a folder, with its bound of memory.
pub fn limited(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &limit(), env!("CARGO_BIN_EXE_batchmill")]).args(arguments);
    command.current_dir(folder).env_remove("BATCHMILL_STATE_DIR");
    command
}

fn limit() -> String {
    format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"")
}

/// Runs the program in a folder, within its bounds.
pub fn batchmill(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", BOUND, "sh", "-c", &limit(), env!("CARGO_BIN_EXE_batchmill")]);
    let output = command.args(arguments).current_dir(folder).env_remove("BATCHMILL_STATE_DIR").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What a script in `tests/support` prints.
pub fn python(script: &str, arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let set = std::env::var_os("BATCHMILL_TEST_PYTHON").map(PathBuf::from);
    let interpreter = set.unwrap_or_else(|| root.join(".venv/bin/python"));
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", BOUND]).arg(interpreter).arg(root.join("tests/support").join(script)).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A workflow that writes the rows of a source to a file, in batches.
pub fn rows_workflow(items: &str) -> String {
    format!(
        "
steps:
  - name: rows
    task: batch
    inputs:
      items: {items}
      batch_size: 7
      max_parallel: 2
      continue_on_error: true
      task: {{type: echo, message: '{{{{ item | tojson }}}}'}}
    outputs: {{path: rows.jsonl}}
"
    )
}
