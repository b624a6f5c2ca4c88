//! The schema of a value, by the type of its key: what the parser takes, strings such as `"4"` for a count included.
//!
//! Scalars are flat, with a pattern for those that are strings: editors tell more about one schema than about a choice of several.
//! Patterns are those that JavaScript and Python read alike. Neither knows Unicode classes without being told to, so a pattern for names
//! lists what ASCII they may not have, and lets everything else pass.

use crate::spec::keys::{self, KeyType, RESERVED_OUTPUTS, RESERVED_PARAMS, TEMPLATE_KEYWORDS};
use serde_json::{Value, json};

/// Letters, digits, `_`, `-` and `.`; no `.` at the start.
const STEP_NAME: &str = r"^[^\s\x00-,./:-@\[-^`{-\x7f][^\s\x00-,/:-@\[-^`{-\x7f]*$";

/// Letters, digits and `_`; no digit at the start.
const IDENTIFIER: &str = r"^[^\s\x00-@\[-^`{-\x7f][^\s\x00-/:-@\[-^`{-\x7f]*$";

/// What is not a template.
const LITERAL: &str = r"^(?![\s\S]*(\{\{|\{%|\{##))";

/// What is neither blank nor a template.
const WORD: &str = r"^(?![\s\S]*(\{\{|\{%|\{##))[\s\S]*\S";

const TEMPLATE: &str = r"\{\{|\{%|\{##";

/// A count as a string.
const COUNT: &str = r"^\s*0*[1-9][0-9]*\s*$";

const BOOL: &str = "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$";

pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

/// The values of a key.
pub(super) fn value(key_type: KeyType) -> Value {
    match key_type {
        KeyType::Any => json!({}),
        KeyType::OneOf(words) => json!({"enum": words}),
        KeyType::Text => text(r"\S", "must not be blank"),
        KeyType::FreeText => json!({"type": "string"}),
        KeyType::Literal => literal(),
        KeyType::Word => text(WORD, "must be neither blank nor a template"),
        KeyType::StepName => step_name(),
        KeyType::OutputName => output_name(),
        KeyType::Function => {
            text(r"^[^\s\x00-\-/-@\[-^`{-\x7f]+:[^\s\x00-\-/-@\[-^`{-\x7f]+$", "must have the form `module:name`")
        }
        KeyType::Method => text(&format!("^[A-Za-z-]+$|{TEMPLATE}"), "must be an HTTP method"),
        KeyType::Character(word) => {
            let message = format!("must be one ASCII character, or `{word}`");
            text(&format!(r"^({word}|[\x00-\x09\x0b\x0c\x0e-\x7f])$"), &message)
        }
        KeyType::Mark => text(r"^[^A-Za-z0-9+\-\n\r]$", "must be one character, but no letter, digit or sign"),
        KeyType::Delimiter => {
            let message = "must be the characters between two fields, up to 16 bytes, `tab` or `whitespace`";
            text(r"^[^\n\r]{1,16}$", message)
        }
        KeyType::Lines => {
            scalar(json!({"type": "integer", "minimum": 0}), r"^\s*\+?[0-9]+\s*$", "must be a number of lines")
        }
        KeyType::PlainBool => scalar(json!({"type": "boolean"}), BOOL, "must be `true` or `false`"),
        KeyType::Bool => scalar(json!({"type": "boolean"}), &or_template(BOOL), "must be `true` or `false`"),
        KeyType::PlainCount => scalar(count(), COUNT, "must be a positive integer"),
        KeyType::Count => scalar(count(), &or_template(COUNT), "must be a positive integer"),
        KeyType::CountOrAuto => {
            scalar(count(), &or_template(&format!("^auto$|{COUNT}")), "must be a positive integer or `auto`")
        }
        KeyType::Integer => integer(),
        KeyType::Duration => {
            let pattern = or_template(&duration("(?=[0-9.]*[1-9])"));
            scalar(json!({"type": "number", "exclusiveMinimum": 0}), &pattern, DURATION)
        }
        KeyType::Delay => scalar(json!({"type": "number", "minimum": 0}), &duration(""), DURATION),
        KeyType::Rate => {
            let pattern = r"^\s*(?=[0-9.]*[1-9])[0-9]*\.?[0-9]*\s*/\s*[smh]\s*$";
            let message = "must be a number per second, or a rate such as `10/s`, `600/m` or `1000/h`";
            scalar(json!({"type": "number", "exclusiveMinimum": 0}), pattern, message)
        }
        KeyType::Share => json!({"type": ["number", "boolean"], "minimum": 0, "maximum": 1}),
        KeyType::Tolerance => {
            let pattern = r"^\s*[0-9]+\s*$|^\s*(100(\.0*)?|[0-9]{1,2}(\.[0-9]*)?|\.[0-9]+)\s*%\s*$";
            let message = "must be a number of items, or a percentage such as `5%`";
            scalar(json!({"type": "integer", "minimum": 0}), &or_template(pattern), message)
        }
        KeyType::Size => {
            let pattern = r"^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgGtTpP]([iI]?[bB])?|[bB])?\s*$";
            let message = "must be a number of bytes, or a size such as `512MB` or `1.5GiB`";
            scalar(json!({"type": "integer", "minimum": 1 << 20}), pattern, message)
        }
        _ => list(key_type),
    }
}

