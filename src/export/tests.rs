//! Tests of whole files, in each format.

use super::record::MOST_COLUMNS;
use super::size_limit::SizeLimit;
use super::target::Target;
use super::testing::{self, InMemory};
use super::write::{write, write_by};
use crate::model::OutputFormat;
use std::fs;

fn target(folder: &tempfile::TempDir, format: OutputFormat) -> Target {
    testing::target(folder.path().join("out"), format)
}

/// The content of the file for these records, or why there is none.
fn written(format: OutputFormat, records: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let target = target(&folder, format);
    write(&target, &mut InMemory::new(records)).map_err(|error| error.to_string())?;
    Ok(fs::read_to_string(target.path).unwrap())
}

fn parts_of(format: OutputFormat, records: &str, limit: SizeLimit) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let target = Target { parts: true, ..target(&folder, format) };
    let written = write_by(&target, &mut InMemory::new(records), limit).unwrap();
    assert_eq!(written.records, records.lines().count() as u64);
    let extension = format.as_str();
    let name = |part: usize| target.path.join(format!("part-{part:05}.{extension}"));
    let count = fs::read_dir(&target.path).unwrap().count();
    (0..count).map(|part| fs::read_to_string(name(part)).unwrap()).collect()
}

#[test]
fn parts_are_cut_between_records() {
    let by_records = SizeLimit { records: 4, bytes: u64::MAX };
    let parts = parts_of(OutputFormat::Jsonl, "1\n2\n3\n4\n5\n6\n7\n8\n", by_records);
    assert_eq!(parts, ["1\n2\n3\n4\n", "5\n6\n7\n8\n"]);
    let by_bytes = SizeLimit { records: u64::MAX, bytes: 5 };
    assert_eq!(parts_of(OutputFormat::Jsonl, "1\n22\n333333\n4\n", by_bytes), ["1\n22\n", "333333\n", "4\n"]);
    assert_eq!(parts_of(OutputFormat::Jsonl, "", by_bytes), [""]);
}

#[test]
fn each_part_has_the_header_of_all() {
    let limit = SizeLimit { records: 1, bytes: u64::MAX };
    assert_eq!(parts_of(OutputFormat::Csv, "{\"a\":1}\n{\"b\":2}\n", limit), ["a,b\n1,\n", "a,b\n,2\n"]);
}

#[test]
fn columns_come_as_they_first_appear_and_values_keep_what_they_are() {
    let records = concat!(
        r#"{"id":1,"name":"a, \"b\"\nc","big":123456789012345678901234567890}"#,
        "\n",
        r#"{"name":null,"tags":["x",{"y":1.50}],"id":2.0}"#,
        "\n7\n{}\n\"ü\"\n",
    );
    let expected = concat!(
        "id,name,big,tags,value\n",
        "1,\"a, \"\"b\"\"\nc\",123456789012345678901234567890,,\n",
        "2.0,,,\"[\"\"x\"\",{\"\"y\"\":1.50}]\",\n",
        ",,,,7\n,,,,\n,,,,ü\n",
    );
    assert_eq!(written(OutputFormat::Csv, records).unwrap(), expected);
    assert_eq!(written(OutputFormat::Csv, "").unwrap(), "");
    assert_eq!(written(OutputFormat::Csv, "null\n").unwrap(), "");
    assert_eq!(written(OutputFormat::Csv, "{}\n{}\n").unwrap(), "value\n\"\"\n\"\"\n");
}

#[test]
fn keys_that_are_data_are_no_columns() {
    let records: String = (0..=MOST_COLUMNS).map(|at| format!("{{\"k{at}\":1}}\n")).collect();
    let error = written(OutputFormat::Csv, &records).unwrap_err();
    assert!(error.contains("more than 10000 different columns up to record 10000"), "{error}");
}
