//! `{glob:}`: the files that match, sorted by name, no file twice. Each is also identified by its size and
//! modification time.

use super::chunk::Chunk;
use super::error::SourceError;
use super::lines;
use super::list::List;
use super::pattern::{DistinctFiles, matching_files};
use super::source::{Reread, Source};
use crate::model::{Compare, Text};
use crate::template::{ItemScope, Template};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

/// Files, and those that cannot be items.
pub(super) struct Files {
    list: List,
    /// Files whose names are not UTF-8.
    unnameable: Vec<PathBuf>,
}

pub(super) fn open(patterns: &[Text], scope: &Arc<ItemScope>) -> Result<Files, SourceError> {
    let (mut files, mut distinct) = (Vec::new(), DistinctFiles::default());
    for pattern in patterns {
        for pattern in Template::compile(pattern)?.patterns(scope)? {
            let found = matching_files(&pattern.pattern)?;
            files.extend(found.into_iter().filter(|path| distinct.add(path)));
        }
    }
    files.sort();
    let (mut items, mut unnameable) = (Vec::new(), Vec::new());
    for path in files {
        match lines::item(path.as_os_str().as_bytes(), 1, "glob") {
            Ok(item) => items.extend(item),
            Err(_) => unnameable.push(path),
        }
    }
    Ok(Files { list: List::of_files(items), unnameable })
}

impl Source for Files {
    fn total(&self) -> Option<u64> {
        self.list.total()
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        self.list.next(most)
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        self.list.reread()
    }

    fn compare_content(&mut self) {
        self.list.compare_content();
    }

    fn bytes(&self) -> Option<u64> {
        self.list.bytes()
    }

    fn file_keys(&self) -> Option<Compare> {
        self.list.file_keys()
    }

    fn largest_first(&mut self, most: u64) {
        self.list.largest_first(most);
    }

    fn notices(&self) -> Vec<String> {
        let skipped = |path: &PathBuf| format!("skipped `{}`, because its name is not UTF-8", path.display());
        let more = self.unnameable.len().saturating_sub(MOST_NAMED);
        let named = self.unnameable.iter().take(MOST_NAMED).map(skipped);
        named.chain((more > 0).then(|| format!("skipped {more} more files for the same reason"))).collect()
    }
}

/// How many skipped files are named.
const MOST_NAMED: usize = 5;
