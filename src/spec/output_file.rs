//! A file that a step writes.

use crate::model::{OutputFormat, OutputOptions, Text};

/// A file, or a directory of files, for the results of a step.
#[derive(Debug, Clone)]
pub struct OutputFile {
    /// `path`. Rendered when the step starts.
    pub path: Text,
    /// `format`. Default: by file extension.
    pub format: OutputFormat,
    /// `parts`: whether `path` is a directory of files.
    pub parts: bool,
    /// `only_new`: whether results that were taken over from an earlier run are left out.
    pub only_new: bool,
    /// How the file is written otherwise.
    pub options: OutputOptions,
}
