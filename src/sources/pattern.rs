//! The files that a glob pattern matches.
//!
//! The `glob` crate matches names. The folders are walked here: its own walk follows links in circles until the kernel refuses,
//! and panics at a name that is not UTF-8.

use super::error::SourceError;
use glob::{MatchOptions, Pattern};
use std::collections::HashSet;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_128;

/// `*` and `?` match no dot at the beginning of a name.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: false, require_literal_leading_dot: true };

/// The files that a pattern matches, sorted by name.
pub(super) fn matching_files(pattern: &str) -> Result<Vec<PathBuf>, SourceError> {
    let wrong =
        |error: glob::PatternError| SourceError::Pattern { pattern: pattern.to_owned(), cause: error.to_string() };
    Pattern::new(pattern).map_err(wrong)?;
    if pattern.ends_with('/') {
        // Only folders have such names.
        return Ok(Vec::new());
    }
    let root = if pattern.starts_with('/') { PathBuf::from("/") } else { PathBuf::new() };
    let parts = pattern.split('/').filter(|part| !part.is_empty() && *part != ".");
    let parts: Vec<Part> = parts.map(Part::read).collect::<Result<_, _>>().map_err(wrong)?;
    let mut walk = Walk::default();
    walk.below(&root, &parts)?;
    walk.files.sort();
    walk.files.dedup();
    Ok(walk.files)
}

/// Files without those already listed under another spelling of their directory.
#[derive(Default)]
pub(super) struct DistinctFiles {
    /// The hashes of their real paths: there may be millions.
    seen: HashSet<u128>,
    /// The folder of the last file, and its real path: most files have neighbours.
    folder: Option<(PathBuf, PathBuf)>,
}

impl DistinctFiles {
    /// Whether the file is new. A link to a file counts as a separate file.
    pub(super) fn add(&mut self, path: &Path) -> bool {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return self.insert(path);
        };
        if self.folder.as_ref().is_none_or(|(known, _)| known != folder) {
            let named = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let real = fs::canonicalize(named).unwrap_or_else(|_| folder.to_path_buf());
            self.folder = Some((folder.to_path_buf(), real));
        }
        let real = self.folder.as_ref().map_or(folder, |(_, real)| real);
        self.insert(&real.join(name))
    }

    fn insert(&mut self, path: &Path) -> bool {
        self.seen.insert(xxh3_128(path.as_os_str().as_bytes()))
    }
}

/// A part of a pattern between two slashes.
enum Part {
    /// `**`: any number of folders.
    Folders,
    /// A name as it is.
    Name(String),
    /// A pattern of one name.
    Pattern(Pattern),
}

impl Part {
    fn read(text: &str) -> Result<Self, glob::PatternError> {
        Ok(match text {
            "**" => Self::Folders,
            text if text.contains(['*', '?', '[']) => Self::Pattern(Pattern::new(text)?),
            text => Self::Name(text.to_owned()),
        })
    }
}

/// What a walk has found.
#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
}

impl Walk {
    /// Finds what the parts match below a folder.
    fn below(&mut self, folder: &Path, parts: &[Part]) -> Result<(), SourceError> {
        match parts {
            [] => Ok(()),
            [Part::Name(name), rest @ ..] => self.take(folder.join(name), rest),
            [Part::Pattern(pattern), rest @ ..] => {
                for entry in entries(folder)? {
                    let entry = entry.map_err(|source| unreadable(folder, source))?;
                    // A name that is not UTF-8 is compared as it is shown.
                    if pattern.matches_with(&entry.file_name().to_string_lossy(), OPTIONS) {
                        self.take(folder.join(entry.file_name()), rest)?;
                    }
                }
                Ok(())
            }
            [Part::Folders, rest @ ..] => {
                let rest = &rest[rest.iter().take_while(|part| matches!(part, Part::Folders)).count()..];
                if rest.is_empty() { Ok(()) } else { self.in_folders(folder, rest) }
            }
        }
    }

    /// Adds a file that the whole pattern matches, or descends into a directory.
    fn take(&mut self, path: PathBuf, rest: &[Part]) -> Result<(), SourceError> {
        if !rest.is_empty() {
            return self.below(&path, rest);
        }
        if path.is_file() {
            self.files.push(path);
        }
        Ok(())
    }

