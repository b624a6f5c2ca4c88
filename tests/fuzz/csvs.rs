//! CSV files: whatever the text, the rows are those that Python's `csv` module reads, and a quote that is never closed is an error of
//! its file. Without escapes, which batchmill reads as databases write them, and Python does not.

use crate::fuzzer::fuzz;
use crate::mutation::{Mutation, mutated, mutations};
use crate::program::{batchmill, folder, python, rows_workflow};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// What a reader of CSV pays attention to.
const WORDS: &[&str] = &[
    ",",
    ";",
    "\t",
    "|",
    "\"",
    "\"\"",
    "\",\"",
    "\"\n\"",
    "'",
    "''",
    "\\",
    "\\\\",
    "\\\"",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\n\r",
    " ",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{0}",
    "\u{1a}",
    "é",
    "\u{1f600}",
    "#",
    "x",
];

/// Files as people and programs write them.
const FILES: &[&str] = &[
    "id,city,note\n1,Oslo,\n2,\"Ber\"\"gen\",\"two\nlines\"\n3,,\"a, b\"\n",
    "a;b\r\n1;'it''s'\r\n'x\r\ny';2\r\n\r\n3;\r\n",
    "a\tb\tc\n1\t\"2\"\t3\n\n4\t5\t6",
    "a|b\r1|2\r\"3|\"|4\r",
    "one\n\"\"\n \n\"two\"\n",
    "\u{feff}\"n\",\"text\"\n1,\"caf\u{e9} \\\" \\, \"\n2,x\\\ny\n",
    "a,b\n\"1\"x,2\n3\"y\",\"4\" \n",
    "",
];

/// How all files of a round are written: delimiter, quote.
const DIALECTS: &[[&str; 2]] = &[[",", "\""], [",", "none"], [";", "'"], ["tab", "\""], ["|", "\""]];

fn workflow([delimiter, quote]: [&str; 2]) -> String {
    let items = json!({
        "csv": "in/*.csv", "delimiter": delimiter, "quote": quote, "header": false,
        "on_schema_drift": "group", "on_bad_row": "skip", "where_from": "file",
    });
    rows_workflow(&items.to_string())
}

/// What the program reads from the files: the rows, and how many files are not read to their end.
fn read(folder: &Path, dialect: [&str; 2]) -> Result<(Vec<Value>, u64), TestCaseError> {
    fs::write(folder.join("workflow.yaml"), workflow(dialect)).unwrap();
    let _ = fs::remove_file(folder.join("rows.jsonl"));
    let ended = batchmill(folder, &["run", "workflow.yaml", "--format", "json", "--progress", "none"]);
    prop_assert!(ended.is_proper(), "{ended:?}");
    let run: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
    let text = fs::read_to_string(folder.join("rows.jsonl")).unwrap_or_default();
    let rows = text.lines().map(|line| {
        let message: String = serde_json::from_str(line).unwrap();
        let mut row: Value = serde_json::from_str(&message).unwrap();
        let file = row["file"].as_str().unwrap().trim_start_matches("in/").to_owned();
        row["file"] = file.into();
        row
    });
    let failed = run["steps"]["rows"]["stats"]["failed"].as_u64();
    prop_assert!(failed.is_some(), "{ended:?}");
    Ok((rows.collect(), failed.unwrap()))
}

#[test]
fn mutated_csv_files_have_the_rows_that_python_reads() {
    let folder = folder(&[]);
    let input = (select(DIALECTS), vec((select(FILES), mutations(WORDS)), 60));
    fuzz(6, &input, |(dialect, files): ([&str; 2], Vec<(&str, Vec<Mutation>)>)| {
        let inputs = folder.path().join("in");
        let _ = fs::remove_dir_all(&inputs);
        fs::create_dir(&inputs).unwrap();
        for (at, (text, changes)) in files.iter().enumerate() {
            // Bytes that are no text are bad rows, of which Python reads none at all.
            let bytes = mutated(text.as_bytes(), changes);
            fs::write(inputs.join(format!("{at:03}.csv")), String::from_utf8_lossy(&bytes).as_bytes()).unwrap();
        }
        // If there is no file at all with a row, nothing runs.
        fs::write(inputs.join("999.csv"), "x\n").unwrap();
        let (rows, failed) = read(folder.path(), dialect)?;
        let arguments = [inputs.to_str().unwrap(), dialect[0], dialect[1]];
        let expected: Value = serde_json::from_str(&python("csv_rows.py", &arguments)).unwrap();
        for (row, expected) in rows.iter().zip(expected["rows"].as_array().unwrap()) {
            prop_assert_eq!(row, expected);
        }
        prop_assert_eq!(rows.len(), expected["rows"].as_array().unwrap().len());
        prop_assert_eq!(failed, expected["unclosed"].as_array().unwrap().len() as u64, "{}", expected["unclosed"]);
        Ok(())
    });
}