/// One HTTP status, or a range of them.
const STATUSES: &str = r"^\s*[1-5]([0-9]{2}|[xX]{2}|[0-9]{2}\s*-\s*[1-5][0-9]{2})\s*$";

const DURATION: &str = "must be a number of seconds, or a duration such as `500ms`, `2s`, `2m`, `1.5h` or `1d`";

/// The names of parameters and of the inputs of Python code.
pub(super) fn identifier() -> Value {
    text(IDENTIFIER, "must have letters, digits and `_`, and start with a letter")
}

fn step_name() -> Value {
    let mut name = text(STEP_NAME, "must have letters, digits, `_`, `-` and `.`, and no `.` at the start");
    name["maxLength"] = json!(100);
    name
}

fn param_name() -> Value {
    let refused: Vec<_> = RESERVED_PARAMS.iter().chain(TEMPLATE_KEYWORDS).collect();
    let mut name = identifier();
    name["not"] = json!({"enum": refused});
    name
}

fn output_name() -> Value {
    let refused: Vec<_> = RESERVED_OUTPUTS.iter().chain(TEMPLATE_KEYWORDS).collect();
    let mut name = identifier();
    name["not"] = json!({"enum": refused});
    name
}

fn list(key_type: KeyType) -> Value {
    let one = json!({"type": ["string", "number", "boolean"]});
    match key_type {
        KeyType::Columns => json!({"type": "array", "items": literal(), "minItems": 1, "uniqueItems": true}),
        KeyType::ColumnOrColumns => any_of([literal(), value(KeyType::Columns)]),
        KeyType::Header => any_of([json!({"type": "boolean"}), value(KeyType::Columns)]),
        KeyType::Fields => {
            let field = text(WORD, "must name a field");
            let mut one = scalar(json!({"type": "boolean"}), WORD, "must name a field");
            one["not"] = json!({"const": false});
            any_of([one, json!({"type": "array", "items": field, "minItems": 1, "uniqueItems": true})])
        }
        KeyType::Parts => {
            let part =
                json!({"type": "string", "pattern": format!(r"^({})(\.[^.\s]+)*$", keys::RESPONSE_PARTS.join("|"))});
            any_of([
                json!({"type": "array", "items": part.clone(), "minItems": 1, "uniqueItems": true}),
                json!({"type": "object", "additionalProperties": part, "minProperties": 1}),
            ])
        }
        KeyType::Statuses => {
            let one = scalar(
                json!({"type": "integer", "minimum": 100, "maximum": 599}),
                STATUSES,
                "must be a status, `2xx` or `200-299`",
            );
            any_of([one.clone(), json!({"type": "array", "items": one, "minItems": 1})])
        }
        KeyType::Shares => {
            let share = json!({"type": "number", "minimum": 0, "maximum": 1});
            json!({"type": "array", "items": share, "minItems": 1, "uniqueItems": true})
        }
        KeyType::Texts => json!({"type": "array", "items": value(KeyType::Word)}),
        KeyType::TextOrTexts => {
            let one = json!({"type": ["string", "number", "boolean"], "pattern": LITERAL});
            any_of([literal(), json!({"type": "array", "items": one})])
        }
        KeyType::RetryOn => {
            let one = |pattern: &str| json!({"type": ["string", "integer"], "pattern": pattern});
            any_of([one(WORD), json!({"type": "array", "items": one(r"\S"), "minItems": 1})])
        }
        KeyType::Patterns => {
            let pattern = value(KeyType::Text);
            any_of([pattern.clone(), json!({"type": "array", "items": pattern, "minItems": 1})])
        }
        KeyType::Command => any_of([value(KeyType::Text), json!({"type": "array", "items": one, "minItems": 1})]),
        KeyType::List => json!({"type": "array"}),
        KeyType::Words(words) => {
            json!({"type": "array", "items": {"enum": words}, "minItems": 1, "uniqueItems": true})
        }
        _ => mapping(key_type),
    }
}

