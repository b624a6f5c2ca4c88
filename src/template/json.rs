//! Reads JSON text as template values, and writes template values as JSON text.
//!
//! A value arrives as it was, or is refused with the reason: numbers of any size keep their digits, and nothing that cannot be
//! read or written becomes a string, null or a default instead.

use super::exact_number::{ExactNumber, has_all_digits};
use jiter::{Jiter, JiterError, Peek};
use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};
use std::fmt::Display;

/// How deep a value may be nested: more than real data is, and less than the stack can take.
const DEEPEST: usize = 120;

/// How long the text of a value may be, where each element counts as some bytes more. Twenty lists can hold a million elements, if each
/// holds the next one twice.
const LONGEST: usize = 1 << 30;
const ELEMENT: usize = 16;

/// Converts JSON text to a template value. Of a key that appears twice, the last value counts, as in Python.
///
/// # Errors
/// If the text is not JSON, or if a template, or later Python, could not hold its value.
pub fn json_to_value(json: &[u8]) -> Result<Value, String> {
    if let Some(number) = short_integer(json) {
        return Ok(Value::from(number));
    }
    let mut reader = Reader { json: Jiter::new(json), depth: 0 };
    let value = reader.json.peek().map_err(ReadError::from).and_then(|peek| reader.value(peek));
    match value.and_then(|value| reader.json.finish().map(|()| value).map_err(ReadError::from)) {
        Ok(value) => Ok(value),
        Err(ReadError::Unfit(message)) => Err(message),
        Err(ReadError::Syntax(error)) => Err(reader.describe(&error)),
    }
}

/// Like [`json_to_value`], with an error as a value that fails whatever uses it. `what` is what cannot be read.
pub fn json_or_invalid(what: &dyn Display, json: &[u8]) -> Value {
    json_to_value(json).unwrap_or_else(|message| invalid(format!("{what} cannot be read: {message}")))
}

/// A value that fails whatever uses it.
pub fn invalid(message: String) -> Value {
    Value::from(Error::new(ErrorKind::InvalidOperation, message))
}

/// An integer of up to 18 digits, which cannot overflow. Items are often just that.
fn short_integer(json: &[u8]) -> Option<i64> {
    let digits = json.strip_prefix(b"-").unwrap_or(json);
    let plain = match digits {
        [first, ..] => digits.len() <= 18 && (*first != b'0' || digits.len() == 1) && is_digits(digits),
        [] => false,
    };
    let text = std::str::from_utf8(json).ok().filter(|_| plain)?;
    text.parse().ok()
}

fn is_digits(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
}

enum ReadError {
    Syntax(JiterError),
    Unfit(String),
}

impl From<JiterError> for ReadError {
    fn from(error: JiterError) -> Self {
        Self::Syntax(error)
    }
}

struct Reader<'j> {
    json: Jiter<'j>,
    depth: usize,
}

impl Reader<'_> {
    fn value(&mut self, peek: Peek) -> Result<Value, ReadError> {
        Ok(match peek {
            Peek::Null => self.json.known_null().map(|()| Value::from(()))?,
            Peek::True | Peek::False => Value::from(self.json.known_bool(peek)?),
            Peek::String => Value::from(self.json.known_str()?),
            Peek::Array => self.nested(Self::list)?,
            Peek::Object => self.nested(Self::mapping)?,
            _ => number(self.json.known_number_bytes(peek)?)?,
        })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, ReadError>) -> Result<Value, ReadError> {
        if self.depth == DEEPEST {
            return Err(ReadError::Unfit(format!("it is nested more than {DEEPEST} levels deep")));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Result<Value, ReadError> {
        let mut list = Vec::new();
        let mut next = self.json.known_array()?;
        while let Some(peek) = next {
            list.push(self.value(peek)?);
            next = self.json.array_step()?;
        }
        Ok(Value::from(list))
    }

    fn mapping(&mut self) -> Result<Value, ReadError> {
        let mut pairs = Vec::new();
        let mut key = self.json.known_object()?.map(Value::from);
        while let Some(name) = key {
            let peek = self.json.peek()?;
            pairs.push((name, self.value(peek)?));
            key = self.json.next_key()?.map(Value::from);
        }
        Ok(Value::from_pairs(pairs))
    }

    /// An integer has at most as many digits as Python reads, which the parser sees to.
    fn describe(&self, error: &JiterError) -> String {
        use jiter::{JiterErrorType, JsonErrorType};
        match &error.error_type {
            JiterErrorType::JsonError(
                JsonErrorType::LoneLeadingSurrogateInHexEscape | JsonErrorType::UnexpectedEndOfHexEscape,
            ) => "it contains half of a surrogate pair (such as `\\ud83d`), which is not valid text".to_owned(),
            JiterErrorType::JsonError(JsonErrorType::NumberOutOfRange) => {
                "it contains an integer of more than 4,300 digits".to_owned()
            }
            other => format!("it is not valid JSON: {other} at {}", self.json.error_position(error.index)),
        }
    }
}

/// The value of a number, with all its digits.
fn number(text: &[u8]) -> Result<Value, ReadError> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let text = std::str::from_utf8(text).map_err(|error| ReadError::Unfit(error.to_string()))?;
    if is_digits(digits) {
        if let Ok(number) = text.parse::<i64>() {
            return Ok(Value::from(number));
        }
        if let Ok(number) = text.parse::<i128>() {
            return Ok(Value::from(number));
        }
        return Ok(Value::from_object(ExactNumber(text.into())));
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && has_all_digits(text, number) => Ok(Value::from(number)),
        Ok(number) if number.is_finite() => Ok(Value::from_object(ExactNumber(text.into()))),
        _ => {
            let short: String = text.chars().take(40).collect();
            Err(ReadError::Unfit(format!("it contains the number `{short}`, which is too large for a float")))
        }
    }
}

