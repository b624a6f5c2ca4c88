//! The source files of the crate, as text: what the tests of its architecture look at.

use crate::support::repository;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// All Rust files below a folder.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// A file of `src` with its path in the crate.
pub struct SourceFile {
    /// Relative to the repository.
    pub path: PathBuf,
    /// For instance `["ledger", "reader"]`.
    pub module: Vec<String>,
    /// Its text without comments and without its tests.
    pub code: String,
    /// Its whole text.
    pub text: String,
}

/// All files of `src` that the crate is made of.
pub fn source_files() -> Vec<SourceFile> {
    let source = repository().join("src");
    let file = |path: PathBuf| {
        let relative = path.strip_prefix(&source).unwrap();
        let mut module: Vec<String> =
            relative.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        module.retain(|part| part != "mod" && part != "lib");
        let text = fs::read_to_string(&path).unwrap();
        let path = Path::new("src").join(relative);
        SourceFile { path, module, code: code(&text), text }
    };
    let files = rust_files(&source).into_iter().map(file);
    // Files of tests and programs are not part of the crate's modules.
    files.filter(|file| !file.module.iter().any(|part| part == "tests" || part == "bin" || part == "main")).collect()
}

/// A text without comments, and without the tests at its end.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

impl SourceFile {
    /// Paths that the file names from `crate`, `super` or one of its own modules, each from the root of the crate.
    fn named_paths(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        let mut statement = String::new();
        for line in self.code.lines() {
            statement.push_str(line.trim());
            statement.push(' ');
            let is_use = statement.trim_start().trim_start_matches("pub").trim_start().starts_with("use ")
                || statement.starts_with("pub(");
            if is_use && !statement.contains(';') {
                continue;
            }
            // What a file passes on it does not use.
            if !(statement.starts_with("pub") && statement.contains(" use ")) {
                self.paths_in(&statement, &mut paths);
            }
            statement.clear();
        }
        paths
    }

    fn paths_in(&self, statement: &str, paths: &mut Vec<Vec<String>>) {
        let own: Vec<&str> = self.code.lines().filter_map(declared_module).collect();
        let starts = ["crate", "super"].into_iter().chain(own.iter().copied());
        for start in starts {
            for (at, _) in statement.match_indices(&format!("{start}::")) {
                let before = statement[..at].chars().next_back();
                // `pub(in crate::a)` is a visibility, not a use.
                let is_visibility = statement[..at].ends_with("(in ");
                if is_visibility || before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                let root = match start {
                    "crate" => Vec::new(),
                    "super" => self.module[..self.module.len() - 1].to_vec(),
                    own => self.module.iter().cloned().chain([own.to_owned()]).collect(),
                };
                expand(&root, &statement[at + start.len() + 2..], paths);
            }
        }
    }
}

fn declared_module(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
    line.strip_prefix("mod ")?.strip_suffix(';')
}

/// The paths that `rest` stands for behind `root`: `a::B`, `{a::B, c}`, `super::d`.
fn expand(root: &[String], rest: &str, paths: &mut Vec<Vec<String>>) {
    if let Some(inside) = rest.strip_prefix('{') {
        let (mut depth, mut from) = (0, 0);
        for (at, c) in inside.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' if depth == 0 => {
                    expand(root, inside[from..at].trim_start(), paths);
                    from = at + 1;
                }
                '}' => {
                    expand(root, inside[from..at].trim_start(), paths);
                    return;
                }
                _ => {}
            }
        }
        return;
    }
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() {
        return;
    }
    let mut path = root.to_vec();
    match name.as_str() {
        "super" => drop(path.pop()),
        "self" => {}
        _ => path.push(name.clone()),
    }
    match rest[name.len()..].strip_prefix("::") {
        Some(rest) => expand(&path, rest, paths),
        None => paths.push(path),
    }
}

/// Which file uses which: names are followed through re-exports to the file that defines them.
pub fn imports() -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let files = source_files();
    let by_module: BTreeMap<&[String], &SourceFile> = files.iter().map(|file| (file.module.as_slice(), file)).collect();
    let resolve = |path: &[String]| resolve(path, &by_module, 0);
    let used = |file: &SourceFile| {
        let paths = file.named_paths();
        let used = paths.iter().filter_map(|path| resolve(path));
        used.filter(|path| *path != file.path).collect()
    };
    files.iter().map(|file| (file.path.clone(), used(file))).collect()
}

fn resolve(path: &[String], files: &BTreeMap<&[String], &SourceFile>, depth: usize) -> Option<PathBuf> {
    let length = (0..=path.len()).rev().find(|length| files.contains_key(&path[..*length]))?;
    let file = files[&path[..length]];
    let Some(name) = path.get(length).filter(|_| depth < 8) else { return Some(file.path.clone()) };
    match re_export(file, name) {
        Some(target) => resolve(&target, files, depth + 1),
        // The root of the crate holds nothing but modules.
        None if length == 0 => None,
        None => Some(file.path.clone()),
    }
}

/// Where a file has a name from that it passes on.
fn re_export(file: &SourceFile, name: &str) -> Option<Vec<String>> {
    let flat = file.code.replace('\n', " ");
    for statement in flat.split(';') {
        let Some((visibility, rest)) = statement.split_once("use ") else { continue };
        if !visibility.trim().starts_with("pub") {
            continue;
        }
        let rest = rest.trim_start();
        let (root, rest) = match rest {
            _ if rest.starts_with("crate::") => (Vec::new(), &rest["crate::".len()..]),
            _ if rest.starts_with("super::") => {
                (file.module[..file.module.len().checked_sub(1)?].to_vec(), &rest["super::".len()..])
            }
            _ => (file.module.clone(), rest),
        };
        let mut paths = Vec::new();
        expand(&root, rest, &mut paths);
        if let Some(path) = paths.into_iter().find(|path| path.last().is_some_and(|last| last == name)) {
            return Some(path);
        }
    }
    None
}
