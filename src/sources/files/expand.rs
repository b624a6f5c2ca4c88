//! The files that paths and patterns name.

use super::archive::{self, Members, is_archive, members};
use super::row_file::RowFile;
use crate::sources::error::SourceError;
use crate::sources::pattern::{DistinctFiles, matching_files};
use crate::template::PathPattern;
use crossbeam_channel::Receiver;
use std::convert::Infallible;
use std::path::{Path, PathBuf};

/// The files that these paths and patterns name. Those of a pattern are sorted, and no file comes twice. A zip archive is its
/// members.
pub(crate) fn expand(
    named: impl IntoIterator<Item = PathPattern>,
    stop: &Receiver<Infallible>,
) -> Result<Vec<RowFile>, SourceError> {
    let mut files = Files { found: Vec::new(), distinct: DistinctFiles::default(), stop };
    for PathPattern { path, pattern, has_wildcards } in named {
        // A name of an existing file means that file, even if it looks like a pattern.
        if Path::new(&path).exists() {
            files.add(PathBuf::from(path));
        } else if let Some((archive, within)) =
            archive::split(&path).filter(|(archive, _)| is_archive(archive.as_ref()))
        {
            let which = match archive::split(&pattern) {
                Some((_, pattern)) if has_wildcards => Members::matching(pattern)?,
                _ => Members::Named(within.to_owned()),
            };
            files.add_members(Path::new(archive), &which);
        } else if !has_wildcards {
            files.add(PathBuf::from(path));
        } else if let Some((archives, within)) = archive::split(&pattern) {
            // A folder may have such a name too.
            let mut paths = matching_files(&pattern)?;
            paths.drain(..).for_each(|path| files.add(path));
            let which = Members::matching(within)?;
            let archives = matching_files(archives)?.into_iter().filter(|path| is_archive(path));
            archives.for_each(|path| files.add_members(&path, &which));
        } else {
            matching_files(&pattern)?.into_iter().for_each(|path| files.add(path));
        }
    }
    Ok(files.found)
}

/// Files so far.
struct Files<'a> {
    found: Vec<RowFile>,
    distinct: DistinctFiles,
    stop: &'a Receiver<Infallible>,
}

impl Files<'_> {
    fn add(&mut self, path: PathBuf) {
        if is_archive(&path) {
            self.add_members(&path, &Members::All);
        } else if self.distinct.add(&path) {
            self.found.push(RowFile::new(path, self.stop));
        }
    }

    fn add_members(&mut self, archive: &Path, which: &Members) {
        let real = archive.canonicalize().unwrap_or_else(|_| archive.to_path_buf());
        match members(archive, which) {
            Ok(entries) => {
                for entry in entries {
                    if self.distinct.add(&real.join(entry.name.trim_start_matches('/'))) {
                        self.found.push(RowFile::of_archive(archive, entry));
                    }
                }
            }
            Err(why) if self.distinct.add(archive) => self.found.push(RowFile::refused(archive.to_path_buf(), why)),
            Err(_) => {}
        }
    }
}
