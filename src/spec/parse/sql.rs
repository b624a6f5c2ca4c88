//! `{sql:}`: a query and its database.

use super::section::{Field, Section};
use crate::model::Tree;
use crate::spec::diagnostic::ErrorList;
use crate::spec::items::SqlSpec;
use crate::spec::keys;
use crate::spec::node::{Node, NodeKind};

/// Reads `sql` with its options.
pub(super) fn sql(query: &Field<'_>, section: &mut Section<'_>, errors: &mut ErrorList) -> Option<SqlSpec> {
    for name in keys::ROWS.names().filter(|name| *name != "limit") {
        if let Some(field) = section.take(name) {
            errors.push(field.error("cannot be used with `sql`").help("select columns and rows in the query"));
        }
    }
    let sql = query.non_empty(errors);
    let url = section.require("url", errors).and_then(|field| field.non_empty(errors));
    let params = section.take("params").map(|field| params(&field, errors)).unwrap_or_default();
    let limit = section.take("limit").and_then(|field| field.setting(errors));
    section.reject_unknown(&[&keys::SOURCES, &keys::SQL], errors);
    Some(SqlSpec { sql: sql?, url: url?, params, limit })
}

fn params(field: &Field<'_>, errors: &mut ErrorList) -> Vec<Tree> {
    let NodeKind::List(list) = &field.node.kind else {
        errors.push(field.expected("a list of values"));
        return Vec::new();
    };
    list.iter().map(Node::to_tree).collect()
}
