//! What is found in small files of each kind, that clean ones are left alone, and that nothing panics.

use super::{Finding, FoundHeader, Hints, Sample, sniff};
use crate::model::{CsvDialect, Delimiter, Ragged, StrayQuotes};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use std::fmt::Write;

fn find(text: &str) -> Finding {
    sniff(&Sample { text: text.as_bytes(), whole: true }, &Hints::default())
}

/// What differs from a plain file with a header.
fn summary(finding: &Finding) -> String {
    let mut text = match &finding.dialect.delimiter {
        Delimiter::Byte(byte) => char::from(*byte).escape_default().to_string(),
        Delimiter::Text(text) => format!("`{text}`"),
        Delimiter::Whitespace => "blanks".to_owned(),
    };
    let plain = CsvDialect::default();
    let dialect = &finding.dialect;
    if dialect.quote != plain.quote {
        write!(text, " quote {:?}", dialect.quote.map(char::from)).unwrap();
    }
    if let Some(escape) = dialect.escape {
        write!(text, " escape {:?}", char::from(escape)).unwrap();
    }
    let bounds = &dialect.bounds;
    let words = [
        (dialect.stray_quotes == StrayQuotes::Literal, "literal"),
        (dialect.ragged == Ragged::Pad, "pad"),
        (dialect.ragged == Ragged::Truncate, "truncate"),
        (dialect.trailing_delimiter, "trailing"),
        (dialect.trim, "trim"),
        (dialect.drop_nul, "nul"),
    ];
    words.iter().filter(|(is, _)| *is).for_each(|(_, word)| write!(text, " {word}").unwrap());
    let numbers = [
        (bounds.skip_lines, 0, "skip"),
        (bounds.header_lines, 1, "lines"),
        (bounds.skip_after_header, 0, "after"),
        (bounds.skip_footer, 0, "footer"),
    ];
    for (number, usual, word) in numbers {
        if number != usual {
            write!(text, " {word} {number}").unwrap();
        }
    }
    if let Some(comment) = &bounds.comment {
        write!(text, " comment {comment}").unwrap();
    }
    match &finding.header {
        FoundHeader::InFile => {}
        FoundHeader::Missing => text.push_str(" no header"),
        FoundHeader::Named(names) => write!(text, " names {}", names.join("|")).unwrap(),
    }
    text
}

fn of(text: &str) -> String {
    summary(&find(text))
}

#[test]
fn the_delimiter_is_the_one_that_gives_a_table() {
    assert_eq!(of("a,b\n1,2\n3,4\n"), ",");
    assert_eq!(of("a;b\n1,5;2,5\n3,5;4,5\n"), ";");
    assert_eq!(of("1,5;2,5\n3,5;4,5\n"), "; no header");
    assert_eq!(of("a\tb\n1, x\t2\n3\t4, y\n"), "\\t");
    assert_eq!(of("a|b\n\"x|y|z\"|2\n3|4\n"), "|");
    assert_eq!(of("word\nada\ngrace\n"), ",");
    assert_eq!(of("when,at\n2018-01-01 10:00,00:15\n2018-01-02 11:00,00:30\n"), ",");
    assert_eq!(of("a b c\n1 2.5 3\n4 5.5 6\n"), " ");
    assert_eq!(of("  1.0   2.5\n  3.0  44.5\n 12.0   6.5\n"), "blanks no header");
    assert_eq!(of("1::Toy Story (1995)::Comedy\n2::Heat (1995)::Crime\n"), "`::` no header");
    assert_eq!(of("a, b, c\n1, \"x, y\", 3\n4, z, 6\n"), "`, `");
    assert_eq!(of("a,   b, c\n1,   2.5, 3\n4,  10.5, 6\n"), ", trim");
    assert_eq!(of("sep=;\na;b\n1;2\n"), "; skip 1");
    assert_eq!(of("Ada Lovelace\nGrace Hopper\nAlan Turing\n"), ",");
}

