//! The results of a step as a file.

use std::path::PathBuf;

/// A file with the results of a step, one per line, in item order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultsFile {
    /// The file; an absolute path.
    pub path: PathBuf,
    /// How many results there are.
    pub count: u64,
}

/// How large the results of a step are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultsSize {
    /// How many there are.
    pub count: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl ResultsSize {
    /// Whether readers that can should read them from their file, instead of holding them as one list.
    pub fn is_large(self) -> bool {
        const MOST: u64 = 1000;
        const MOST_BYTES: u64 = 1 << 20;
        self.count > MOST || self.bytes > MOST_BYTES
    }
}
