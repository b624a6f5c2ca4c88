//! Caches the answers of interpreters: probing one takes longer than a small run.
//!
//! An answer is valid as long as nothing that it depends on has changed: the interpreter's file, its `pyvenv.cfg`, the
//! directories on its import path, the environment variables that affect it, and the code it has checked. Answers are stored
//! in `$XDG_CACHE_HOME/batchmill` or `~/.cache/batchmill` (XDG Base Directory Specification). An answer with errors is not
//! cached, because the user is about to fix them.

use super::probe::{Answer, COMPILER, Check, PROBE, ask};
use crate::model::ItemKey;
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An answer, and what it depends on.
#[derive(Serialize, Deserialize)]
struct CachedAnswer {
    answer: Answer,
    /// Files and directories with their modification times; `None` for one that does not exist.
    times: Vec<(PathBuf, Option<(i64, i64)>)>,
}

/// Returns the cached answer of an interpreter, or asks it.
pub(super) fn ask_once(interpreter: &Path, import_path: &[String], checks: &[Check]) -> Result<Answer, String> {
    let entry = entry(interpreter, import_path, checks);
    if let Some(answer) = entry.as_ref().and_then(CacheEntry::answer) {
        return Ok(answer);
    }
    let answer = ask(interpreter, import_path, checks)?;
    entry.inspect(|entry| entry.keep(&answer));
    Ok(answer)
}

/// The cache file for an answer.
struct CacheEntry {
    file: PathBuf,
    /// The directories on the import path that the question adds.
    folders: Vec<PathBuf>,
}

/// The cache file for the answer to this question; `None` if the answer cannot be cached.
fn entry(interpreter: &Path, import_path: &[String], checks: &[Check]) -> Option<CacheEntry> {
    let file = resolve(interpreter)?;
    let data = fs::metadata(&file).ok()?;
    let folder = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let mut variables: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PYTHON") || name == "HOME")
        .collect();
    variables.sort();
    let version = env!("CARGO_PKG_VERSION");
    let asked = format!(
        "{version} {file:?} {} {} {} {variables:?} {import_path:?} {checks:?} {} {COMPILER}",
        data.size(),
        data.mtime(),
        data.mtime_nsec(),
        PROBE
    );
    let file = folder.join("batchmill").join(format!("interpreter-{}.json", ItemKey::of(asked.as_bytes())));
    Some(CacheEntry { file, folders: import_path.iter().map(PathBuf::from).collect() })
}

impl CacheEntry {
    /// The cached answer, if it is still valid.
    fn answer(&self) -> Option<Answer> {
        let kept: CachedAnswer = serde_json::from_slice(&fs::read(&self.file).ok()?).ok()?;
        kept.times.iter().all(|(path, time)| changed(path) == *time).then_some(kept.answer)
    }

    /// Stores an answer. If that fails, the next run asks again.
    fn keep(&self, answer: &Answer) {
        if !answer.faults.is_empty() {
            return;
        }
        let folders = answer.site_packages.iter().chain(&answer.path).map(PathBuf::from);
        let settings = Path::new(&answer.prefix).join("pyvenv.cfg");
        let folders = folders.chain(self.folders.iter().cloned());
        let times = folders.chain([settings]).map(|path| (path.clone(), changed(&path))).collect();
        let kept = CachedAnswer { answer: answer.clone(), times };
        let Ok(json) = serde_json::to_vec(&kept) else { return };
        let Some(folder) = self.file.parent() else { return };
        let part = self.file.with_extension(format!("{}.part", std::process::id()));
        // A failure only means that the next run asks again.
        let _ = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let file = fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(&part);
        let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, &json));
        let _ = written.and_then(|()| fs::rename(&part, &self.file)).inspect_err(|_| drop(fs::remove_file(&part)));
    }
}

/// When a file or directory was modified. A directory is when an entry is added or removed.
fn changed(path: &Path) -> Option<(i64, i64)> {
    fs::metadata(path).ok().map(|data| (data.mtime(), data.mtime_nsec()))
}

/// The file that a name stands for, as `execvp` finds it on `PATH`. Links are not resolved: they tell virtual environments
/// apart.
fn resolve(interpreter: &Path) -> Option<PathBuf> {
    if interpreter.components().count() > 1 {
        return std::path::absolute(interpreter).ok();
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(interpreter)).find(|file| file.is_file())
}
