//! The members of zip archives, as files.
//!
//! The `zip` crate reads the directory of an archive. The data of a member is read here, so that an archive is not kept open,
//! and that a member can be read as often and as far as a file.

use super::member::{Member, Packing};
use crate::sources::error::SourceError;
use crate::spec::Compression;
use glob::{MatchOptions, Pattern};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use zip::{CompressionMethod, ZipArchive};

/// As in a pattern of files.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// More members than this are more likely an attack than data.
const MOST_MEMBERS: usize = 1_000_000;

/// What archives made on a Mac have besides the files.
const OF_MACOS: &str = "__MACOSX";

/// What an archive has at one name.
pub(super) struct Entry {
    pub(super) name: String,
    /// Its data, or why they cannot be read.
    pub(super) member: Result<Member, String>,
}

/// Which members of an archive to read.
pub(super) enum Members {
    /// All but hidden ones.
    All,
    /// The one of this name.
    Named(String),
    /// Those that match a pattern.
    Matching(Pattern),
}

/// The parts of a path or a pattern that lead to an archive and into it.
pub(super) fn split(path: &str) -> Option<(&str, &str)> {
    let ends = path.match_indices('/').map(|(at, _)| at);
    let archive = ends.map(|end| path.split_at(end)).find(|(archive, _)| has_ending(archive))?;
    let within = archive.1.trim_start_matches('/');
    (!within.is_empty()).then_some((archive.0, within))
}

/// Whether a file is a zip archive: its name and its first bytes say so. What only has the name is a file like others.
pub(super) fn is_archive(path: &Path) -> bool {
    path.to_str().is_some_and(has_ending) && begins_as_archive(path).unwrap_or(false)
}

fn has_ending(path: &str) -> bool {
    path.len() > 4 && path.as_bytes()[path.len() - 4..].eq_ignore_ascii_case(b".zip")
}

fn begins_as_archive(path: &Path) -> io::Result<bool> {
    // A pipe must not be opened.
    if !path.metadata()?.is_file() {
        return Ok(false);
    }
    let mut magic = [0; 4];
    File::open(path)?.read_exact(&mut magic)?;
    Ok(matches!(&magic, b"PK\x03\x04" | b"PK\x05\x06" | b"PK\x07\x08"))
}

impl Members {
    /// Those that a pattern matches.
    pub(super) fn matching(pattern: &str) -> Result<Self, SourceError> {
        let wrong =
            |error: glob::PatternError| SourceError::Pattern { pattern: pattern.to_owned(), cause: error.to_string() };
        Ok(Self::Matching(Pattern::new(pattern).map_err(wrong)?))
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => !name.split('/').any(|part| part.starts_with('.') && part != ".." || part == OF_MACOS),
            Self::Named(named) => named == name,
            Self::Matching(pattern) => {
                let of_macos = name.split('/').any(|part| part == OF_MACOS);
                pattern.matches_with(name, OPTIONS) && (!of_macos || pattern.as_str().contains(OF_MACOS))
            }
        }
    }
}

/// The members of an archive, sorted by name.
///
/// # Errors
/// If it cannot be read as an archive; the text says why.
pub(super) fn members(path: &Path, which: &Members) -> Result<Vec<Entry>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let opened = Member::archive(path, &file).map_err(|error| error.to_string())?;
    let broken = |error: zip::result::ZipError| format!("it is not a whole zip archive: {error}");
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    if archive.len() > MOST_MEMBERS {
        return Err(format!("it has {} members; more than {MOST_MEMBERS} are not read", archive.len()));
    }
    if archive.has_duplicate_names() {
        return Err("it has two members of one name; unpack it to choose between them".to_owned());
    }
    let mut entries = Vec::new();
    let mut ranges = Vec::new();
    for index in 0..archive.len() {
        let Ok(entry) = archive.by_index_raw(index) else {
            let name = archive.name_for_index(index).and_then(Result::ok).map_or_else(String::new, |name| name.into());
            entries.push(Entry { name, member: Err("its header in the archive is broken".to_owned()) });
            continue;
        };
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().map_or_else(|_| String::from_utf8_lossy(entry.name_raw()).into_owned(), Into::into);
        let Some(start) = entry.data_start() else { continue };
        let (packed, size, checksum) = (entry.compressed_size(), entry.size(), entry.crc32());
        let member = if leads_out(&name) {
            Err("its name leads out of the archive".to_owned())
        } else if entry.is_symlink() {
            Err("it is a link".to_owned())
        } else if entry.encrypted() {
            Err("it is encrypted; unpack the archive with its password, and read the files".to_owned())
        } else {
            packing(entry.compression()).map(|packing| Member {
                archive: Arc::clone(&opened),
                start,
                packed,
                size,
                checksum,
                packing,
            })
        };
        ranges.push((start, start.saturating_add(packed), entries.len()));
        entries.push(Entry { name, member });
    }
    refuse_overlaps(&mut entries, ranges);
    entries.retain(|entry| which.has(&entry.name));
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    match which {
        Members::Named(name) if entries.is_empty() => Err(format!("it has no member `{name}`")),
        _ => Ok(entries),
    }
}

/// Whether a name is none of a file within the archive, for whoever unpacks it.
fn leads_out(name: &str) -> bool {
    name.starts_with(['/', '\\']) || name.contains('\0') || name.split(['/', '\\']).any(|part| part == "..")
}

/// Data that belong to several members: so a small archive becomes a very large one.
fn refuse_overlaps(entries: &mut [Entry], mut ranges: Vec<(u64, u64, usize)>) {
    ranges.sort_unstable();
    let mut reached = 0;
    for (start, end, at) in ranges {
        if start < reached && start < end {
            entries[at].member = Err("its data are also those of another member".to_owned());
        }
        reached = reached.max(end);
    }
}

fn packing(method: CompressionMethod) -> Result<Packing, String> {
    Ok(match method {
        CompressionMethod::STORE => Packing::Stored,
        CompressionMethod::DEFLATE => Packing::Deflated,
        CompressionMethod::BZIP2 => Packing::Other(Compression::Bzip2),
        CompressionMethod::ZSTD => Packing::Other(Compression::Zstd),
        CompressionMethod::XZ => Packing::Other(Compression::Xz),
        method => {
            return Err(format!("it is compressed by the method {method}; unpack the archive, and read the files"));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_behind_the_first_archive() {
        assert_eq!(split("a/b.zip/c/d.csv"), Some(("a/b.zip", "c/d.csv")));
        assert_eq!(split("*.ZIP//*.csv"), Some(("*.ZIP", "*.csv")));
        assert_eq!([split("a/b.zip"), split("b.zip/"), split(".zip/a"), split("a/b.csv")], [None; 4]);
    }
}