#[test]
fn quotes_are_read_as_they_are_meant() {
    assert_eq!(of("a,b\n'x, y',2\n'z',3\n"), ", quote Some('\\'')");
    assert_eq!(of("a,b\n\"say \\\"hi\\\", you\",2\n\"z\",3\n"), ", escape '\\\\'");
    assert_eq!(of("a,b,c\n\"x,2,\"p, q\"\ny,3,\"r\"\nz,4,s\n"), ", literal");
    assert_eq!(of("a\tb\n\"x\t1\ny\"\t2\nz\t3\n\"w\t4\nv\t5\nu\t6\n"), "\\t quote None");
    assert_eq!(of("size,n\n5\" pipe,1\n6\" pipe,2\n"), ",");
    assert_eq!(of("a,b\n\"two\nlines\",1\nx,2\n"), ",");
}

#[test]
fn what_surrounds_a_table_is_left_out() {
    assert_eq!(of("Sales of May\n\ndate,n\n2020-05-01,4\n2020-05-02,5\n"), ", skip 2");
    assert_eq!(of("TITLE,,\n,,\nday,n,m\n2020-05-01,4,1\n2020-05-02,5,2\n"), ", skip 2");
    assert_eq!(of("# made by x\na,b\n1,2\n# more\n3,4\n"), ", comment #");
    assert_eq!(of("#x,y\n1,2\n3,4\n5,6\n"), ",");
    assert_eq!(of("# x y\n1.5 2.5\n3.5 4.5\n"), "  comment # names x|y");
    assert_eq!(of("t,v\n(s),(m/s)\n1,2\n3,4\n5,6\n"), ", after 1");
    assert_eq!(of("a,b\na,b\n1,2\n3,4\n"), ", lines 2");
    assert_eq!(of("day,n,m\n2020-05-01,4,1\n2020-05-02,5,2\n2020-05-03,5,2\nTotal,14,\n"), ", footer 1");
    assert_eq!(of("day,n\n2020-05-01,4\n2020-05-02,5\n2020-05-03,5\n\nSource: us\n"), ", footer 1");
    let two = "day,n\n2020-05-01,4\n2020-05-02,5\n2020-05-03,5\n\nname,size,x\na,1,2\nb,2,3\n";
    assert_eq!(of(two), ", footer 3");
}

#[test]
fn a_header_shows_by_what_stands_below_it() {
    assert_eq!(of("\"\",\"mpg\",\"model\"\n\"1\",21,\"x\"\n\"2\",22.8,\"y\"\n"), ",");
    assert_eq!(of(",a,b\n0,x,y\n1,z,w\n"), ",");
    assert_eq!(of("mpg,cyl\nMazda,21,6\nDatsun,22.8,4\nHornet,21.4,6\n"), ", skip 1 names row_names|mpg|cyl");
    assert_eq!(of("Country,1960,1961,1962\nAruba,1.5,2.5,3.5\nCuba,4.5,6.5,7.5\n"), ",");
    assert_eq!(of("0,1,2\n1.5,2.5,3.5\n4.5,6.5,7.25\n"), ",");
    assert_eq!(of("1,2,3\n4,5,6\n7,8,9\n"), ", no header");
    assert_eq!(of("1,ada\n2,grace\n"), ", no header");
    assert_eq!(of("ada,yes\ngrace,yes\n"), ", no header");
    assert_eq!(of("name,city\nada,london\n"), ",");
    assert_eq!(of("a,,c\n1,2,3\n"), ",");
    let hints = Hints { names: vec!["5".to_owned(), "x".to_owned()], ..Hints::default() };
    let finding = sniff(&Sample { text: b"5,x\n7,x\n8,y\n", whole: true }, &hints);
    assert_eq!(finding.header, FoundHeader::InFile);
}