    /// Finds what the parts match in a directory and in those below it. Each is entered once, by its own name rather than
    /// through a link.
    fn in_folders(&mut self, folder: &Path, parts: &[Part]) -> Result<(), SourceError> {
        let mut entered: HashSet<(u64, u64)> = HashSet::new();
        // Directories reached by name, and those reached through links.
        let (mut folders, mut links) = (vec![folder.to_path_buf()], Vec::new());
        loop {
            let Some(next) = folders.pop().or_else(|| links.pop()) else { return Ok(()) };
            let named = if next.as_os_str().is_empty() { Path::new(".") } else { &next };
            let Ok(metadata) = fs::metadata(named) else { continue };
            if !metadata.is_dir() || !entered.insert(place(&metadata)) {
                continue;
            }
            self.below(&next, parts)?;
            for entry in entries(&next)? {
                let entry = entry.map_err(|source| unreadable(&next, source))?;
                if entry.file_name().as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(next.join(entry.file_name())),
                    Ok(kind) if kind.is_symlink() => links.push(next.join(entry.file_name())),
                    _ => {}
                }
            }
            // The last one is popped first, and the first name should be.
            folders.sort_by(|one, other| other.cmp(one));
            links.sort_by(|one, other| other.cmp(one));
        }
    }
}

fn place(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// What is in a folder; nothing if it is no folder.
fn entries(folder: &Path) -> Result<impl Iterator<Item = io::Result<DirEntry>> + use<>, SourceError> {
    let named = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match fs::read_dir(named) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None.into_iter().flatten())
        }
        Err(source) => Err(unreadable(folder, source)),
    }
}

fn unreadable(folder: &Path, source: io::Error) -> SourceError {
    SourceError::Read { path: folder.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn found(folder: &Path, pattern: &str) -> Vec<String> {
        let files = matching_files(&format!("{}/{pattern}", folder.display())).unwrap();
        files.iter().map(|file| file.strip_prefix(folder).unwrap().display().to_string()).collect()
    }

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    #[test]
    fn names_are_matched_folder_by_folder() {
        let tree =
            tree(&["a.csv", "b.csv", "B.csv", ".c.csv", "x/a.csv", "x/y/a.csv", "x/.h/a.csv", "x/y/b.txt", "[z].csv"]);
        let found = |pattern: &str| found(tree.path(), pattern);
        assert_eq!(found("*.csv"), ["B.csv", "[z].csv", "a.csv", "b.csv"]);
        assert_eq!(found(".*.csv"), [".c.csv"]);
        assert_eq!(found("[ab].csv"), ["a.csv", "b.csv"]);
        assert_eq!(found("[[]z].csv"), ["[z].csv"]);
        assert_eq!(found("?/a.csv"), ["x/a.csv"]);
        assert_eq!(found("**/a.csv"), ["a.csv", "x/a.csv", "x/y/a.csv"]);
        assert_eq!(found("x/**/**/*.csv"), ["x/a.csv", "x/y/a.csv"]);
        assert_eq!(found("x/../**/y/*"), ["x/../x/y/a.csv", "x/../x/y/b.txt"]);
        assert_eq!(found("./x//.h/*"), ["x/.h/a.csv"]);
        for nothing in ["**", "x/*/", "x", "none/*", "a.csv/*"] {
            assert_eq!(found(nothing), [""; 0], "{nothing}");
        }
        assert!(matching_files("a**").is_err() && matching_files("x/[").is_err());
    }

    #[test]
    fn links_lead_to_each_folder_once() {
        let tree = tree(&["a/1.csv", "b/2.csv", "b/c/3.csv"]);
        for (link, to) in [("a/up", ".."), ("b/c/self", "."), ("0", "b/c"), ("a/b", "../b"), ("gone", "nowhere")] {
            symlink(to, tree.path().join(link)).unwrap();
        }
        symlink("1.csv", tree.path().join("a/latest.csv")).unwrap();
        assert_eq!(found(tree.path(), "**/*.csv"), ["a/1.csv", "a/latest.csv", "b/2.csv", "b/c/3.csv"]);
        assert_eq!(found(tree.path(), "a/**/3.csv"), ["a/b/c/3.csv"], "a link is followed where it is the only way");
        assert_eq!(found(tree.path(), "0/*"), ["0/3.csv"]);
    }

    #[test]
    fn one_file_is_one_whatever_its_folder_is_called() {
        let tree = tree(&["a/1.csv"]);
        symlink("a", tree.path().join("b")).unwrap();
        let mut files = DistinctFiles::default();
        let mut add = |path: &str| files.add(&tree.path().join(path));
        assert!(add("a/1.csv") && !add("./a/1.csv") && !add("b/1.csv") && !add("b/../a/1.csv") && add("a/2.csv"));
    }
}
