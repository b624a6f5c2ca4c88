//! The items of a batch as text for a command, and the lines that it prints as their results.

use crate::model::{Failure, FailureKind, Lines};
use crate::rows::{CsvText, CsvTextError};
use crate::spec::BatchText;
use serde_json::value::RawValue;

impl BatchText {
    /// Why an item, given as JSON, cannot be a line.
    pub(super) fn refuses(self, json: &[u8]) -> Option<Failure> {
        let refuse = |message: &str| {
            let failure = Failure::new(FailureKind::Start, "Stdin", message);
            Some(failure.permanent())
        };
        match self {
            Self::Lines if has_line_break(json) => {
                refuse("the item has a line break, so it is not one line; use `stdin: {batch: jsonl}`")
            }
            Self::Csv if !json.starts_with(b"{") => {
                refuse("`stdin: {batch: csv}` requires items that are mappings; use `jsonl` or `lines`")
            }
            Self::JsonLines | Self::Csv | Self::Lines => None,
        }
    }

    /// Writes items, given as JSON.
    ///
    /// # Errors
    /// If they do not have the same columns.
    pub(super) fn encode(self, items: &[Vec<u8>]) -> Result<Vec<u8>, Failure> {
        let mut text = Vec::new();
        match self {
            Self::JsonLines => items.iter().for_each(|json| push_line(&mut text, json)),
            Self::Lines => items.iter().for_each(|json| push_line(&mut text, &plain(json))),
            Self::Csv => {
                let written = CsvText::write(items);
                text = written
                    .map_err(|CsvTextError(message)| Failure::new(FailureKind::Start, "Stdin", message).permanent())?;
            }
        }
        Ok(text)
    }

    /// Reads the results of `items` items.
    ///
    /// # Errors
    /// If they are not of this form, or not as many.
    pub(super) fn decode(self, printed: &[u8], items: usize) -> Result<Lines, Failure> {
        let mut lines = Lines::default();
        let mut count = 0;
        match self {
            Self::JsonLines => {
                for (at, line) in text_lines(printed).enumerate().filter(|(_, line)| !line.trim_ascii().is_empty()) {
                    let json = serde_json::from_slice::<&RawValue>(line);
                    let json =
                        json.map_err(|error| wrong(format!("line {} of the output is not JSON: {error}", at + 1)))?;
                    lines.push(json.get().as_bytes());
                    count += 1;
                }
            }
            Self::Lines => {
                for line in text_lines(printed) {
                    let text = String::from_utf8_lossy(line);
                    lines.push(serde_json::Value::from(text).to_string().as_bytes());
                    count += 1;
                }
            }
            Self::Csv => {
                let read = CsvText::read(printed);
                for record in
                    read.map_err(|CsvTextError(message)| wrong(format!("the output is not CSV: {message}")))?
                {
                    lines.push(&record);
                    count += 1;
                }
            }
        }
        if count == items {
            return Ok(lines);
        }
        let unit = match (self, count) {
            (Self::Csv, 1) => "record",
            (Self::Csv, _) => "records",
            (_, 1) => "line",
            _ => "lines",
        };
        let plural = if items == 1 { "" } else { "s" };
        Err(wrong(format!("the command printed {count} {unit} for {items} item{plural}")))
    }
}

fn wrong(message: String) -> Failure {
    Failure::new(FailureKind::Exception, "Stdout", message)
}

/// A string as it is, any other value as JSON.
fn plain(json: &[u8]) -> Vec<u8> {
    let string: Option<String> = if json.starts_with(b"\"") { serde_json::from_slice(json).ok() } else { None };
    string.map_or_else(|| json.to_vec(), String::into_bytes)
}

fn has_line_break(json: &[u8]) -> bool {
    json.starts_with(b"\"") && plain(json).iter().any(|byte| matches!(byte, b'\n' | b'\r'))
}

fn push_line(text: &mut Vec<u8>, line: &[u8]) {
    text.extend_from_slice(line);
    text.push(b'\n');
}

/// The lines of a text. The last line break ends the last line.
fn text_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let most = if text.is_empty() { 0 } else { usize::MAX };
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).take(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_line_is_a_result_but_an_empty_text_has_none() {
        let lines = |text: &str, items| BatchText::Lines.decode(text.as_bytes(), items).map(|lines| lines.0);
        assert_eq!(lines("a\n\nb\r\n", 3).unwrap(), b"\"a\"\n\"\"\n\"b\"\n");
        assert_eq!(lines("a\nb", 2).unwrap(), b"\"a\"\n\"b\"\n");
        assert_eq!(lines("", 0).unwrap(), b"");
        assert_eq!(lines("", 1).unwrap_err().message, "the command printed 0 lines for 1 item");
        assert_eq!(lines("\n", 2).unwrap_err().message, "the command printed 1 line for 2 items");
    }
}
