//! `on_bad_row`: a word, or the file that the rows go to.

use super::section::Field;
use crate::model::{OutputFormat, OutputOptions};
use crate::spec::diagnostic::ErrorList;
use crate::spec::keys::{self, ON_BAD_ROW};
use crate::spec::node::NodeKind;
use crate::spec::output_file::OutputFile;
use crate::spec::rows::OnBadRow;

/// The columns of the file.
const COLUMNS: [&str; 4] = ["file", "line", "reason", "text"];

/// Reads `on_bad_row`.
pub(super) fn on_bad_row(field: &Field<'_>, errors: &mut ErrorList) -> (OnBadRow, Option<OutputFile>) {
    if matches!(field.node.kind, NodeKind::Map(_)) {
        return (OnBadRow::Save, saved(field, errors));
    }
    if !matches!(field.node.kind, NodeKind::Text(_)) {
        let error = field.expected("a word, or a mapping with `save`");
        errors.push(error.help("use `fail`, `skip`, `error`, or `{save: bad.csv}`"));
        return (OnBadRow::Fail, None);
    }
    let what = match field.one_of(ON_BAD_ROW, errors) {
        Some("skip") => OnBadRow::Skip,
        Some("error") => OnBadRow::Error,
        _ => OnBadRow::Fail,
    };
    (what, None)
}

fn saved(field: &Field<'_>, errors: &mut ErrorList) -> Option<OutputFile> {
    let mut section = field.section(errors);
    let save = section.require("save", errors);
    section.reject_unknown(&[&keys::SAVED_ROWS], errors);
    let save = save?;
    let path = save.non_empty(errors)?;
    let format = OutputFormat::of_path(&path.raw).filter(|format| *format != OutputFormat::Parquet);
    let Some(format) = format else {
        let error = save.error("must end in `.csv` or `.jsonl`");
        errors.push(error.help("for example `{save: bad.csv}`, or `{save: '{{ params.out }}/bad.jsonl'}`"));
        return None;
    };
    let columns = Some(COLUMNS.map(str::to_owned).into());
    let options = OutputOptions { columns, ..OutputOptions::default() };
    Some(OutputFile { path, format, parts: false, only_new: false, options })
}
