//! The tree of nodes of a file, each with its place, and the rules of YAML 1.2 for plain scalars.
//!
//! Knows nothing of workflows. As in YAML 1.2, `yes`, `no`, `on` and `off` are strings. So are numbers with leading zeros,
//! because a postcode must not lose one. Numbers are kept as text, so that integers keep all their digits.

use crate::model::{Span, Text, Tree};

/// A value and its place in the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub span: Span,
    pub kind: NodeKind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeKind {
    Null,
    Bool(bool),
    /// As JSON writes it.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a mapping and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

impl Node {
    pub fn new(span: Span, kind: NodeKind) -> Self {
        Self { span, kind }
    }

    /// The node as a value of the workflow.
    pub fn to_tree(&self) -> Tree {
        match &self.kind {
            NodeKind::Null => Tree::Null,
            NodeKind::Bool(value) => Tree::Bool(*value),
            NodeKind::Number(number) => Tree::Number(number.clone()),
            NodeKind::Text(raw) => Tree::Text(Text { raw: raw.clone(), span: self.span }),
            NodeKind::List(list) => Tree::List(list.iter().map(Self::to_tree).collect()),
            NodeKind::Map(map) => {
                Tree::Map(map.iter().map(|entry| (entry.key.clone(), entry.value.to_tree())).collect())
            }
        }
    }

    /// The node as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        to_json(&self.to_tree())
    }

    /// The node as a text, if it is a string.
    pub fn as_text(&self) -> Option<Text> {
        match &self.kind {
            NodeKind::Text(raw) => Some(Text { raw: raw.clone(), span: self.span }),
            _ => None,
        }
    }
}

/// A value of the workflow as JSON, with templates as plain strings.
pub(super) fn to_json(tree: &Tree) -> serde_json::Value {
    use serde_json::Value;
    match tree {
        Tree::Null => Value::Null,
        Tree::Bool(value) => Value::Bool(*value),
        Tree::Number(number) => serde_json::from_str(number).unwrap_or(Value::Null),
        Tree::Text(text) => Value::String(text.raw.clone()),
        Tree::List(list) => list.iter().map(to_json).collect(),
        Tree::Map(map) => map.iter().map(|(key, value)| (key.clone(), to_json(value))).collect(),
    }
}

/// Describes a value for a message: "the string \"ten\"", "a list".
pub(super) fn describe(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the string \"{}\"", shorten(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

/// The beginning of a text, for a message.
pub(super) fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(40).collect();
    let more = if short.len() < text.trim_end().len() { "..." } else { "" };
    format!("{short}{more}")
}

/// The most digits of an integer that Python reads without being told to.
const MOST_DIGITS: usize = 4300;

/// Reads a plain scalar by the core schema. The error continues a sentence that starts with the scalar.
pub(super) fn resolve(text: &str) -> Result<NodeKind, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(NodeKind::Null),
        "true" | "True" | "TRUE" => return Ok(NodeKind::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(NodeKind::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err("cannot be represented in JSON");
    }
    match number(text, unsigned) {
        None => Ok(NodeKind::Text(text.to_owned())),
        Some(number) if fits(&number) => Ok(NodeKind::Number(number)),
        Some(_) => Err("is too large"),
    }
}

/// Whether every reader can hold a number: integers of as many digits as Python reads, and finite floats.
fn fits(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return digits.len() <= MOST_DIGITS;
    }
    number.parse::<f64>().is_ok_and(f64::is_finite)
}

/// An integer of another base as JSON writes it, if the digits are some.
fn radix(digits: &str, base: u32) -> Option<String> {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    // What does not fit gets more digits than there may be, so it is refused.
    let value = u128::from_str_radix(digits, base);
    Some(value.map_or_else(|_| "9".repeat(MOST_DIGITS + 1), |value| value.to_string()))
}

/// A number as JSON writes it, if the text is one.
fn number(text: &str, unsigned: &str) -> Option<String> {
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], &unsigned[at + 1..]),
        None => (unsigned, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let fit = digits(whole) && digits(fraction) && digits(power) && !power.is_empty();
    if !fit || (whole.is_empty() && fraction.is_empty()) || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    let mut out = format!("{sign}{whole}");
    if mantissa.contains('.') {
        out.push('.');
        out.push_str(if fraction.is_empty() { "0" } else { fraction });
    }
    if unsigned.len() != mantissa.len() {
        out.push('e');
        out.push_str(exponent);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number_of(text: &str) -> Option<String> {
        match resolve(text) {
            Ok(NodeKind::Number(number)) => Some(number),
            _ => None,
        }
    }

    #[test]
    fn numbers_keep_all_their_digits() {
        for (text, json) in [
            ("12", "12"),
            ("-0", "-0"),
            ("+7", "7"),
            ("0x1F", "31"),
            ("0o17", "15"),
            (".5", "0.5"),
            ("-1.", "-1.0"),
            ("1e3", "1e3"),
            ("1.50E-2", "1.50e-2"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(number_of(text).as_deref(), Some(json), "{text}");
            serde_json::from_str::<serde_json::Value>(json).unwrap();
        }
    }

    #[test]
    fn what_only_looks_like_a_number_is_a_string() {
        for text in
            ["007", "1_000", "1:30", "1.2.3", ".", "-", "e5", "1e", "0x", "0x+1", "0xg", "yes", "no", "on", "off"]
        {
            assert_eq!(resolve(text), Ok(NodeKind::Text(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn infinity_is_refused() {
        for text in [".inf", "-.INF", ".nan", "1e999"] {
            assert!(resolve(text).is_err(), "{text}");
        }
    }
}
