//! The keys of a source that say how its files are written.

use crate::model::{CsvDialect, Delimiter, Ragged, StrayQuotes};
use serde_json::{Value, json};

/// The keys whose values differ from their defaults, but for the header. `names` are those of the columns, if the files do not
/// give them.
pub fn dialect_settings(dialect: &CsvDialect, names: Option<&[String]>) -> Vec<(&'static str, Value)> {
    let bounds = &dialect.bounds;
    let character = |byte: u8| char::from(byte).to_string();
    let number = |count: u32| (count > 0).then(|| json!(count));
    let flag = |is: bool| is.then(|| json!(true));
    let stray_quotes = match dialect.stray_quotes {
        StrayQuotes::Python => None,
        StrayQuotes::Fail => Some("fail"),
        StrayQuotes::Literal => Some("literal"),
    };
    let ragged = match dialect.ragged {
        Ragged::Fail => None,
        Ragged::Pad => Some("pad"),
        Ragged::Truncate => Some("truncate"),
        Ragged::Fill => Some("fill"),
    };
    let quote = dialect.quote.map_or("none".to_owned(), character);
    let all = [
        ("skip_lines", number(bounds.skip_lines)),
        ("comment", bounds.comment.as_ref().map(|comment| json!(comment))),
        ("delimiter", delimiter(&dialect.delimiter)),
        ("quote", (dialect.quote != Some(b'"')).then(|| json!(quote))),
        ("escape", dialect.escape.map(|escape| json!(character(escape)))),
        ("stray_quotes", stray_quotes.map(|word| json!(word))),
        ("header", names.map(|names| json!(names))),
        ("header_lines", number(bounds.header_lines).filter(|count| names.is_none() && *count != json!(1))),
        ("skip_after_header", number(bounds.skip_after_header)),
        ("trailing_delimiter", flag(dialect.trailing_delimiter)),
        ("ragged", ragged.map(|word| json!(word))),
        ("trim", flag(dialect.trim)),
        ("nul", dialect.drop_nul.then(|| json!("drop"))),
        ("skip_footer", number(bounds.skip_footer)),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

fn delimiter(delimiter: &Delimiter) -> Option<Value> {
    match delimiter {
        Delimiter::Byte(b',') => None,
        Delimiter::Byte(b'\t') => Some(json!("tab")),
        Delimiter::Byte(byte) => Some(json!(char::from(*byte).to_string())),
        Delimiter::Text(text) => Some(json!(text)),
        Delimiter::Whitespace => Some(json!("whitespace")),
    }
}
