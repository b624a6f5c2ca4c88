//! Where results go, and how much was written there.

use crate::model::{OutputCompression, OutputFormat, OutputOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where results go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The file, or with `parts` the folder.
    pub path: PathBuf,
    /// The format of the file.
    pub format: OutputFormat,
    /// Whether `path` is a folder of files of limited size.
    pub parts: bool,
    /// How the file is compressed as a whole. Parquet never is: it is compressed inside.
    pub compression: OutputCompression,
    /// How the file is written otherwise.
    pub options: OutputOptions,
}

/// The path that means stdout.
const STDOUT: &str = "-";

/// Whether a path means stdout.
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new(STDOUT)
}

impl Target {
    /// Whether the results go to stdout.
    pub fn is_stdout(&self) -> bool {
        is_stdout(&self.path)
    }

    /// Where the results go, as messages name it.
    pub fn shown(&self) -> String {
        shown(&self.path)
    }

    /// The state of what was written, to tell whether it was changed: size and time of each file. None if nothing is
    /// there. Stdout has none: what went there is gone.
    pub fn state(&self) -> Option<String> {
        if self.is_stdout() {
            return None;
        }
        if !self.parts {
            return file_state(&self.path);
        }
        let entries = std::fs::read_dir(&self.path).ok()?.filter_map(Result::ok);
        let mut files: Vec<String> = entries
            .filter_map(|entry| Some(format!("{} {}", entry.file_name().display(), file_state(&entry.path())?)))
            .collect();
        files.sort_unstable();
        Some(format!("{:032x}", xxhash_rust::xxh3::xxh3_128(files.join("\n").as_bytes())))
    }
}

/// A path as messages name it.
pub(super) fn shown(path: &Path) -> String {
    if is_stdout(path) { "stdout".to_owned() } else { format!("`{}`", path.display()) }
}

/// The state of a file, to tell whether it was changed: its size and time. None if it is not a file.
pub fn file_state(path: &Path) -> Option<String> {
    let file = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some(format!("{} bytes, {}.{:09}", file.len(), file.mtime(), file.mtime_nsec()))
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// How many records.
    pub records: u64,
    /// How many null results were left out.
    pub nulls: u64,
    /// The columns that the user names and no record has.
    pub missing: Vec<String>,
    /// Whether the reader of stdout did not want more.
    pub is_cut: bool,
}
