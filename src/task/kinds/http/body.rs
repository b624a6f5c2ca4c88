//! What a response's body means: text in its charset, JSON, or bytes.

use crate::template::json_to_value;
use encoding_rs::{Encoding, UTF_8};
use serde_json::value::RawValue;

/// The text of a body: by its byte order mark, else by the charset of the response, else UTF-8. `None` if it is no text.
pub(super) fn text(bytes: Vec<u8>, charset: Option<&str>) -> Result<String, Vec<u8>> {
    let by_mark = Encoding::for_bom(&bytes);
    let encoding = match (by_mark, charset) {
        (Some((encoding, _)), _) => Some(encoding),
        (None, Some(label)) => Encoding::for_label(label.trim_matches(['"', '\'']).as_bytes()),
        (None, None) => Some(UTF_8),
    };
    let mark = by_mark.map_or(0, |(_, length)| length);
    match encoding {
        Some(encoding) if encoding == UTF_8 && mark == 0 => String::from_utf8(bytes).map_err(|it| it.into_bytes()),
        Some(encoding) => {
            let decoded = encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]);
            decoded.map(std::borrow::Cow::into_owned).ok_or(bytes)
        }
        None => Err(bytes),
    }
}

/// JSON on one line, with all digits. `None` if there is no text at all, as in a response without a body.
///
/// # Errors
/// If it is not JSON, or if those who read results could not hold its value.
pub(super) fn compact_json(text: &str) -> Result<Option<Box<RawValue>>, String> {
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    json_to_value(text.as_bytes())?;
    let mut compact = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        if in_string || !c.is_ascii_whitespace() {
            compact.push(c);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
    }
    RawValue::from_string(compact).map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_put_on_one_line_with_its_digits() {
        let compact = compact_json("{\n \"a b\" : [1, 12345678901234567890123],\n \"q\\\" \": 1.10}").unwrap().unwrap();
        assert_eq!(compact.get(), "{\"a b\":[1,12345678901234567890123],\"q\\\" \":1.10}");
        assert!(compact_json("{").is_err() && compact_json("[\"\\ud83d\"]").is_err());
        assert!(compact_json(" \n").unwrap().is_none());
    }

    #[test]
    fn text_is_read_in_its_charset_or_not_at_all() {
        for (bytes, charset, expected) in [
            (b"caf\xe9".to_vec(), Some("iso-8859-1"), Some("café")),
            (b"caf\xe9".to_vec(), None, None),
            (b"\x83\x65\x83\x58\x83\x67".to_vec(), Some("Shift_JIS"), Some("テスト")),
            (b"\x83".to_vec(), Some("shift_jis"), None),
            (b"\xff\xfea\0b\0".to_vec(), Some("utf-8"), Some("ab")),
            (b"a\0b\0".to_vec(), Some("\"utf-16le\""), Some("ab")),
            (b"\xef\xbb\xbf{}".to_vec(), None, Some("{}")),
            (b"a".to_vec(), Some("nonsense"), None),
        ] {
            assert_eq!(text(bytes.clone(), charset).ok().as_deref(), expected, "{bytes:?} {charset:?}");
        }
    }
}
