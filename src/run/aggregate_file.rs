//! The file of an aggregate: its groups as records, or the aggregate as the only one.

use super::env::StepEnv;
use super::error::EngineError;
use super::recorder::output_failure;
use crate::export::{self, Results, Target};
use crate::ledger::Reader;
use crate::model::{OutputFormat, Status, StepReport};
use crate::pipeline::mask_failure;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::io;

/// Writes the aggregate of a step that succeeded, unless the file is as it was written. If that fails, the step fails.
pub(super) fn write_aggregate(
    env: &mut StepEnv<'_>,
    target: &Target,
    report: &mut StepReport,
) -> Result<(), EngineError> {
    if !matches!(report.status, Status::Succeeded | Status::Partial) {
        return Ok(());
    }
    let folder = env.run.folder.clone();
    let reader = Reader::open(folder.clone())?;
    let step = reader.step(env.name())?;
    let Some(mut file) = step.map(|step| step.aggregate_file(None)).transpose()?.flatten() else { return Ok(()) };
    let path = target.path.display().to_string();
    let path = env.run.prepared.secret_hash(&path).unwrap_or(path);
    let note = |state: String| format!("{} {path} {state}", target.format.as_str());
    let state = target.state();
    if state.is_some() && file.written == state.map(note) {
        return Ok(());
    }
    let lines = records(&file.aggregate, target.format)
        .expect("an aggregate is JSON of at most 120 levels without lone surrogates, as the worker encodes it");
    match export::write(target, &mut Memory { lines, is_read: false }) {
        Ok(_) => {
            file.written = target.state().map(note);
            folder.write_aggregate(env.name(), &file)?;
            env.notice(format!("aggregate written to {}", target.shown()));
        }
        Err(error) => {
            let mut failure = output_failure(&error);
            mask_failure(&env.run.prepared.secrets, &mut failure);
            report.status = Status::Failed;
            report.failure = Some(failure);
        }
    }
    Ok(())
}

/// The records of an aggregate as lines. In a table, mappings within a record are columns of their own.
fn records(aggregate: &RawValue, format: OutputFormat) -> serde_json::Result<Vec<u8>> {
    let records: Vec<&RawValue> = match aggregate.get() {
        list if list.starts_with('[') => serde_json::from_str(list)?,
        _ => vec![aggregate],
    };
    let mut lines = Vec::new();
    for record in records {
        if format == OutputFormat::Jsonl || !record.get().starts_with('{') {
            lines.extend_from_slice(record.get().as_bytes());
        } else {
            let mut flat = Map::new();
            flatten(serde_json::from_str(record.get())?, "", &mut flat);
            serde_json::to_writer(&mut lines, &flat)?;
        }
        lines.push(b'\n');
    }
    Ok(lines)
}

fn flatten(mapping: Map<String, Value>, within: &str, flat: &mut Map<String, Value>) {
    for (name, value) in mapping {
        let name = format!("{within}{name}");
        match value {
            Value::Object(inner) if !inner.is_empty() => flatten(inner, &format!("{name}."), flat),
            value => drop(flat.insert(name, value)),
        }
    }
}

/// Lines in memory.
struct Memory {
    lines: Vec<u8>,
    is_read: bool,
}

impl Results for Memory {
    fn rewind(&mut self) -> io::Result<()> {
        self.is_read = false;
        Ok(())
    }

    fn next_piece(&mut self, piece: &mut Vec<u8>) -> io::Result<bool> {
        piece.clear();
        if !std::mem::replace(&mut self.is_read, true) {
            piece.extend_from_slice(&self.lines);
        }
        Ok(!piece.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_in_a_record_are_columns_of_a_table_and_stay_in_json() {
        let aggregate = r#"[{"k":"a","sum":{"x.y":1.50,"z":{}},"top":[{"value":1}]},7]"#;
        let aggregate = RawValue::from_string(aggregate.to_owned()).unwrap();
        let of = |format| String::from_utf8(records(&aggregate, format).unwrap()).unwrap();
        assert_eq!(of(OutputFormat::Csv), "{\"k\":\"a\",\"sum.x.y\":1.50,\"sum.z\":{},\"top\":[{\"value\":1}]}\n7\n");
        assert_eq!(
            of(OutputFormat::Jsonl),
            "{\"k\":\"a\",\"sum\":{\"x.y\":1.50,\"z\":{}},\"top\":[{\"value\":1}]}\n7\n"
        );
    }
}
