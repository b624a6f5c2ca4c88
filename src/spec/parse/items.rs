//! `items` and `for_each`: where items come from.

use super::rows::rows;
use super::section::Field;
use super::sql::sql;
use crate::model::Text;
use crate::spec::diagnostic::ErrorList;
use crate::spec::items::ItemsSpec;
use crate::spec::keys;
use crate::spec::node::{Node, NodeKind};
use crate::spec::setting::Setting;

const FORMS: &str = "use a list `[a, b]`, a template `{{ name }}`, `$(command)`, or a source: \
                     `{glob: PATTERN}`, `{range: 10}`, `{product: {a: [1, 2], b: [x, y]}}`, `{lines: FILE}`, `{command: COMMAND}`, `{csv: FILES}`, \
                     `{jsonl: FILES}`, `{parquet: FILES}` or `{sql: QUERY, url: DATABASE}`";

/// Reads the value of `items` or `for_each`.
pub(super) fn items(field: &Field<'_>, errors: &mut ErrorList) -> Option<ItemsSpec> {
    match &field.node.kind {
        NodeKind::List(list) => Some(ItemsSpec::List(list.iter().map(Node::to_tree).collect())),
        NodeKind::Text(_) => text(field, errors),
        NodeKind::Map(_) => source(field, errors),
        _ => {
            errors.push(field.expected("a list, a template, `$(command)` or a source").help(FORMS));
            None
        }
    }
}

fn text(field: &Field<'_>, errors: &mut ErrorList) -> Option<ItemsSpec> {
    let text = field.node.as_text()?;
    let raw = text.raw.trim();
    if raw.starts_with("$(") {
        let command = raw.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
        let Some(command) = command.filter(|command| is_balanced(command)) else {
            let error = field.error("must be a single `$(command)`");
            errors.push(error.help("for anything else, use `{command: COMMAND}`"));
            return None;
        };
        if command.trim().is_empty() {
            errors.push(field.error("contains an empty command"));
            return None;
        }
        return Some(ItemsSpec::Command(Text { raw: command.trim().to_owned(), span: text.span }));
    }
    if text.is_template() {
        return Some(ItemsSpec::Template(text));
    }
    errors.push(field.expected("a list, a template, `$(command)` or a source").help(FORMS));
    None
}

/// Whether every `)` closes a `(`, apart from quoted and escaped ones.
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

fn source(field: &Field<'_>, errors: &mut ErrorList) -> Option<ItemsSpec> {
    let mut section = field.section(errors);
    let named: Vec<&str> = section.names().filter(|name| keys::SOURCES.names().any(|known| known == *name)).collect();
    let one = named.first().copied();
    if named.len() > 1 {
        errors.push(field.error("has more than one source").help("use one source per step"));
        return None;
    }
    let value = one.and_then(|name| section.take(name));
    if one.is_none() && section.names().next().is_none() {
        errors.push(field.error("has no source").help(FORMS));
    }
    if let Some(value) = value.as_ref().filter(|value| matches!(value.key, "csv" | "jsonl" | "parquet")) {
        return rows(value, &mut section, errors).map(|rows| ItemsSpec::Rows(Box::new(rows)));
    }
    if let Some(value) = value.as_ref().filter(|value| value.key == "sql") {
        return sql(value, &mut section, errors).map(|sql| ItemsSpec::Sql(Box::new(sql)));
    }
    section.reject_unknown(&[&keys::SOURCES], errors);
    let value = value?;
    match value.key {
        "glob" => value.patterns(errors).map(ItemsSpec::Glob),
        "range" => range(&value, errors),
        "product" => product(&value, errors),
        "lines" => value.non_empty(errors).map(ItemsSpec::Lines),
        _ => value.non_empty(errors).map(ItemsSpec::Command),
    }
}

fn product(field: &Field<'_>, errors: &mut ErrorList) -> Option<ItemsSpec> {
    let NodeKind::Map(entries) = &field.node.kind else {
        let error = field.expected("a mapping of names to values");
        errors.push(error.help("for example `product: {lr: [0.1, 0.01], depth: {range: 3}}`"));
        return None;
    };
    if entries.is_empty() {
        errors.push(field.error("has no names").help("for example `product: {lr: [0.1, 0.01], depth: {range: 3}}`"));
        return None;
    }
    let axis = |axis: Field<'_>| {
        let spec = items(&axis, errors)?;
        if matches!(spec, ItemsSpec::Rows(_) | ItemsSpec::Sql(_) | ItemsSpec::Product(_)) {
            let error = axis.error("must be a list, a template, `range`, `glob`, `lines` or `command`");
            errors.push(error.help("to combine rows, read them in a step of their own, and use its result here"));
            return None;
        }
        Some((axis.key.to_owned(), spec))
    };
    let fields = field.section(&mut ErrorList::default()).rest();
    let axes: Vec<Option<(String, ItemsSpec)>> = fields.into_iter().map(axis).collect();
    axes.into_iter().collect::<Option<_>>().map(ItemsSpec::Product)
}

fn range(field: &Field<'_>, errors: &mut ErrorList) -> Option<ItemsSpec> {
    let (start, stop, step) = match &field.node.kind {
        NodeKind::List(list) if (1..=3).contains(&list.len()) => {
            let mut parts = list.iter().enumerate().map(|(index, node)| field.element(index, node));
            match (parts.next(), parts.next(), parts.next()) {
                (stop, None, _) => (None, stop, None),
                (start, stop, step) => (start, stop, step),
            }
        }
        NodeKind::Map(_) => {
            let mut section = field.section(errors);
            let parts = (section.take("start"), section.require("stop", errors), section.take("step"));
            section.reject_unknown(&[&keys::RANGE], errors);
            parts
        }
        NodeKind::Number(_) | NodeKind::Text(_) => (None, Some(field.clone()), None),
        _ => {
            let error = field.expected("an integer, `[start, stop]`, `[start, stop, step]` or a mapping");
            errors.push(error);
            return None;
        }
    };
    let mut read = |part: Option<Field<'_>>, default| match part {
        Some(part) => part.setting::<i64>(errors),
        None => Some(Setting::Fixed(default)),
    };
    let (first, stop) = (read(start, 0), read(stop, 0));
    let at = step.clone();
    let step = read(step, 1);
    if let (Some(Setting::Fixed(0)), Some(at)) = (&step, at) {
        errors.push(at.error(if at.key == "step" { "must not be 0" } else { "must not have a step of 0" }));
    }
    Some(ItemsSpec::Range { start: first?, stop: stop?, step: step? })
}
