//! The program in a folder of its own.

use std::path::Path;
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

/// Runs the program in a folder, within its bounds.
pub fn batchmill(folder: &Path, arguments: &[&str]) -> Ended {
    let limited = format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"");
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", BOUND, "sh", "-c", &limited, env!("CARGO_BIN_EXE_batchmill")]);
    let output = command.args(arguments).current_dir(folder).env_remove("BATCHMILL_STATE_DIR").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
