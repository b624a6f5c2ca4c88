//! The keys of `{csv:}` that say how values are written.

use super::section::{Field, Section};
use crate::model::{Kind, Nan, Text, ValueFormat};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::keys::NANS;
use crate::spec::node::{NodeKind, shorten};
use crate::spec::rows::{DateFormat, Types};
use jiff::Timestamp;
use jiff::fmt::strtime;

/// Reads how numbers and truth values are written.
pub(super) fn value_format(section: &mut Section<'_>, errors: &mut ErrorList) -> ValueFormat {
    let decimal = section.take("decimal");
    let thousands = section.take("thousands");
    let (yes, no) = (section.take("true_values"), section.take("false_values"));
    let listed = |field: &Option<Field<'_>>, errors: &mut ErrorList| {
        field.as_ref().map(|field| texts(field, errors)).unwrap_or_default()
    };
    let nan = section.take("nan").and_then(|field| field.one_of(NANS, errors));
    let format = ValueFormat {
        nan: match nan {
            Some("drop") => Nan::Drop,
            Some("keep") => Nan::Keep,
            _ => Nan::Fail,
        },
        true_values: listed(&yes, errors),
        false_values: listed(&no, errors),
        decimal: decimal.as_ref().and_then(|field| character(field, errors)).filter(|decimal| *decimal != '.'),
        thousands: thousands.as_ref().and_then(|field| character(field, errors)),
    };
    if let Some(field) = thousands.as_ref().filter(|_| format.thousands == Some(format.decimal.unwrap_or('.'))) {
        let error = field.error("is the decimal character");
        errors.push(error.help("write both: `decimal: ','` and `thousands: '.'`"));
    }
    if let Some(both) = format.true_values.iter().find(|text| format.false_values.contains(text)) {
        let span = no.as_ref().map(|field| field.node.span);
        let message = format!("\"{}\" is in both `true_values` and `false_values`", shorten(both));
        errors.push(Diagnostic::at(span.unwrap_or_default(), message));
    }
    format
}

/// One character that no number contains otherwise.
fn character(field: &Field<'_>, errors: &mut ErrorList) -> Option<char> {
    let text = field.text(errors)?.raw;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(one), None) if !one.is_ascii_alphanumeric() && !matches!(one, '-' | '+' | '\n' | '\r') => Some(one),
        _ => {
            errors.push(field.expected("one character, but no letter, digit or sign"));
            None
        }
    }
}

/// Reads the formats of dates. A column that has one and a type must be of a type of dates.
pub(super) fn dates(field: &Field<'_>, types: &Types, errors: &mut ErrorList) -> Vec<(String, DateFormat)> {
    if !matches!(field.node.kind, NodeKind::Map(_)) {
        let error = field.expected("a mapping of column names to formats");
        errors.push(error.help("for example `dates: {day: \"%d/%m/%Y\"}`"));
        return Vec::new();
    }
    let entries = field.section(errors).rest();
    let date = |entry: Field<'_>| {
        let format = entry.literal(errors)?.raw;
        let Some(found) = kind(&format) else {
            let message = format!("`{}` is not the format of a date (column `{}`)", shorten(&format), entry.key);
            let error = Diagnostic::at(entry.node.span, message).within(entry.path.clone());
            errors.push(error.help("use the directives of `strftime`, for example `%d/%m/%Y` or `%Y-%m-%d %H:%M`"));
            return None;
        };
        let given = match types {
            Types::Named(named) => named.iter().find(|(name, _)| name == entry.key).map(|(_, kind)| *kind),
            _ => None,
        };
        if let Some(other) = given.filter(|kind| !matches!(kind, Kind::Date | Kind::Datetime)) {
            let message = format!("has a date format, but `types` says `{}`", other.name());
            errors.push(entry.error(message).help("remove one of them, or use `date` or `datetime`"));
        }
        Some((entry.key.to_owned(), DateFormat { format, kind: given.unwrap_or(found) }))
    };
    entries.into_iter().filter_map(date).collect()
}

/// What a format describes; none if texts of this format cannot be read.
fn kind(format: &str) -> Option<Kind> {
    let written = |second: i64| strtime::format(format, Timestamp::from_second(second).ok()?).ok();
    // Two times of the same day.
    let (one, other) = (written(1_517_392_801)?, written(1_517_439_664)?);
    let parsed = strtime::parse(format, &one).ok()?;
    parsed.to_date().ok()?;
    Some(if one == other { Kind::Date } else { Kind::Datetime })
}

/// A string or a list of strings.
pub(super) fn texts(field: &Field<'_>, errors: &mut ErrorList) -> Vec<String> {
    let texts = match &field.node.kind {
        NodeKind::List(list) => field.texts(list, errors),
        _ => field.text(errors).into_iter().collect(),
    };
    reject_templates(field, &texts, errors);
    texts.into_iter().map(|text| text.raw).collect()
}

/// These texts are compared with what is in files before any template could be rendered.
pub(super) fn reject_templates(field: &Field<'_>, texts: &[Text], errors: &mut ErrorList) {
    for text in texts.iter().filter(|text| text.is_template()) {
        let error = Diagnostic::at(text.span, format!("`{}` cannot contain a template", field.key));
        errors.push(error.within(field.path.clone()).help("write the value itself"));
    }
}
