//! The files that a glob pattern matches.

use super::error::SourceError;
use std::path::PathBuf;

/// The files that a pattern matches, sorted by name.
pub(super) fn matching_files(pattern: &str) -> Result<Vec<PathBuf>, SourceError> {
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let found = glob::glob_with(pattern, options)
        .map_err(|error| SourceError::Pattern { pattern: pattern.to_owned(), cause: error.to_string() })?;
    let mut files = Vec::new();
    for path in found {
        let path =
            path.map_err(|error| SourceError::Read { path: error.path().to_path_buf(), source: error.into() })?;
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
