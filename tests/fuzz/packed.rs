//! Parquet files and compressed text: whatever their bytes, a run over them ends by itself, within its memory.

use crate::fuzzer::fuzz;
use crate::mutation::{Mutation, mutated, mutations};
use crate::program::{batchmill, folder, python, rows_workflow};
use proptest::collection::vec;
use proptest::prelude::*;
use std::fs;
use tempfile::TempDir;

/// What a reader of these files pays attention to.
const WORDS: &[&str] = &[
    "PAR1",
    "\0",
    "\0\0\0\0\0\0\0\0",
    "\u{1}",
    "\u{7f}",
    "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}",
    "\u{15}\u{4}",
    "\u{1c}",
    "\u{19}",
    "\u{2c}",
    "BZh9",
    "é",
    "UTC",
];

/// Changes of a file. In some, a single number is another one, which a checksum doesn't notice that covers other bytes.
fn changes() -> impl Strategy<Value = Vec<Mutation>> {
    let number = (any::<u16>(), prop_oneof![any::<u8>(), Just(0), Just(0x7f), Just(0xff)]);
    prop_oneof![
        mutations(WORDS),
        vec(number.prop_map(|(at, byte)| Mutation::Byte(at, byte)), 1..3),
        // The footer of a Parquet file takes up its last third and more.
        vec((40_000..u16::MAX, any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)), 1..4),
    ]
}

/// The folder of a run, and the files to mutate.
struct Bases {
    folder: TempDir,
    files: Vec<(String, Vec<u8>)>,
}

impl Bases {
    fn new(items: &str, extensions: &[&str]) -> Self {
        let folder = folder(&[("workflow.yaml", &rows_workflow(items))]);
        let bases = TempDir::new().unwrap();
        python("packed.py", &[bases.path().to_str().unwrap()]);
        let mut files = Vec::new();
        for entry in fs::read_dir(bases.path()).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if extensions.iter().any(|extension| name.ends_with(extension)) {
                files.push((name, fs::read(entry.path()).unwrap()));
            }
        }
        files.sort();
        assert!(files.len() >= 4, "{} files", files.len());
        Self { folder, files }
    }

    /// Runs and inspects files that were changed.
    fn survive(&self, changed: &[(prop::sample::Index, Vec<Mutation>)]) -> Result<(), TestCaseError> {
        let folder = self.folder.path();
        for left in ["in", ".batchmill"] {
            let _ = fs::remove_dir_all(folder.join(left));
        }
        fs::create_dir(folder.join("in")).unwrap();
        for (at, (base, changes)) in changed.iter().enumerate() {
            let (name, bytes) = base.get(&self.files);
            fs::write(folder.join(format!("in/{at:02}-{name}")), mutated(bytes, changes)).unwrap();
        }
        let paths = if self.files[0].0.ends_with("parquet") { "in/*.parquet" } else { "in/*" };
        for arguments in [&["run", "workflow.yaml", "--progress", "none"][..], &["inspect", paths]] {
            let ended = batchmill(folder, arguments);
            prop_assert!(ended.is_proper(), "{arguments:?}: {ended:?}");
        }
        Ok(())
    }
}

#[test]
fn mutated_parquet_files_are_read_or_fail() {
    let bases = Bases::new("{parquet: 'in/*.parquet', on_schema_drift: group}", &[".parquet"]);
    let input = vec((any::<prop::sample::Index>(), changes()), 1..12);
    fuzz(12, &input, |changed| bases.survive(&changed));
}

#[test]
fn mutated_compressed_files_are_read_or_fail() {
    let bases = Bases::new("{csv: 'in/*', on_schema_drift: group}", &[".gz", ".zst", ".bz2", ".xz"]);
    let input = vec((any::<prop::sample::Index>(), changes()), 1..12);
    fuzz(12, &input, |changed| bases.survive(&changed));
}
