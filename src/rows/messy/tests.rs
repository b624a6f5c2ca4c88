use super::rewriter::Rewriter;
use crate::model::{CsvDialect, Delimiter, Ragged, StrayQuotes, TableBounds};
use crate::rows::reading::ColumnsFrom;
use std::io::Read;

/// Gives one byte at a time.
struct Drops<'a>(&'a [u8]);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
        buffer[0] = *first;
        self.0 = rest;
        Ok(1)
    }
}

fn rewritten(text: &str, dialect: &CsvDialect, columns: ColumnsFrom) -> String {
    let (mut whole, mut drops) = (String::new(), String::new());
    Rewriter::new(text.as_bytes(), dialect.clone(), columns).read_to_string(&mut whole).unwrap();
    Rewriter::new(Drops(text.as_bytes()), dialect.clone(), columns).read_to_string(&mut drops).unwrap();
    assert_eq!(whole, drops, "however few bytes come at a time");
    whole
}

fn plain() -> CsvDialect {
    CsvDialect::default()
}

fn of(text: &str, dialect: &CsvDialect) -> String {
    rewritten(text, dialect, ColumnsFrom::Header)
}

fn bounds(bounds: TableBounds) -> CsvDialect {
    CsvDialect { bounds, ..plain() }
}

#[test]
fn delimiters_of_several_characters_and_blanks_separate_fields() {
    let text = |delimiter: &str| CsvDialect { delimiter: Delimiter::Text(delimiter.to_owned()), ..plain() };
    assert_eq!(of("a::b\n1:2::\"x::y\"\n::\n", &text("::")), "a,b\n1:2,x::y\n,\n");
    assert_eq!(of("a, b\n\"1\", \"2, 3\"\n", &text(", ")), "a,b\n1,\"2, 3\"\n");
    let blanks = CsvDialect { delimiter: Delimiter::Whitespace, ..plain() };
    assert_eq!(of("  a  b\tc \r\n1 \"x y\"   3\n   \n\"\" 2 3", &blanks), "a,b,c\n1,x y,3\n\n,2,3\n");
}

#[test]
fn an_escape_makes_the_next_character_ordinary() {
    let escape = CsvDialect { escape: Some(b'\\'), ..plain() };
    assert_eq!(of("a,b\n\"say \\\"hi\\\"\",x\\,y\n", &escape), "a,b\n\"say \"\"hi\"\"\",\"x,y\"\n");
    assert_eq!(of("a,b\n\\N,\"\\\\\"\nx\\N,\\", &escape), "a,b\n\\N,\\\nxN,\\\n");
    assert_eq!(of("a,b\nx\\\ny,\"\"\"\"\n", &escape), "a,b\n\"x\ny\",\"\"\"\"\n");
}

#[test]
fn lines_around_the_table_leave_empty_lines_behind() {
    let around = TableBounds {
        skip_lines: 2,
        skip_after_header: 1,
        skip_footer: 1,
        comment: Some("#".to_owned()),
        ..TableBounds::default()
    };
    let text = "Title \"1\n\n# note\na,b\nm,s\n1,2\n# 3,4\n\n5,6\ntotal,8\n";
    assert_eq!(of(text, &bounds(around)), "\n\n\na,b\n\n1,2\n\n\n5,6\n");
}

#[test]
fn a_header_of_several_lines_is_joined() {
    let two = TableBounds { header_lines: 2, ..TableBounds::default() };
    assert_eq!(of("x,\"y\nz\",\nm, s\n1,2,3\n", &bounds(two.clone())), "x m,\"y\nz s\",\n\n1,2,3\n");
    assert_eq!(of("x,y\n", &bounds(two)), "x,y\n");
}

#[test]
fn records_are_fitted_to_the_width_of_the_table() {
    let ragged = |ragged| CsvDialect { ragged, ..plain() };
    let text = "a,b\n1\n1,2\n1,2,3,\"x,y\"\n";
    assert_eq!(of(text, &ragged(Ragged::Pad)), "a,b\n1,\n1,2\n1,2,3,\"x,y\"\n");
    assert_eq!(of(text, &ragged(Ragged::Truncate)), "a,b\n1,\n1,2\n1,2\n");
    assert_eq!(of(text, &ragged(Ragged::Fill)), "a,b,_rest\n1,,\n1,2,\n1,2,\"3,\"\"x,y\"\"\"\n");
    assert_eq!(rewritten("1,2\n3\n", &ragged(Ragged::Pad), ColumnsFrom::FirstRow), "1,2\n3,\n");
    assert_eq!(rewritten("1,2\n3\n", &ragged(Ragged::Pad), ColumnsFrom::Named(3)), "1,2,\n3,,\n");
    let trailing = CsvDialect { trailing_delimiter: true, ..plain() };
    assert_eq!(of("a,b,\n1,2,\n1,\"\"\n3,4\n", &trailing), "a,b\n1,2\n1,\n3,4\n");
}

