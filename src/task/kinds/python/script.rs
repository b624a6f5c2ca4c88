//! A script as people write it: with a byte order mark, or in the encoding that one of its first two lines names (PEP 263).

/// The text of a script.
///
/// # Errors
/// If it is not in its encoding, or if that is unknown: one line for the user.
pub(super) fn decode(bytes: &[u8]) -> Result<String, String> {
    let (marked, bytes) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    let named =
        bytes.split(|byte| *byte == b'\n').take(2).enumerate().find_map(|(at, line)| Some((at + 1, named(line)?)));
    let (line, name) = named.unwrap_or((0, "utf-8".to_owned()));
    match normal(&name).as_str() {
        "utf-8" | "utf8" | "utf-8-sig" | "ascii" | "us-ascii" => utf8(bytes),
        _ if marked => {
            Err(format!("it begins with a byte order mark of UTF-8, but line {line} names the encoding `{name}`"))
        }
        // Not the one that browsers call by these names, which has other characters from 0x80 to 0x9f.
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1" => Ok(bytes.iter().copied().map(char::from).collect()),
        other => {
            let encoding = encoding_rs::Encoding::for_label(other.as_bytes());
            let encoding = encoding.ok_or_else(|| {
                format!("line {line} names the encoding `{name}`, which is unknown; save it as UTF-8")
            })?;
            let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
            text.map(String::from).ok_or_else(|| format!("it is not valid {name}, which line {line} names"))
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = bytes[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8; save it as UTF-8, or name its encoding in the first line, as in `# coding: latin-1`")
    })
}

/// The encoding that a comment names.
fn named(line: &[u8]) -> Option<String> {
    let line = line.trim_ascii_start();
    let comment = line.starts_with(b"#").then(|| String::from_utf8_lossy(line).into_owned())?;
    let after = comment.split_once("coding").map(|(_, after)| after)?;
    let after = after.strip_prefix([':', '='])?.trim_start_matches([' ', '\t']);
    let is_name = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    let name: String = after.chars().take_while(|c| is_name(*c)).collect();
    (!name.is_empty()).then_some(name)
}

fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_in_the_encoding_that_it_names() {
        let text = |bytes: &[u8]| decode(bytes);
        assert_eq!(text(b"\xef\xbb\xbfreturn 1"), Ok("return 1".to_owned()));
        assert_eq!(text("x = 'é'".as_bytes()), Ok("x = 'é'".to_owned()));
        assert_eq!(text(b"# -*- coding: latin-1 -*-\nx = '\xe9'").unwrap().lines().nth(1), Some("x = 'é'"));
        assert_eq!(
            text(b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nx = '\x80'").unwrap().lines().nth(2),
            Some("x = '€'")
        );
        assert_eq!(text(b"#coding=ISO_8859_1\n\xe9").unwrap().lines().nth(1), Some("é"));
        // In the third line it is a comment like any other.
        assert!(text(b"\n\n# coding: latin-1\n\xe9").unwrap_err().starts_with("line 4 is not UTF-8"));
        assert!(text(b"# coding: latin-1x\n").unwrap_err().contains("`latin-1x`, which is unknown"));
        assert!(text(b"\xef\xbb\xbf# coding: latin-1\n").unwrap_err().contains("byte order mark"));
    }
}