/// Converts a template value to JSON text.
///
/// # Errors
/// If a value in it is undefined or has no JSON form, or if the text is too long. The message has the path to it.
pub fn value_to_json(value: &Value) -> Result<Vec<u8>, String> {
    json_within(value, LONGEST)
}

/// The same, with another limit of length.
fn json_within(value: &Value, longest: usize) -> Result<Vec<u8>, String> {
    let mut out = Writer { text: Vec::new(), left: longest };
    write(value, &mut out, 0).map(|()| out.text).map_err(|Unwritable { path, what }| {
        let path: String = path.into_iter().rev().collect();
        match path.as_str() {
            "" => format!("the value {what}"),
            path => format!("the value at `{path}` {what}"),
        }
    })
}

/// JSON text that is being written.
struct Writer {
    text: Vec<u8>,
    /// How much longer it may become.
    left: usize,
}

impl Writer {
    fn push(&mut self, text: &[u8]) -> Result<(), Unwritable> {
        self.spend(text.len())?;
        self.text.extend_from_slice(text);
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Unwritable> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| Unwritable::new("is longer than 1 GiB"))?;
        Ok(())
    }
}

/// Why a value has no JSON form: what it is, in words that follow "the value", and the path to it, innermost step first.
struct Unwritable {
    path: Vec<String>,
    what: String,
}

impl Unwritable {
    fn new(what: impl Into<String>) -> Self {
        Self { path: Vec::new(), what: what.into() }
    }

    fn below(mut self, step: String) -> Self {
        self.path.push(step);
        self
    }
}

fn write(value: &Value, out: &mut Writer, depth: usize) -> Result<(), Unwritable> {
    out.spend(ELEMENT)?;
    if depth > DEEPEST {
        return Err(Unwritable::new(format!("is nested more than {DEEPEST} levels deep")));
    }
    match value.kind() {
        ValueKind::Undefined => return Err(Unwritable::new("is not defined")),
        ValueKind::Seq | ValueKind::Iterable => return list(value, out, depth),
        ValueKind::Map => return mapping(value, out, depth),
        ValueKind::Invalid => {
            let text = value.to_string();
            let what = text.strip_prefix("<invalid value: ").and_then(|text| text.strip_suffix('>'));
            return Err(Unwritable::new(format!("is not usable: {}", what.unwrap_or(&text))));
        }
        ValueKind::Plain => match value.downcast_object_ref::<ExactNumber>() {
            Some(number) => out.push(number.0.as_bytes())?,
            None => scalar(&value.to_string(), out)?,
        },
        ValueKind::String => scalar(value.as_str().unwrap_or_default(), out)?,
        ValueKind::Bytes => return Err(Unwritable::new("is bytes, which have no JSON form")),
        _ => scalar(value, out)?,
    }
    Ok(())
}

fn scalar<T: serde::Serialize + ?Sized>(value: &T, out: &mut Writer) -> Result<(), Unwritable> {
    let before = out.text.len();
    serde_json::to_writer(&mut out.text, value)
        .map_err(|error| Unwritable::new(format!("cannot become JSON: {error}")))?;
    out.spend(out.text.len() - before)
}

fn list(value: &Value, out: &mut Writer, depth: usize) -> Result<(), Unwritable> {
    out.push(b"[")?;
    for (at, element) in elements(value)?.enumerate() {
        out.push(if at == 0 { b"" } else { b"," })?;
        write(&element, out, depth + 1).map_err(|error| error.below(format!("[{at}]")))?;
    }
    out.push(b"]")
}

