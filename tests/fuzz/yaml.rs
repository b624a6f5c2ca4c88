//! Workflow files: whatever the bytes, the answer is a workflow or errors that can be shown, in time that grows with the file.

use crate::fuzzer::fuzz;
use crate::mutation::{Mutation, mutated, mutations};
use batchmill::spec::{Style, parse};
use proptest::prelude::*;
use proptest::sample::select;
use std::fs;
use std::path::Path;

/// What a reader of YAML pays attention to.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "- ",
    ": ",
    "? ",
    "? - ",
    "| ",
    "> ",
    "|2-\n",
    "&a ",
    "*a",
    "<<: *a\n",
    "!!str ",
    "!<",
    "%YAML 1.2\n",
    "---\n",
    "...\n",
    "#",
    "\"",
    "'",
    "\\u12",
    ",",
    "\t",
    "\n",
    "\n\n    ",
    "\r",
    "\u{feff}",
    "\u{85}",
    "{{ ",
    " }}",
    "{% if ",
    "null",
    "~",
    "999999999999999999999",
    "1e400",
    "-0x1",
    ".nan",
    "steps:\n",
    "items: ",
    "task: ",
    "inputs:\n",
];

/// The workflows of `fixtures` and those in the pages of `docs`.
fn workflows() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join("fixtures"), root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let kind = entry.extension().and_then(|kind| kind.to_str());
            match kind {
                _ if entry.is_dir() => folders.push(entry),
                Some("yaml") => found.push(fs::read_to_string(entry).unwrap()),
                Some("md") => {
                    let page = fs::read_to_string(entry).unwrap();
                    found.extend(
                        page.split("```yaml\n").skip(1).filter_map(|block| Some(block.split_once("```")?.0.to_owned())),
                    );
                }
                _ => {}
            }
        }
    }
    found.sort();
    assert!(found.len() > 50, "{} workflows", found.len());
    found
}

/// Reads the bytes, and renders what is wrong with them.
fn survive(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Err(errors) = parse(Path::new("f.yaml"), bytes) {
        let text = &errors.source().text;
        for span in errors.errors().iter().filter_map(|error| error.span) {
            prop_assert!(text.get(..span.start).is_some() && span.start <= span.end, "{:?}", span);
        }
        errors.render(Style::Plain);
    }
    Ok(())
}

#[test]
fn mutated_workflows_are_read_or_refused() {
    let input = (select(workflows()), mutations(WORDS));
    fuzz(300, &input, |(workflow, changes): (String, Vec<Mutation>)| survive(&mutated(workflow.as_bytes(), &changes)));
}

#[test]
fn texts_of_what_yaml_pays_attention_to_are_read_or_refused() {
    let piece = (select(WORDS), prop_oneof![8 => 1..3_usize, 1 => 1..3_000_usize]);
    let input = proptest::collection::vec(piece, 0..20);
    fuzz(300, &input, |pieces: Vec<(&str, usize)>| {
        let text: String = pieces.iter().map(|(word, times)| word.repeat(*times)).collect();
        survive(text.as_bytes())
    });
}
