//! `{glob:}`: the files that match, sorted by name, no file twice. Each is known by its size and time of change too.

use super::list::List;
use super::{SourceError, lines};
use crate::model::Text;
use crate::template::{ItemScope, Template};
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

/// The files that match a pattern, sorted.
pub(in crate::sources) fn matching(pattern: &str) -> Result<Vec<PathBuf>, SourceError> {
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

pub(super) fn open(patterns: &[Text], scope: &Arc<ItemScope>) -> Result<List, SourceError> {
    let mut files = BTreeSet::new();
    for pattern in patterns {
        files.extend(matching(&Template::compile(pattern)?.string(scope)?)?);
    }
    let item = |path: PathBuf| {
        let json = lines::item(path.as_os_str().as_bytes(), 1, "glob");
        json.map_err(|_| SourceError::NotUtf8(format!("the name of `{}`", path.display()))).transpose()
    };
    files.into_iter().filter_map(item).collect::<Result<_, _>>().map(List::of_files)
}
