//! `outputs: {sql:}`: a table of a database.

use super::section::{Field, Section};
use crate::model::{IfExists, Text};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::keys::IF_EXISTS;
use crate::spec::node::NodeKind;
use crate::spec::workflow::OutputTable;
use std::collections::HashSet;

/// Reads `sql` with its options, if it is there.
pub(super) fn table(section: &mut Section<'_>, errors: &mut ErrorList) -> Option<OutputTable> {
    let Some(sql) = section.take("sql") else {
        for field in ["table", "key", "if_exists"].into_iter().filter_map(|key| section.take(key)) {
            let error = Diagnostic::at(field.key_span, format!("`{}` requires `sql`", field.key));
            errors.push(error.within(field.path.clone()));
        }
        return None;
    };
    let url = sql.non_empty(errors);
    let table = section.require("table", errors).and_then(|field| field.non_empty(errors));
    let key = section.take("key").map(|field| key(&field, errors)).unwrap_or_default();
    let if_exists = section.take("if_exists").and_then(|field| field.one_of(IF_EXISTS, errors));
    let if_exists = match if_exists {
        Some("append") => IfExists::Append,
        Some("replace") => IfExists::Replace,
        _ => IfExists::Fail,
    };
    Some(OutputTable { url: url?, table: table?, key, if_exists })
}

/// A column, or a list of columns.
fn key(field: &Field<'_>, errors: &mut ErrorList) -> Vec<Text> {
    let columns = match &field.node.kind {
        NodeKind::Text(_) => field.literal(errors).into_iter().collect(),
        NodeKind::List(list) if !list.is_empty() => field.literals(errors),
        NodeKind::List(_) => {
            errors.push(field.error("is empty").help("remove it if every result is a new row"));
            Vec::new()
        }
        _ => {
            errors.push(field.expected("a column or a list of columns"));
            Vec::new()
        }
    };
    let mut seen = HashSet::new();
    if let Some(twice) = columns.iter().find(|column| !seen.insert(column.raw.as_str())) {
        let error = Diagnostic::at(twice.span, format!("`key` names column `{}` twice", twice.raw));
        errors.push(error.within(field.path.clone()));
    }
    columns
}
