//! A copy of a step's results in item order. Its name contains the revision of the results, its size and its hash, so
//! that a truncated or changed copy is never used.

use super::error::LedgerError;
use super::files::{io_error, remove_file, sync_directory, write_new};
use super::folder::RunFolder;
use super::results::ResultsReader;
use super::run_path::{RunPath, held};
use crate::model::StepName;
use std::fs;
use std::io::{self, Read, Write};
use xxhash_rust::xxh3::Xxh3;

/// The prefix of copies that are being written. Step names contain no `~`, so no other file has such a name.
fn temporary_prefix(step: &StepName) -> String {
    format!(".{step}~")
}

const TEMPORARY: &str = ".tmp";

/// What a copy must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Content {
    size: u64,
    hash: u64,
}

impl Content {
    fn of_file(path: &RunPath) -> Result<Option<Self>, LedgerError> {
        let failed = |source| io_error("read", path, source);
        let Some(file) = path.open()? else { return Ok(None) };
        let mut file = (&file).take(held(&file).map_err(failed)?);
        let (mut hash, mut size) = (Xxh3::new(), 0);
        let mut bytes = vec![0; 256 << 10];
        loop {
            match file.read(&mut bytes) {
                Ok(0) => return Ok(Some(Self { size, hash: hash.digest() })),
                Ok(read) => {
                    hash.update(&bytes[..read]);
                    size += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// From the end of a name: `1f-00112233445566aa.jsonl`.
    fn of_name(end: &str) -> Option<Self> {
        let (size, hash) = end.strip_suffix(".jsonl")?.split_once('-')?;
        let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
        Some(Self { size: number(size)?, hash: number(hash)? })
    }
}

/// The copy of this revision, if it exists and is intact.
pub(super) fn find(folder: &RunFolder, step: &StepName, revision: &str) -> Option<RunPath> {
    let prefix = format!("{step}~{revision}~");
    let results = folder.results_folder();
    let entries = fs::read_dir(&*results).ok()?;
    entries.filter_map(Result::ok).find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let (content, path) = (Content::of_name(name.strip_prefix(&prefix)?)?, results.join(&name));
        Content::of_file(&path).is_ok_and(|found| found == Some(content)).then_some(path)
    })
}

/// Writes the copy of this revision, and deletes all others.
pub(super) fn write(
    folder: &RunFolder,
    step: &StepName,
    revision: &str,
    results: ResultsReader,
) -> Result<RunPath, LedgerError> {
    remove_others(folder, step)?;
    let results_folder = folder.results_folder();
    let failed = |source| io_error("write", &results_folder, source);
    let mut content = Content { size: 0, hash: 0 };
    let temporary = write_new(&results_folder, (&temporary_prefix(step), TEMPORARY), |out| {
        let mut out = Hashing { out, hash: Xxh3::new(), size: 0 };
        let copied = results.copy_to(&mut out)?;
        content = Content { size: out.size, hash: out.hash.digest() };
        Ok(copied)
    })?;
    let name = format!("{step}~{revision}~{:x}-{:016x}.jsonl", content.size, content.hash);
    let path = results_folder.join(&name);
    temporary.persist(&*path).map_err(|error| failed(error.error))?;
    sync_directory(&results_folder)?;
    Ok(path)
}

/// Deletes copies of this step: those of other revisions, damaged ones, and those that a killed process had begun.
fn remove_others(folder: &RunFolder, step: &StepName) -> Result<(), LedgerError> {
    let results = folder.results_folder();
    results.check_folder()?;
    let entries = fs::read_dir(&*results).map_err(|source| io_error("read", &results, source))?;
    let (copies, temporary) = (format!("{step}~"), temporary_prefix(step));
    for entry in entries.filter_map(Result::ok) {
        // Names of batchmill are text.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = results.join(&name);
        let is_abandoned = || path.open().is_ok_and(|file| file.is_some_and(|file| file.try_lock().is_ok()));
        if name.starts_with(&copies) && name.ends_with(".jsonl")
            || name.starts_with(&temporary) && name.ends_with(TEMPORARY) && is_abandoned()
        {
            remove_file(&path)?;
        }
    }
    Ok(())
}

/// Hashes what is written.
struct Hashing<W> {
    out: W,
    hash: Xxh3,
    size: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunId;

    #[test]
    fn a_copy_is_known_by_its_size_and_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = RunPath::new(folder.path().join("a"), 1);
        fs::write(&*path, "1\n2\n").unwrap();
        let content = Content::of_file(&path).unwrap().unwrap();
        assert_eq!(content.size, 4);
        assert_eq!(Content::of_name(&format!("4-{:016x}.jsonl", content.hash)), Some(content));
        fs::write(&*path, "1\n3\n").unwrap();
        assert_ne!(Content::of_file(&path).unwrap(), Some(content));
    }

    #[test]
    fn only_copies_of_the_step_that_nobody_writes_are_deleted() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = RunFolder { run: RunId("r".to_owned()), path: temporary.path().to_path_buf() };
        let results = folder.path.join("results");
        fs::create_dir(&results).unwrap();
        let stay =
            ["s.jsonl", "s.keys", "t.jsonl", "t~1~4-0.jsonl", ".t~1.tmp", ".s~1.part", "s~1.other", ".s~written.tmp"];
        for name in stay.iter().chain(&["s~1~4-0.jsonl", "s~2~.jsonl", ".s~1.tmp"]) {
            fs::write(results.join(name), "1\n").unwrap();
        }
        let written = fs::File::open(results.join(".s~written.tmp")).unwrap();
        written.lock().unwrap();
        remove_others(&folder, &StepName::new("s").unwrap()).unwrap();
        let mut left: Vec<String> =
            fs::read_dir(&results).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        let mut expected = stay.map(str::to_owned);
        expected.sort();
        assert_eq!(left, expected);
    }
}