fn mapping(value: &Value, out: &mut Writer, depth: usize) -> Result<(), Unwritable> {
    out.push(b"{")?;
    for (at, key) in elements(value)?.enumerate() {
        out.push(if at == 0 { b"" } else { b"," })?;
        let inner = value.get_item(&key).unwrap_or(Value::UNDEFINED);
        match key.as_str() {
            Some(text) => scalar(text, out)?,
            None => scalar(&key_text(&key)?, out)?,
        }
        out.push(b":")?;
        write(&inner, out, depth + 1).map_err(|error| error.below(format!(".{key}")))?;
    }
    out.push(b"}")
}

/// A key that is not text, as the JSON text of its value.
fn key_text(key: &Value) -> Result<String, Unwritable> {
    match key.kind() {
        ValueKind::Number | ValueKind::Bool | ValueKind::None | ValueKind::Plain => {
            let mut text = Writer { text: Vec::new(), left: LONGEST };
            write(key, &mut text, 0)?;
            String::from_utf8(text.text).map_err(|error| Unwritable::new(error.to_string()))
        }
        kind => Err(Unwritable::new(format!("has a key that is a {kind}"))),
    }
}

fn elements(value: &Value) -> Result<impl Iterator<Item = Value>, Unwritable> {
    value.try_iter().map_err(|error| Unwritable::new(format!("cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(json: &str) -> String {
        String::from_utf8(value_to_json(&json_to_value(json.as_bytes()).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn values_keep_every_digit_at_every_depth() {
        let long = "9".repeat(400);
        for json in [
            "12",
            "-123456789012345678901234567890",
            "170141183460469231731687303715884105728",
            "-78380162180.177895838545",
            "[1e-400,0.1234567890123456789]",
            r#"{"z":[18446744073709551617,{"a":-170141183460469231731687303715884105728}],"b":1.5,"c":"x\"\n","d":null}"#,
            &long,
            &format!(r#"[{long},{{"a":-{long}}},true,"",{{}},[]]"#),
        ] {
            assert_eq!(back(json), *json);
        }
        assert_eq!(json_to_value(b"12").unwrap().to_string(), "12");
        assert_eq!(json_to_value(long.as_bytes()).unwrap().to_string(), long);
        assert_eq!(back(r#"{"a":1,"a":2}"#), r#"{"a":2}"#);
    }

    #[test]
    fn what_cannot_be_held_is_refused_with_the_reason() {
        let long = "9".repeat(4301);
        let deep = format!("{}{}", "[".repeat(121), "]".repeat(121));
        for (json, word) in [
            ("[1e400]", "the number `1e400`, which is too large"),
            (r#"{"a":"\ud83d"}"#, "half of a surrogate pair"),
            (&long, "an integer of more than 4,300 digits"),
            (&deep, "more than 120 levels deep"),
            ("[1,", "not valid JSON"),
            ("{} x", "not valid JSON"),
            ("NaN", "not valid JSON"),
            ("", "not valid JSON"),
        ] {
            let message = json_to_value(json.as_bytes()).unwrap_err();
            assert!(message.contains(word), "{json}: {message}");
        }
    }

    #[test]
    fn undefined_values_have_no_json_form_at_any_depth() {
        let list = Value::from(vec![Value::from(1), Value::from_pairs([("a", Value::UNDEFINED)])]);
        assert_eq!(value_to_json(&list).unwrap_err(), "the value at `[1].a` is not defined");
        let broken = Value::from(vec![invalid("the disk is gone".to_owned())]);
        assert_eq!(
            value_to_json(&broken).unwrap_err(),
            "the value at `[0]` is not usable: invalid operation: the disk is gone"
        );
    }

    #[test]
    fn a_value_that_holds_another_twice_again_and_again_is_too_long() {
        let doubled =
            |times: usize| (0..times).fold(Value::from(1), |value, _| Value::from(vec![value.clone(), value]));
        let message = "the value at `[0][0][0]";
        let error = json_within(&doubled(60), 1 << 16).unwrap_err();
        assert!(error.starts_with(message) && error.ends_with("is longer than 1 GiB"), "{error}");
        let wide = Value::from_pairs([("a", doubled(60))]);
        assert!(json_within(&wide, 1 << 16).is_err());
        assert_eq!(json_within(&doubled(2), 1 << 10).unwrap(), b"[[1,1],[1,1]]");
        assert!(json_within(&Value::from("x".repeat(99)), 100).is_err());
    }
}
