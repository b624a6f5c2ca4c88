//! Remembers what interpreters have said of themselves: asking one costs more time than a small run.
//!
//! An answer holds as long as nothing that it depends on has changed: the interpreter's file, its `pyvenv.cfg`, the folders
//! that modules are found in, the variables that steer it, and the code that it looked over. It is kept in the user's cache folder,
//! `$XDG_CACHE_HOME/batchmill` or `~/.cache/batchmill` (XDG Base Directory Specification). Answers that found a fault are not
//! kept: the next one may be another.

use super::probe::{Answer, Check, ask};
use crate::model::ItemKey;
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An answer, and what it depends on.
#[derive(Serialize, Deserialize)]
struct CachedAnswer {
    answer: Answer,
    /// Folders and files, and their times of change; none for one that is not there.
    times: Vec<(PathBuf, Option<(i64, i64)>)>,
}

/// Returns what an interpreter answered before to the same question, or asks it.
pub(super) fn ask_once(interpreter: &Path, import_path: &[String], checks: &[Check]) -> Result<Answer, String> {
    let entry = entry(interpreter, import_path, checks);
    if let Some(answer) = entry.as_ref().and_then(CacheEntry::answer) {
        return Ok(answer);
    }
    let answer = ask(interpreter, import_path, checks)?;
    entry.inspect(|entry| entry.keep(&answer));
    Ok(answer)
}

/// Where the answer to a question is kept.
struct CacheEntry {
    file: PathBuf,
    /// Folders of the question itself that modules are found in.
    folders: Vec<PathBuf>,
}

/// The place for an interpreter's answer; none where it would not hold.
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
        "{version} {file:?} {} {} {} {variables:?} {import_path:?} {checks:?} {}",
        data.size(),
        data.mtime(),
        data.mtime_nsec(),
        include_str!("probe.py")
    );
    let file = folder.join("batchmill").join(format!("interpreter-{}.json", ItemKey::of(asked.as_bytes())));
    Some(CacheEntry { file, folders: import_path.iter().map(PathBuf::from).collect() })
}

impl CacheEntry {
    /// The answer that is kept there, if it still holds.
    fn answer(&self) -> Option<Answer> {
        let kept: CachedAnswer = serde_json::from_slice(&fs::read(&self.file).ok()?).ok()?;
        kept.times.iter().all(|(path, time)| changed(path) == *time).then_some(kept.answer)
    }

    /// Keeps an answer. Where that is not possible, the next run asks again.
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
        let beside = self.file.with_extension(format!("{}.part", std::process::id()));
        // Whatever fails here costs a question.
        let _ = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let file = fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(&beside);
        let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, &json));
        let _ = written.and_then(|()| fs::rename(&beside, &self.file)).inspect_err(|_| drop(fs::remove_file(&beside)));
    }
}

/// When a file or folder was changed: a folder when something was put into it or taken away.
fn changed(path: &Path) -> Option<(i64, i64)> {
    fs::metadata(path).ok().map(|data| (data.mtime(), data.mtime_nsec()))
}

/// The file that a name on `PATH` means, as `execvp` finds it; links are kept, a virtual environment is one.
fn resolve(interpreter: &Path) -> Option<PathBuf> {
    if interpreter.components().count() > 1 {
        return std::path::absolute(interpreter).ok();
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(interpreter)).find(|file| file.is_file())
}
