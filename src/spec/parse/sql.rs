//! `{sql:}`: a query, and the database that it is for.

use super::section::{Given, Section, Sink};
use crate::model::Tree;
use crate::spec::SqlSpec;
use crate::spec::keys;
use crate::spec::tree::{Node, NodeKind};

/// Reads what stands beside `sql`.
pub(super) fn sql(query: &Given<'_>, section: &mut Section<'_>, sink: &mut Sink) -> Option<SqlSpec> {
    for name in keys::ROWS.names().filter(|name| *name != "limit") {
        if let Some(given) = section.take(name) {
            sink.push(
                given.error("has no use for a query").help("the query itself says which columns and rows it wants"),
            );
        }
    }
    let sql = query.filled(sink);
    let url = section.need("url", sink).and_then(|given| given.filled(sink));
    let params = section.take("params").map(|given| params(&given, sink)).unwrap_or_default();
    let limit = section.take("limit").and_then(|given| given.setting(sink));
    section.finish(&[&keys::SOURCES, &keys::SQL], sink);
    Some(SqlSpec { sql: sql?, url: url?, params, limit })
}

fn params(given: &Given<'_>, sink: &mut Sink) -> Vec<Tree> {
    let NodeKind::List(list) = &given.node.kind else {
        sink.push(given.wrong("a list of values"));
        return Vec::new();
    };
    list.iter().map(Node::to_tree).collect()
}
