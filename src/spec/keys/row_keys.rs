//! The keys that say how rows of files and databases are read.

use super::key::{KeyGroup, KeyType, is, key, words};
use super::words::{COMPRESSIONS, DIALECTS, NAMES, NANS, NULS, ON_SCHEMA_DRIFT, RAGGED, STRAY_QUOTES};

/// The options of `csv`, `jsonl` and `parquet`.
pub static ROWS: KeyGroup = KeyGroup {
    name: "rows",
    doc: "How to read the rows of files",
    keys: &[
        key("columns", KeyType::Columns, words("all"), "Columns to keep, in this order"),
        key("types", KeyType::Types, words("text"), "Types of columns by name, or `infer`"),
        key("dialect", KeyType::OneOf(DIALECTS), None, "`auto` finds out how each file is written"),
        key("delimiter", KeyType::Delimiter, is(","), "What separates two fields: characters, `tab`, or `whitespace`"),
        key("quote", KeyType::Character("none"), is("\""), "Character around fields; `none` if there is none"),
        key("escape", KeyType::Character("none"), is("none"), "Character that makes the next one ordinary text"),
        key(
            "stray_quotes",
            KeyType::OneOf(STRAY_QUOTES),
            is("python"),
            "What to do with quotes that neither open nor close a field",
        ),
        key("ragged", KeyType::OneOf(RAGGED), is("fail"), "What to do with rows that have too few or too many fields"),
        key(
            "trailing_delimiter",
            KeyType::PlainBool,
            is("false"),
            "Whether each line ends with a delimiter that begins no field",
        ),
        key("trim", KeyType::PlainBool, is("false"), "Drop blanks around values, except inside quotes"),
        key("nul", KeyType::OneOf(NULS), is("keep"), "What to do with NUL bytes"),
        key("skip_lines", KeyType::Lines, is("0"), "Number of lines to skip at the beginning of each file"),
        key("header", KeyType::Header, is("true"), "Whether the first record has the column names, or a list of names"),
        key("header_lines", KeyType::PlainCount, is("1"), "Number of records that make up the header"),
        key("skip_after_header", KeyType::Lines, is("0"), "Number of lines to skip after the header"),
        key("skip_footer", KeyType::Lines, is("0"), "Number of records to skip at the end of each file"),
        key("comment", KeyType::Word, None, "What lines begin with that are comments"),
        key("names", KeyType::OneOf(NAMES), is("repair"), "What to do with empty and repeated column names"),
        key("encoding", KeyType::Word, is("utf-8"), "Encoding of the files, for example `windows-1252`"),
        key("null", KeyType::TextOrTexts, None, "Strings that mean null"),
        key("decimal", KeyType::Mark, is("."), "Character before the fraction of a number"),
        key("thousands", KeyType::Mark, None, "Character between groups of digits"),
        key("nan", KeyType::OneOf(NANS), is("fail"), "What to do with NaN and infinities"),
        key("dates", KeyType::DateFormats, None, "`strftime` formats of columns with dates, by name"),
        key("true_values", KeyType::TextOrTexts, None, "Strings that mean `true`, besides `true`"),
        key("false_values", KeyType::TextOrTexts, None, "Strings that mean `false`, besides `false`"),
        key(
            "compression",
            KeyType::OneOf(COMPRESSIONS),
            is("auto"),
            "Compression of the files; `auto` goes by content",
        ),
        key("where_from", KeyType::Word, None, "Name of a column to add for the path of the file"),
        key("partitions", KeyType::PlainBool, is("false"), "Whether `name=value` in paths are columns"),
        key("limit", KeyType::Count, None, "Maximum number of rows"),
        key("skip", KeyType::Integer, is("0"), "Number of rows to skip"),
        key("on_bad_row", KeyType::OnBadRow, is("fail"), "What to do with rows that cannot be read"),
        key(
            "on_schema_drift",
            KeyType::OneOf(ON_SCHEMA_DRIFT),
            is("error"),
            "What to do if files have different columns",
        ),
    ],
};

/// `on_bad_row` as a mapping.
pub static SAVED_ROWS: KeyGroup = KeyGroup {
    name: "on_bad_row",
    doc: "A file for the rows that cannot be read; they are skipped",
    keys: &[key("save", KeyType::Text, None, "File for the rows, which ends in `.csv` or `.jsonl`")],
};

/// The options of `sql`.
pub static SQL: KeyGroup = KeyGroup {
    name: "sql",
    doc: "The database of a query",
    keys: &[
        key("url", KeyType::Text, None, "Database: `sqlite:///PATH` or `postgresql://..`"),
        key("params", KeyType::List, None, "Values for the placeholders of the query"),
        key("limit", KeyType::Count, None, "Maximum number of rows"),
    ],
};
