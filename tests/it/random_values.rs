//! Random values of JSON with the numbers spelled out, and how YAML spells them.

use proptest::prelude::*;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A value that JSON can hold, with integers of any size.
#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Bool(bool),
    /// Its digits.
    Integer(String),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    Mapping(BTreeMap<String, Value>),
}

/// Texts that something on the way could take for something else.
const ODD: [&str; 46] = [
    "",
    " ",
    "null",
    "~",
    "true",
    "no",
    "1",
    "007",
    "0x10",
    "0o7",
    "1e5",
    "1_000",
    "-0",
    ".5",
    "+1",
    "NaN",
    ".inf",
    "-",
    "2026-01-31",
    "2026-01-31T10:00:00Z",
    "a: b",
    "a #b",
    "# x",
    "[1]",
    "{\"a\": 1}",
    "<<",
    "!!int 3",
    "&a",
    "*a",
    "%x",
    "@",
    "'",
    "\"",
    "\\n",
    "\\",
    "$HOME `x` $(x)",
    "=1",
    "a,b;c\td",
    "\r",
    "\n",
    "a\r\nb\n",
    "\u{feff}x",
    "\u{2028}\u{85}",
    "e\u{301}😀",
    "{{ 1 + 1 }}",
    "{% raw %}{# x #}",
];

/// Texts of every kind of character; no lone surrogates, which UTF-8 cannot hold.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(&ODD[..]).prop_map(str::to_owned),
        3 => prop::collection::vec(any::<char>(), 0..10).prop_map(|chars| chars.into_iter().collect()),
        2 => "[ -~]{0,20}",
        1 => prop::collection::vec(0_u8..0x20, 1..5).prop_map(|bytes| bytes.into_iter().map(char::from).collect()),
    ]
}

/// Integers of any size.
pub fn integer() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<u64>().prop_map(|number| number.to_string()),
        1 => (-3..=3_i8).prop_map(|number| number.to_string()),
        1 => (0..127_u32, -1..=1_i128).prop_map(|(bit, near)| ((1_i128 << bit) + near).to_string()),
        2 => "-?[1-9][0-9]{18,60}",
        1 => "-?[1-9][0-9]{300,400}",
    ]
}

/// Floats of any size, all of them finite.
pub fn float() -> impl Strategy<Value = f64> {
    let odd =
        vec![0.0, -0.0, 0.1, 1e16, 1e22, 1e23, 5e-324, f64::MAX, f64::MIN_POSITIVE, 9_007_199_254_740_992.0, 1.0 / 3.0];
    prop_oneof![
        prop::sample::select(odd),
        any::<f64>().prop_filter("finite", |number| number.is_finite()),
        (-1_000_000..1_000_000_i32).prop_map(|cents| f64::from(cents) / 100.0),
    ]
}

/// A value that is no list and no mapping.
pub fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        3 => integer().prop_map(Value::Integer),
        3 => float().prop_map(Value::Float),
        5 => text().prop_map(Value::Text),
    ]
}

/// Any value.
pub fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::btree_map(text(), inner, 0..6).prop_map(Value::Mapping),
        ]
    })
}

impl Value {
    pub fn json(&self) -> String {
        let quoted = |text: &str| Json::from(text).to_string();
        self.spelled(&quoted)
    }

    /// As a flow of YAML; texts are in single quotes where that can be.
    pub fn yaml(&self) -> String {
        let quoted = |text: &str| {
            if text.len().is_multiple_of(2) || text.chars().any(char::is_control) {
                return Json::from(text).to_string();
            }
            format!("'{}'", text.replace('\'', "''"))
        };
        self.spelled(&quoted)
    }

    fn spelled(&self, quoted: &dyn Fn(&str) -> String) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(it) => it.to_string(),
            Self::Integer(digits) => digits.clone(),
            Self::Float(number) => format!("{number:?}"),
            Self::Text(text) => quoted(text),
            Self::List(values) => {
                let values: Vec<String> = values.iter().map(|value| value.spelled(quoted)).collect();
                format!("[{}]", values.join(", "))
            }
            Self::Mapping(members) => {
                let members: Vec<String> =
                    members.iter().map(|(key, value)| format!("{}: {}", quoted(key), value.spelled(quoted))).collect();
                format!("{{{}}}", members.join(", "))
            }
        }
    }

    /// Whether a workflow file would take something in it for a template.
    pub fn is_template(&self) -> bool {
        match self {
            Self::Text(text) => ["{{", "{%", "{#"].iter().any(|begin| text.contains(begin)),
            Self::List(values) => values.iter().any(Self::is_template),
            Self::Mapping(members) => {
                members.iter().any(|(key, value)| Self::Text(key.clone()).is_template() || value.is_template())
            }
            _ => false,
        }
    }
}

/// A list of values as JSON.
pub fn list(values: &[Value]) -> String {
    Value::List(values.to_vec()).json()
}

/// What a value of JSON is: an integer by its digits, a float by its bits, and keys in their order.
pub fn kind(value: &Json) -> String {
    match value {
        Json::Number(number) => {
            let text = number.to_string();
            if text.contains(['.', 'e', 'E']) {
                let float: f64 = text.parse().unwrap();
                return format!("float {float:?} {:x}", float.to_bits());
            }
            format!("integer {}", if text == "-0" { "0" } else { &text })
        }
        Json::Array(values) => format!("[{}]", values.iter().map(kind).collect::<Vec<_>>().join(", ")),
        Json::Object(members) => {
            let members: Vec<String> = members.iter().map(|(key, value)| format!("{key:?}: {}", kind(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// What a text of JSON is.
#[track_caller]
pub fn kind_of(json: &str) -> String {
    kind(&serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}")))
}
