//! NaN and infinities, as Python's `json` and others write them.

use std::borrow::Cow;

/// The names, the longest first where one begins like another.
const NAMES: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// The value that a text names; none if it names neither NaN nor an infinity.
pub(super) fn named(text: &str) -> Option<f64> {
    let name = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_named = ["nan", "inf", "infinity"].iter().any(|known| name.eq_ignore_ascii_case(known));
    is_named.then(|| text.parse().ok()).flatten()
}

/// JSON with null for each NaN and infinity outside of strings.
pub fn without_nan(json: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'N', b'I', json).is_none() {
        return Cow::Borrowed(json);
    }
    let mut out = Vec::with_capacity(json.len());
    let mut at = 0;
    while at < json.len() {
        let rest = &json[at..];
        if let Some(name) = NAMES.iter().find(|name| rest.starts_with(name)) {
            out.extend_from_slice(b"null");
            at += name.len();
            continue;
        }
        let end = if rest[0] == b'"' { string(rest) } else { 1 };
        out.extend_from_slice(&rest[..end]);
        at += end;
    }
    Cow::Owned(out)
}

/// The length of the string that the text begins with.
fn string(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &json[at.min(json.len())..]) {
        at += found + 1;
        if json[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_outside_of_strings_is_replaced() {
        let of = |json: &str| String::from_utf8(without_nan(json.as_bytes()).into_owned()).unwrap();
        assert_eq!(of(r#"{"a": NaN, "NaN": [-Infinity,Infinity]}"#), r#"{"a": null, "NaN": [null,null]}"#);
        assert_eq!(of(r#"["\"NaN", "\\", NaN]"#), r#"["\"NaN", "\\", null]"#);
        for same in [r#""NaN"#, r#""\"#, "NA", "[1]", r#"{"Ich": "In"}"#] {
            assert_eq!(of(same), same);
        }
    }

    #[test]
    fn numbers_that_are_too_large_are_none_of_them() {
        assert!(named("-NaN").unwrap().is_nan());
        assert_eq!((named("-inf"), named("+Infinity")), (Some(f64::NEG_INFINITY), Some(f64::INFINITY)));
        assert_eq!([named("1e999"), named("in"), named("--inf"), named("")], [None; 4]);
    }
}
