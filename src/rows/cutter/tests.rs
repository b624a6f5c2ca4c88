use super::*;
use crate::model::CsvDialect;
use crate::rows::reading::ColumnsFrom;

fn plain(quote: Option<u8>) -> CsvReading {
    CsvReading { dialect: CsvDialect::plain(b',', quote), columns: ColumnsFrom::Header, alike: false }
}

/// Gives one byte at a time.
struct Drops(std::vec::IntoIter<u8>);

impl Read for Drops {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.next().map_or(0, |byte| {
            buffer[0] = byte;
            1
        }))
    }
}

fn records(text: &str, most: usize) -> Vec<(u64, Vec<String>)> {
    let mut cutter = Cutter::of_csv(Box::new(Drops(text.as_bytes().to_vec().into_iter())), &plain(Some(b'"')));
    let mut all = Vec::new();
    loop {
        let cut = cutter.cut(most).unwrap();
        if cut.items.is_empty() {
            return all;
        }
        all.push((cut.line, cut.items.iter().map(|it| String::from_utf8(it.to_vec()).unwrap()).collect()));
    }
}

#[test]
fn records_are_cut_at_line_breaks_outside_quotes() {
    let text = "a,b\n\"x\ny\",1\r\n5\" pipe,\"say \"\"hi\"\"\"\n\n\r\nlast,";
    let expected = [
        (1, vec!["a,b\n".to_owned(), "\"x\ny\",1\r\n".to_owned()]),
        (4, vec!["5\" pipe,\"say \"\"hi\"\"\"\n".to_owned()]),
        (7, vec!["last,".to_owned()]),
    ];
    assert_eq!(records(text, 2), expected);
    let one_by_one: Vec<u64> = records(text, 1).into_iter().map(|(line, _)| line).collect();
    assert_eq!(one_by_one, [1, 2, 4, 7]);
}

#[test]
fn a_quote_that_is_never_closed_is_an_error_behind_what_is_whole() {
    let text = b"a\n\"b\nc\n";
    let mut cutter = Cutter::of_csv(Box::new(&text[..]), &plain(Some(b'"')));
    assert_eq!(cutter.cut(9).unwrap().items.len(), 1);
    assert!(cutter.cut(9).unwrap_err().to_string().contains("line 2"));
    assert!(cutter.cut(9).unwrap().items.is_empty());
}

#[test]
fn any_line_break_ends_a_record() {
    let expected =
        [(1, vec!["a\r".to_owned(), "\"b\rc\"\r".to_owned(), "d\r\n".to_owned()]), (5, vec!["e\r".to_owned()])];
    assert_eq!(records("a\r\"b\rc\"\rd\r\ne\r", 3), expected);
}

#[test]
fn an_error_of_the_input_comes_behind_what_is_whole_and_once() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    let mut cutter = Cutter::of_lines(Box::new(b"a\nb\nhal".chain(Fails)));
    assert_eq!(cutter.cut(1).unwrap().items.len(), 1);
    assert_eq!(cutter.cut(9).unwrap().items.len(), 1);
    assert_eq!(cutter.cut(9).unwrap_err().to_string(), "gone");
}

#[test]
fn nothing_has_no_records() {
    assert!(records("", 3).is_empty() && records("\n\r\n", 3).is_empty());
}

/// A record, and the line at which it begins.
type Placed = (u64, Vec<u8>);

/// All records by blocks, each with its line; the error that ended them.
fn blocks(input: Box<dyn Read + Send>, quote: Option<u8>) -> (Vec<Placed>, Option<String>, u64) {
    let mut cutter = Cutter::of_csv(input, &plain(quote));
    let mut all = Vec::new();
    loop {
        match cutter.block() {
            Ok(Some(block)) => {
                all.extend(block.records().map(|(begin, record)| (block.line_at(begin), record.to_vec())));
            }
            Ok(None) => return (all, None, cutter.taken()),
            Err(error) => return (all, Some(error.to_string()), cutter.taken()),
        }
    }
}

#[test]
fn blocks_hold_the_records_that_cuts_hold() {
    let texts = [
        "a,b\n\"x\ny\",1\r\n\n5\" pipe,2\nlast,",
        "a,b\r\n1,2\r\n\r\n3,4\r\n",
        "a\rb\r\rc\r",
        "a\nb\r\nc\rd\r\r\ne",
        "\"a\rb\"\r\"c\"\"\r\n\"\r\n\r",
        "a\n\"b\n\"\n\"c\n",
        "\"a",
        "\r",
        "",
    ];
    for (text, quote) in texts.into_iter().flat_map(|text| [(text, Some(b'"')), (text, None)]) {
        let mut cutter = Cutter::of_csv(Box::new(text.as_bytes()), &plain(quote));
        let mut expected = Vec::new();
        let ended = loop {
            match cutter.cut(1) {
                Ok(cut) if cut.items.is_empty() => break None,
                Ok(cut) => expected.push((cut.line, cut.items.get(0).to_vec())),
                Err(error) => break Some(error.to_string()),
            }
        };
        let drops = Drops(text.as_bytes().to_vec().into_iter());
        for input in [Box::new(text.as_bytes()) as Box<dyn Read + Send>, Box::new(drops)] {
            let (mut all, error, taken) = blocks(input, quote);
            all.retain(|(_, record)| !is_blank(record));
            assert_eq!((&all, &error, taken), (&expected, &ended, text.len() as u64), "{text:?}");
        }
    }
}
