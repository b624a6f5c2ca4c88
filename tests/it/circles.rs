//! No circle of imports between files.

use crate::source_tree::imports;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files that may import each other, and why.
const ALLOWED: &[(&[&str], &str)] = &[];

type Graph = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// The files that can be reached from a file.
fn reachable(graph: &Graph, from: &Path) -> BTreeSet<PathBuf> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&PathBuf> = graph.get(from).into_iter().flatten().collect();
    while let Some(file) = next.pop() {
        if seen.insert(file.clone()) {
            next.extend(graph.get(file).into_iter().flatten());
        }
    }
    seen
}

#[test]
#[ignore = "heavy: takes seconds"]
fn no_files_import_each_other_in_a_circle() {
    let graph = imports();
    let reached: BTreeMap<&PathBuf, BTreeSet<PathBuf>> =
        graph.keys().map(|file| (file, reachable(&graph, file))).collect();
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, reaches) in &reached {
        if reaches.contains(*file) {
            let circle = reaches.iter().filter(|other| reached[*other].contains(*file));
            circles.insert(circle.map(|file| file.display().to_string()).collect());
        }
    }
    let allowed = |circle: &Vec<String>| {
        ALLOWED.iter().any(|(files, _)| circle.iter().all(|file| files.contains(&file.as_str())))
    };
    circles.retain(|circle| !allowed(circle));
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
#[ignore = "heavy: takes seconds"]
fn imports_are_found_through_re_exports() {
    let graph = imports();
    let uses = |file: &str, used: &str| graph[Path::new(file)].contains(Path::new(used));
    assert!(uses("src/pipeline/step.rs", "src/pipeline/aggregator.rs"));
    assert!(uses("src/run/workflow.rs", "src/ledger/run.rs"));
    assert!(!uses("src/pipeline/step.rs", "src/pipeline/mod.rs"));
}