#[test]
fn stray_quotes_are_text_or_make_the_row_bad() {
    let literal = CsvDialect { stray_quotes: StrayQuotes::Literal, ..plain() };
    let text = "a,b,c\n\"1,2,\"x y\"\n1,\"\"x\",3\n\"say \"hi\" now\",2,3\n1,2,\"\n4,5\" pipe,\"6\"\n\"x\"\",2,\"3\"\n7,8,\"never";
    let expected = "a,b,c\n\"\"\"1\",2,x y\n1,\"\"\"x\",3\n\"say \"\"hi\"\" now\",2,3\n1,2,\"\n4,5\"\" pipe,\"\"6\"\"\"\n\"x\"\"\",2,3\n7,8,\"\"\"never\"\n";
    let expected = expected.replace("1,2,\"\n4,5\"\" pipe,\"\"6\"\"\"\n", "1,2,\"\"\"\"\n4,\"5\"\" pipe\",6\n");
    assert_eq!(of(text, &literal), expected);
    let fail = CsvDialect { stray_quotes: StrayQuotes::Fail, ..plain() };
    let mut bytes = Vec::new();
    let text = "a,b\n1,5\" pipe\n\"x\"y,2\n3,\"4\"\n";
    Rewriter::new(text.as_bytes(), fail, ColumnsFrom::Header).read_to_end(&mut bytes).unwrap();
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    assert_eq!((lines[0], lines[3]), (&b"a,b"[..], &b"3,4"[..]));
    assert!(lines[1].ends_with(b" 2") && lines[2].ends_with(b" 1"));
}

#[test]
fn blanks_and_nul_bytes_are_dropped_on_request() {
    let trim = CsvDialect { trim: true, ..plain() };
    assert_eq!(of(" a , b\n 1 ,\t\" x \" \n  \n", &trim), "a,b\n1, x \n\n");
    let drop_nul = CsvDialect { drop_nul: true, ..plain() };
    assert_eq!(of("a\0,b\n\0\0", &drop_nul), "a,b\n");
}

#[test]
fn a_quote_that_is_never_closed_is_an_error_after_the_rows_before_it() {
    let trim = CsvDialect { trim: true, ..plain() };
    let mut text = Vec::new();
    let error = Rewriter::new(&b"a,b\n1,2\n3,\"4\n5,6\n"[..], trim, ColumnsFrom::Header).read_to_end(&mut text);
    assert_eq!(error.unwrap_err().to_string(), "unclosed quote in the record at line 3");
    assert_eq!(text, b"a,b\n1,2\n");
}

#[test]
fn a_text_that_ends_with_an_escape_inside_quotes_has_an_unclosed_quote() {
    let escape = CsvDialect { escape: Some(b'\\'), ..plain() };
    let error = Rewriter::new(&b"a,b\n3,\"x\\"[..], escape, ColumnsFrom::Header).read_to_end(&mut Vec::new());
    assert_eq!(error.unwrap_err().to_string(), "unclosed quote in the record at line 2");
}

#[test]
fn an_escaped_line_break_of_two_characters_is_one_line() {
    let escape = CsvDialect { escape: Some(b'\\'), ..plain() };
    assert_eq!(of("a,b\r\n1,x\\\r\n2\r\n3,4\r\n", &escape), "a,b\n1,\"x\r\n2\"\n3,4\n");
}

#[test]
fn rows_that_were_held_back_as_a_footer_come_before_an_error() {
    let footer = bounds(TableBounds { skip_footer: 2, ..TableBounds::default() });
    let mut text = Vec::new();
    let error = Rewriter::new(&b"a,b\n1,2\n\"x,3\n"[..], footer, ColumnsFrom::Header).read_to_end(&mut text);
    assert!(error.is_err());
    assert_eq!(text, b"a,b\n1,2\n");
}

#[test]
fn many_quotes_that_are_never_closed_take_time_in_proportion_to_the_file() {
    let literal = CsvDialect { stray_quotes: StrayQuotes::Literal, ..plain() };
    for line in ["\"\"hello\"\",1\n", "\"\"hello,1\n", "\"hello,1\n"] {
        // A minute or more if each quote were looked for to the end of the file.
        let text = format!("a,b\n{}", line.repeat(20_000));
        let mut out = Vec::new();
        Rewriter::new(text.as_bytes(), literal.clone(), ColumnsFrom::Header).read_to_end(&mut out).unwrap();
        assert!(out.len() > text.len() / 2);
    }
}
