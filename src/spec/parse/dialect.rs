//! The keys of `{csv:}` that say how a file is written.

use super::section::{Field, Section};
use crate::model::{CsvDialect, Delimiter, Ragged, StrayQuotes, TableBounds};
use crate::spec::diagnostic::ErrorList;
use crate::spec::keys::{NULS, RAGGED, STRAY_QUOTES};
use crate::spec::rows::Header;
use crate::spec::setting::{Readable, line_count};

/// Reads the dialect of a file whose columns are named like this.
pub(super) fn dialect(header: &Header, section: &mut Section<'_>, errors: &mut ErrorList) -> CsvDialect {
    let taken: Vec<Field<'_>> =
        ["delimiter", "quote", "escape"].into_iter().filter_map(|key| section.take(key)).collect();
    let by_name = |name: &str| taken.iter().find(|field| field.key == name);
    let dialect = CsvDialect {
        delimiter: by_name("delimiter").and_then(|field| delimiter(field, errors)).unwrap_or(Delimiter::Byte(b',')),
        quote: by_name("quote").map_or(Some(b'"'), |field| character(field, errors)),
        escape: by_name("escape").and_then(|field| character(field, errors)),
        stray_quotes: match word(section, "stray_quotes", STRAY_QUOTES, errors) {
            Some("fail") => StrayQuotes::Fail,
            Some("literal") => StrayQuotes::Literal,
            _ => StrayQuotes::Python,
        },
        ragged: match word(section, "ragged", RAGGED, errors) {
            Some("pad") => Ragged::Pad,
            Some("truncate") => Ragged::Truncate,
            Some("fill") => Ragged::Fill,
            _ => Ragged::Fail,
        },
        trailing_delimiter: flag(section, "trailing_delimiter", errors),
        trim: flag(section, "trim", errors),
        drop_nul: word(section, "nul", NULS, errors) == Some("drop"),
        bounds: bounds(header, section, errors),
    };
    let text = dialect.delimiter.text();
    for (field, character) in [(by_name("quote"), dialect.quote), (by_name("escape"), dialect.escape)] {
        if let (Some(field), Some(character)) = (field.or(by_name("delimiter")), character)
            && text.contains(&character)
        {
            errors.push(field.error("requires different characters for `quote`, `escape` and `delimiter`"));
        }
    }
    if let (Some(field), true) = (by_name("escape"), dialect.escape.is_some() && dialect.escape == dialect.quote) {
        let error = field.error("is the quote character");
        errors.push(error.help("remove it; two quote characters inside quotes are one without it"));
    }
    dialect
}

fn bounds(header: &Header, section: &mut Section<'_>, errors: &mut ErrorList) -> TableBounds {
    let bounds = TableBounds {
        skip_lines: lines(section, "skip_lines", errors).unwrap_or(0),
        skip_footer: lines(section, "skip_footer", errors).unwrap_or(0),
        comment: section.take("comment").and_then(|field| comment(&field, errors)),
        ..TableBounds::default()
    };
    if *header != Header::First {
        for field in ["header_lines", "skip_after_header"].into_iter().filter_map(|key| section.take(key)) {
            let error = field.error("requires a header in the file");
            errors.push(error.help("remove it, or remove `header`; `skip_lines` skips lines at the beginning"));
        }
        return bounds;
    }
    let header_lines = section.take("header_lines").and_then(|field| {
        let count = field.with(line_count, errors)?;
        if count == 0 {
            errors.push(field.error("must be at least 1").help("for a file without a header, set `header: false`"));
        }
        Some(count.max(1))
    });
    TableBounds {
        header_lines: header_lines.unwrap_or(1),
        skip_after_header: lines(section, "skip_after_header", errors).unwrap_or(0),
        ..bounds
    }
}

fn word(section: &mut Section<'_>, name: &str, words: &[&'static str], errors: &mut ErrorList) -> Option<&'static str> {
    section.take(name).and_then(|field| field.one_of(words, errors))
}

fn flag(section: &mut Section<'_>, name: &str, errors: &mut ErrorList) -> bool {
    section.take(name).and_then(|field| field.with(Readable::read, errors)).unwrap_or(false)
}

fn lines(section: &mut Section<'_>, name: &str, errors: &mut ErrorList) -> Option<u32> {
    section.take(name).and_then(|field| field.with(line_count, errors))
}

/// Characters without a line break, or a word that stands for some.
fn delimiter(field: &Field<'_>, errors: &mut ErrorList) -> Option<Delimiter> {
    const LONGEST: usize = 16;
    let text = field.text(errors)?.raw;
    match text.as_str() {
        "tab" => Some(Delimiter::Byte(b'\t')),
        "whitespace" => Some(Delimiter::Whitespace),
        one if one.len() == 1 && !is_line_break(one) => Some(Delimiter::Byte(one.as_bytes()[0])),
        more if !more.is_empty() && more.len() <= LONGEST && !is_line_break(more) => Some(Delimiter::Text(text)),
        _ => {
            let expected = format!("the characters between two fields, up to {LONGEST} bytes, `tab` or `whitespace`");
            errors.push(field.expected(&expected).help("for example `delimiter: ';'`"));
            None
        }
    }
}

/// One ASCII character.
fn character(field: &Field<'_>, errors: &mut ErrorList) -> Option<u8> {
    match field.text(errors)?.raw.as_str() {
        "none" => None,
        one if one.len() == 1 && !is_line_break(one) => Some(one.as_bytes()[0]),
        _ => {
            errors.push(field.expected("one ASCII character, or `none`"));
            None
        }
    }
}

fn comment(field: &Field<'_>, errors: &mut ErrorList) -> Option<String> {
    let text = field.literal(errors)?.raw;
    if is_line_break(&text) {
        errors.push(field.error("must not contain a line break"));
        return None;
    }
    Some(text)
}

fn is_line_break(text: &str) -> bool {
    text.contains(['\n', '\r'])
}
