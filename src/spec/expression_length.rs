//! Where an expression of a template ends.

use super::dialect::Delimiters;

/// The length of an expression with its delimiters. Strings and braces in it are passed as a whole.
pub(super) fn expression_length(line: &[u8], delimiters: Delimiters) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, delimiters.open.len());
    while at < line.len() {
        match line[at] {
            quote @ (b'"' | b'\'') => at = string_end(line, at, quote)?,
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            _ if depth == 0 && line[at..].starts_with(delimiters.close.as_bytes()) => {
                return Some(at + delimiters.close.len());
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn string_end(line: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut at = start + 1;
    while at < line.len() {
        match line[at] {
            b'\\' => at += 1,
            byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}