#[test]
fn records_that_do_not_fit_are_mended() {
    assert_eq!(of("a,b,c\n1,2,3\n4,5\n6,7,8\n9,1,2\n"), ", pad");
    assert_eq!(of("a,b,c\n1,2,3\n4,5,6,\n6,7,8\n9,1,2\n"), ", truncate");
    assert_eq!(of("a,b\n1,2,\n3,4,\n"), ", trailing");
    assert_eq!(of("a,b,\n1,2,\n3,4,\n"), ", trailing");
    assert_eq!(of("1,2,\n3,4,\n5,6,\n"), ", no header");
    assert_eq!(of(",x,y\n1,2\n3,4\n5,6\n"), ", skip 1 names x|y");
    assert_eq!(of("x y z\n1,2,3\n4,5,6\n7,8,9\n"), ", skip 1 names x|y|z");
    assert_eq!(of("a,b\n1,2\0\n3,4\n"), ", nul");
}

#[test]
fn words_for_missing_values_are_those_of_typed_columns() {
    assert_eq!(find("a,b\n1,x\nNA,-\n3,?\n").null, ["NA"]);
    assert_eq!(find("a,b\n1,2020-01-01\n?,\\N\n3,2020-01-02\n").null, ["?", "\\N"]);
    assert!(find("a,b\nx,y\nNA,z\n").null.is_empty());
}

#[test]
fn reasons_name_key_and_line() {
    let finding = find("Sales\nday,n\n2020-05-01,4\n2020-05-02,5,6\n2020-05-03,5\n2020-05-04,5\n");
    let reasons: Vec<String> = finding.reasons.iter().map(|reason| format!("{}: {reason}", reason.key())).collect();
    let expected = [
        "skip_lines: line 1 comes before the table",
        "header: the values of `day` are of another type than its name",
        "ragged: line 4 has too many fields",
    ];
    assert_eq!(reasons, expected);
}

/// A cell of a clean table.
fn cell(kind: u8, number: u32) -> String {
    match kind % 6 {
        0 => number.to_string(),
        1 => format!("{}.5", number % 1000),
        2 => format!("2020-{:02}-{:02}", number % 12 + 1, number % 28 + 1),
        3 => format!("word{}, \"and\" more", number % 7),
        4 => ["red", "green", "blue"][number as usize % 3].to_owned(),
        _ => format!("AB-{:04}", number % 10_000),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_panics_and_the_same_bytes_give_the_same_finding(text in prop::collection::vec(any::<u8>(), 0..400), whole: bool) {
        let sample = Sample { text: &text, whole };
        assert_eq!(sniff(&sample, &Hints::default()), sniff(&sample, &Hints::default()));
    }

    #[test]
    fn nothing_panics_on_what_looks_like_csv(text in "([a1.,;\t\"'\\\\ #:\r\n\0|-]|\"\"|,\"|\"\n|\r\n|NA){0,200}", whole: bool) {
        let finding = sniff(&Sample { text: text.as_bytes(), whole }, &Hints::default());
        assert!((0.0..=1.0).contains(&finding.confidence));
    }

    #[test]
    fn a_clean_file_is_not_mended(
        kinds in prop::collection::vec(0_u8..6, 2..7),
        numbers in prop::collection::vec(any::<u32>(), 40),
        delimiter in prop::sample::select(vec![",", ";", "\t", "|"]),
        end in prop::sample::select(vec!["\n", "\r\n"]),
    ) {
        let kinds: Vec<u8> = std::iter::once(0).chain(kinds).collect();
        let names: Vec<String> = (0..kinds.len()).map(|at| format!("col{}", ["a", "b", "c", "d", "e", "f", "g"][at])).collect();
        let mut text = names.join(delimiter) + end;
        for (at, _) in numbers.iter().enumerate().take(numbers.len() / 4) {
            let values = kinds.iter().enumerate().map(|(column, kind)| cell(*kind, numbers[(at * 4 + column) % numbers.len()]));
            let cells: Vec<String> = values.map(|value| match value.contains(['"', ',']) {
                true => format!("\"{}\"", value.replace('"', "\"\"")),
                false => value,
            }).collect();
            text.push_str(&(cells.join(delimiter) + end));
        }
        let finding = find(&text);
        assert_eq!(summary(&finding), delimiter.escape_default().to_string(), "{text}");
        assert_eq!(finding.columns, kinds.len());
    }
}
