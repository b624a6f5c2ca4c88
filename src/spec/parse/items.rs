//! `items` and `for_each`: where items come from.

use super::rows::rows;
use super::section::{Given, Sink};
use super::sql::sql;
use crate::model::Text;
use crate::spec::keys;
use crate::spec::tree::{Node, NodeKind};
use crate::spec::{ItemsSpec, Setting};

const FORMS: &str = "write a list `[a, b]`, a template `{{ name }}`, `$(command)`, or a source: \
                     `{glob: PATTERN}`, `{range: 10}`, `{lines: FILE}`, `{command: COMMAND}`, `{csv: FILES}`, \
                     `{jsonl: FILES}`, `{parquet: FILES}` or `{sql: QUERY, url: DATABASE}`";

/// Reads the value of `items` or `for_each`.
pub(super) fn items(given: &Given<'_>, sink: &mut Sink) -> Option<ItemsSpec> {
    match &given.node.kind {
        NodeKind::List(list) => Some(ItemsSpec::List(list.iter().map(Node::to_tree).collect())),
        NodeKind::Text(_) => text(given, sink),
        NodeKind::Map(_) => source(given, sink),
        _ => {
            sink.push(given.wrong("a list, a template, `$(command)` or a source").help(FORMS));
            None
        }
    }
}

fn text(given: &Given<'_>, sink: &mut Sink) -> Option<ItemsSpec> {
    let text = given.node.as_text()?;
    let raw = text.raw.trim();
    if raw.starts_with("$(") {
        let command = raw.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
        let Some(command) = command.filter(|command| is_balanced(command)) else {
            let error = given.error("has text behind `$(command)`, or its `)` is missing");
            sink.push(error.help("use `{command: COMMAND}` for more than one command"));
            return None;
        };
        if command.trim().is_empty() {
            sink.push(given.error("has an empty command"));
            return None;
        }
        return Some(ItemsSpec::Command(Text { raw: command.trim().to_owned(), span: text.span }));
    }
    if text.is_template() {
        return Some(ItemsSpec::Template(text));
    }
    sink.push(given.wrong("a list, a template, `$(command)` or a source").help(FORMS));
    None
}

/// Whether no bracket closes more than was opened, quoted and escaped ones aside.
fn is_balanced(command: &str) -> bool {
    let (mut depth, mut quote) = (0_i32, None);
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (None | Some('"'), '\\') => {
                chars.next();
            }
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
        if depth < 0 {
            return false;
        }
    }
    true
}

fn source(given: &Given<'_>, sink: &mut Sink) -> Option<ItemsSpec> {
    let mut section = given.section(sink);
    let named: Vec<&str> = section.names().filter(|name| keys::SOURCES.names().any(|known| known == *name)).collect();
    let one = named.first().copied();
    if named.len() > 1 {
        sink.push(given.error("has more than one source").help("give a step its items from one source"));
        return None;
    }
    let value = one.and_then(|name| section.take(name));
    if one.is_none() && section.names().next().is_none() {
        sink.push(given.error("names no source").help(FORMS));
    }
    if let Some(value) = value.as_ref().filter(|value| matches!(value.key, "csv" | "jsonl" | "parquet")) {
        return rows(value, &mut section, sink).map(|rows| ItemsSpec::Rows(Box::new(rows)));
    }
    if let Some(value) = value.as_ref().filter(|value| value.key == "sql") {
        return sql(value, &mut section, sink).map(|sql| ItemsSpec::Sql(Box::new(sql)));
    }
    section.finish(&[&keys::SOURCES], sink);
    let value = value?;
    match value.key {
        "glob" => patterns(&value, sink).map(ItemsSpec::Glob),
        "range" => range(&value, sink),
        "lines" => value.filled(sink).map(ItemsSpec::Lines),
        _ => value.filled(sink).map(ItemsSpec::Command),
    }
}

pub(super) fn patterns(given: &Given<'_>, sink: &mut Sink) -> Option<Vec<Text>> {
    match &given.node.kind {
        NodeKind::List(list) if !list.is_empty() => {
            Some(list.iter().enumerate().filter_map(|(index, node)| given.element(index, node).filled(sink)).collect())
        }
        NodeKind::Text(_) => given.filled(sink).map(|pattern| vec![pattern]),
        _ => {
            sink.push(given.wrong("a pattern or a list of patterns"));
            None
        }
    }
}

fn range(given: &Given<'_>, sink: &mut Sink) -> Option<ItemsSpec> {
    let (start, stop, step) = match &given.node.kind {
        NodeKind::List(list) if (1..=3).contains(&list.len()) => {
            let mut parts = list.iter().enumerate().map(|(index, node)| given.element(index, node));
            match (parts.next(), parts.next(), parts.next()) {
                (stop, None, _) => (None, stop, None),
                (start, stop, step) => (start, stop, step),
            }
        }
        NodeKind::Map(_) => {
            let mut section = given.section(sink);
            let parts = (section.take("start"), section.need("stop", sink), section.take("step"));
            section.finish(&[&keys::RANGE], sink);
            parts
        }
        NodeKind::Number(_) | NodeKind::Text(_) => (None, Some(given.clone()), None),
        _ => {
            let error = given.wrong("an integer, `[start, stop]`, `[start, stop, step]` or a mapping");
            sink.push(error);
            return None;
        }
    };
    let mut read = |part: Option<Given<'_>>, default| match part {
        Some(part) => part.setting::<i64>(sink),
        None => Some(Setting::Fixed(default)),
    };
    let (first, stop) = (read(start, 0), read(stop, 0));
    let at = step.clone();
    let step = read(step, 1);
    if let (Some(Setting::Fixed(0)), Some(at)) = (&step, at) {
        sink.push(at.error(if at.key == "step" { "must not be 0" } else { "must not have a step of 0" }));
    }
    Some(ItemsSpec::Range { start: first?, stop: stop?, step: step? })
}