fn mapping(key_type: KeyType) -> Value {
    let one = json!({"type": ["string", "number", "boolean"]});
    match key_type {
        KeyType::DateFormats => {
            let format = text("%", "must be a `strftime` format");
            json!({"type": "object", "additionalProperties": format})
        }
        KeyType::Scalars => json!({"type": ["object", "null"], "additionalProperties": one}),
        KeyType::Query => {
            let one = json!({"type": ["string", "number", "boolean", "null"]});
            let values = json!({"type": ["string", "number", "boolean", "null", "array"], "items": one});
            json!({"type": ["object", "null"], "additionalProperties": values})
        }
        KeyType::Files => {
            let path = value(KeyType::Text);
            let paths = any_of([path.clone(), json!({"type": "array", "items": path, "minItems": 1})]);
            json!({"type": ["object", "null"], "additionalProperties": paths})
        }
        KeyType::Types => any_of([
            json!({"const": "infer"}),
            json!({"type": "object", "additionalProperties": {"enum": keys::KINDS}}),
        ]),
        KeyType::Mapping => json!({"type": ["object", "null"]}),
        KeyType::Items => {
            let pattern = format!(r"{TEMPLATE}|^\s*\$\(\s*\S[\s\S]*\)\s*$");
            let message = "must be a template, `$(command)`, a list or a source such as `{glob: 'data/*.csv'}`";
            let mut items = text(&pattern, message);
            items["type"] = json!(["string", "array"]);
            any_of([items, reference("items")])
        }
        KeyType::Retry => any_of([count(), reference("retry")]),
        KeyType::Resources => reference("resources"),
        KeyType::Amount => amount(),
        KeyType::Amounts => amounts(),
        KeyType::Range => range(),
        KeyType::Auth => reference("auth"),
        KeyType::Outputs => any_of([output_name(), reference("outputs")]),
        KeyType::Aggregate => any_of([value(KeyType::Text), reference("aggregate")]),
        KeyType::Params => json!({
            "type": ["object", "null"],
            "propertyNames": param_name(),
            "additionalProperties": any_of([json!({"type": ["string", "number", "boolean", "array", "null"]}), reference("param")]),
        }),
        KeyType::Steps => any_of([
            json!({"type": "array", "minItems": 1, "items": {"allOf": [reference("step"), {"required": ["name"]}]}}),
            json!({
                "type": "object",
                "minProperties": 1,
                "propertyNames": step_name(),
                "additionalProperties": {"allOf": [reference("step"), {"properties": {"name": false}}]},
            }),
        ]),
        KeyType::Task => reference("task"),
        _ => of_commands_and_grids(key_type),
    }
}

fn of_commands_and_grids(key_type: KeyType) -> Value {
    match key_type {
        KeyType::Product => {
            json!({"type": "object", "minProperties": 1, "additionalProperties": value(KeyType::Items)})
        }
        KeyType::Shell => any_of([
            json!({"enum": keys::SHELLS}),
            json!({"type": "array", "items": value(KeyType::Word), "minItems": 2}),
        ]),
        KeyType::Stdin => any_of([json!({"type": "string"}), reference("stdin")]),
        KeyType::OnBadRow => any_of([json!({"enum": keys::ON_BAD_ROW}), reference("on_bad_row")]),
        _ => unreachable!("`value` knows all others"),
    }
}

fn any_of<const N: usize>(values: [Value; N]) -> Value {
    json!({"anyOf": Vec::from(values)})
}

/// A string of this pattern, and what an editor says of any other.
fn text(pattern: &str, message: &str) -> Value {
    json!({"type": "string", "pattern": pattern, "patternErrorMessage": message})
}

/// A value of a type, or a string of a pattern.
fn scalar(mut value: Value, pattern: &str, message: &str) -> Value {
    value["type"] = json!([value["type"], "string"]);
    value["pattern"] = json!(pattern);
    value["patternErrorMessage"] = json!(message);
    value
}

fn literal() -> Value {
    text(LITERAL, "cannot be a template")
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 1})
}

/// `range`.
fn range() -> Value {
    let mut range = integer();
    range["type"] = json!(["integer", "string", "array"]);
    range["items"] = integer();
    range["minItems"] = json!(1);
    range["maxItems"] = json!(3);
    any_of([range, reference("range")])
}

/// A mapping of names to amounts. What has a key of its own is not among them.
fn amounts() -> Value {
    json!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": {
            "pattern": "^[A-Za-z0-9_.:/-]+$",
            "not": {"pattern": "^([Cc][Pp][Uu]|[Gg][Pp][Uu]|([Oo][Bb][Jj][Ee][Cc][Tt]_[Ss][Tt][Oo][Rr][Ee]_)?[Mm][Ee][Mm][Oo][Rr][Yy])$"},
        },
        "additionalProperties": amount(),
    })
}

/// An amount of a resource.
fn amount() -> Value {
    json!({"type": "number", "minimum": 0.0001})
}

fn integer() -> Value {
    scalar(json!({"type": "integer"}), &or_template(r"^\s*-?[0-9]+\s*$"), "must be an integer")
}

fn or_template(pattern: &str) -> String {
    format!("{pattern}|{TEMPLATE}")
}

/// The pattern of a number of seconds, or of a number with a unit; `ahead` looks at the number.
fn duration(ahead: &str) -> String {
    format!(r"^\s*{ahead}([0-9]+\.?[0-9]*|\.[0-9]+)\s*(ms|s|m|h|d)?\s*$")
}
