//! One file, looked at from its first byte to its last.

use super::coding::{Coding, guess};
use super::shape::{Shape, form, shape};
use crate::model::Kind;
use crate::rows::{Cutter, Inference, JsonKinds, JsonTally, Places, Runs, Tally, kind_name};
use crate::sources::files::{RowFile, decode, describe};
use crate::sources::{Known, Meter, Request};
use crate::spec::{Compression, RowFormat};
use encoding_rs::{Encoding, UTF_8};
use std::io::{self, Read};
use std::sync::Arc;

/// So much of the beginning tells encoding, delimiter and header.
const HEAD: u64 = 128 << 10;

/// What a file holds.
#[derive(Debug, Clone)]
pub struct FileLook {
    /// The file, as it was named.
    pub path: Arc<str>,
    /// Bytes on the disk.
    pub bytes: u64,
    /// What its rows are.
    pub format: RowFormat,
    /// How it is compressed; never by name.
    pub compression: Compression,
    /// The encoding of its text; none where there is no text.
    pub encoding: Option<&'static Encoding>,
    /// Whether it begins with a byte order mark.
    pub mark: bool,
    /// Whether the encoding is a guess.
    pub guessed: bool,
    /// Whether all of it is ASCII, as it stands on the disk: it reads the same in most encodings.
    pub is_ascii: bool,
    /// Between two fields.
    pub delimiter: u8,
    /// Whether the first record is a header.
    pub header: bool,
    /// Its columns, or the names of its mappings.
    pub columns: Vec<SeenColumn>,
    /// Its rows.
    pub runs: Runs,
    /// Rows with another number of fields than it has columns.
    pub ragged: Places,
    /// Rows that are no text of the encoding.
    pub broken: Places,
    /// Lines that are no JSON.
    pub no_json: Places,
    /// Why it cannot be read, or not to its end.
    pub trouble: Option<String>,
    /// Whether that is because its compressed data ends too early.
    pub cut_short: bool,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenColumn {
    /// Its name.
    pub name: String,
    kinds: Kinds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kinds {
    Texts(Inference),
    Json(JsonKinds),
}

impl SeenColumn {
    /// Its type, in the words of workflows; for JSON also `list`, `mapping`, `null` and `mixed`.
    pub fn kind(&self) -> &'static str {
        match self.kinds {
            Kinds::Texts(inference) => kind_name(inference.kind()),
            Kinds::Json(kinds) => kinds.word(),
        }
    }

    /// Whether `types` of a workflow says something about it.
    pub fn is_typed(&self) -> bool {
        matches!(self.kinds, Kinds::Texts(inference) if inference.kind() != Kind::Text)
    }

    /// Widens the type to that of a column of another file.
    pub fn widen(&mut self, other: &Self) {
        match (&mut self.kinds, other.kinds) {
            (Kinds::Texts(one), Kinds::Texts(other)) => *one = one.and(other),
            (Kinds::Json(one), Kinds::Json(other)) => *one = one.and(other),
            _ => {}
        }
    }
}

impl FileLook {
    fn new(file: &RowFile, known: &Known) -> Self {
        Self {
            path: Arc::clone(&file.name),
            bytes: file.size,
            format: known.format.unwrap_or_else(|| file.format()),
            compression: file.compression(known.compression),
            encoding: None,
            mark: false,
            guessed: false,
            is_ascii: true,
            delimiter: known.delimiter.unwrap_or(b','),
            header: false,
            columns: Vec::new(),
            runs: Runs::default(),
            ragged: Places::default(),
            broken: Places::default(),
            no_json: Places::default(),
            trouble: None,
            cut_short: false,
        }
    }

    fn failed(&mut self, error: &io::Error) {
        self.trouble = Some(describe(error));
        self.cut_short = error.kind() == io::ErrorKind::UnexpectedEof;
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.runs.rows()
    }
}

/// Looks at one of the files.
pub fn look(request: &Request, file: usize, meter: &Meter) -> FileLook {
    let (file, known) = (&request.files[file], &request.known);
    let mut look = FileLook::new(file, known);
    match pass(file, known, None, meter, &mut look) {
        Ok(None) => {}
        Ok(Some(other)) => {
            // Its first part was ASCII, and so looked like UTF-8.
            look = FileLook::new(file, known);
            if let Err(error) = pass(file, known, Some(other), meter, &mut look) {
                look.failed(&error);
            }
        }
        Err(error) => look.failed(&error),
    }
    look
}

/// Goes through a file; gives its encoding where it turns out to have another one than its beginning suggests.
fn pass(
    file: &RowFile,
    known: &Known,
    guessed: Option<&'static Encoding>,
    meter: &Meter,
    look: &mut FileLook,
) -> io::Result<Option<&'static Encoding>> {
    let mut begun = Begun::new(file.bytes(known.compression, meter)?);
    if let (Compression::Plain, Some(ending)) = (look.compression, packed(&begun.head)) {
        return Err(io::Error::other(format!("it is compressed, and its name does not end in `{ending}`")));
    }
    let coding = match (guessed, known.encoding) {
        (Some(guessed), _) => Coding::guessed(guessed),
        (None, Some(given)) => Coding::given(given, &begun.head),
        (None, None) => Coding::of(&begun.head),
    };
    if begun.head.is_empty() {
        return begun.error.map_or(Ok(None), Err);
    }
    (look.encoding, look.mark, look.guessed) = (Some(coding.encoding), coding.mark, coding.guessed);
    if look.format == RowFormat::JsonLines {
        return json(Cutter::of_lines(decode(begun.stream(), coding.encoding)?), coding, look);
    }
    let shape = loop {
        // The first record may be longer than the beginning.
        match shape(&begun.sample(coding.encoding)?, known) {
            None if begun.more() => {}
            shape => break shape,
        }
    };
    let text = decode(begun.stream(), coding.encoding)?;
    match shape {
        Some(shape) => {
            (look.delimiter, look.header) = (shape.delimiter, shape.header);
            csv(Cutter::of_csv(text, known.quote, shape.delimiter), (known, shape), coding, look)
        }
        // Either there is nothing, or what is there is no record; then this says why.
        None => {
            let mut cutter = Cutter::of_csv(text, known.quote, look.delimiter);
            while cutter.block()?.is_some() {}
            Ok(None)
        }
    }
}

/// The ending that a file with such a beginning should have.
fn packed(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x1F, 0x8B, ..] => Some(".gz"),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(".zst"),
        _ => None,
    }
}

fn csv(
    mut cutter: Cutter,
    (known, shape): (&Known, Shape),
    coding: Coding,
    look: &mut FileLook,
) -> io::Result<Option<&'static Encoding>> {
    let names = shape.columns.map_err(io::Error::other)?;
    let decoded = coding.encoding != UTF_8;
    let mut tally = Tally::new(form(known, shape.delimiter, shape.fields), shape.header);
    let (mut ended, mut other) = (Ok(()), None);
    loop {
        match cutter.block() {
            Ok(Some(block)) => {
                let may_change = !coding.settled && tally.is_ascii;
                tally.take(block);
                if may_change && !tally.is_ascii && std::str::from_utf8(block.bytes).is_err() {
                    other = guess(block.bytes);
                    if other.is_some() {
                        break;
                    }
                }
            }
            Ok(None) => break,
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
    }
    let column = |(name, texts): (String, &Inference)| SeenColumn { name, kinds: Kinds::Texts(*texts) };
    look.columns = names.into_iter().zip(tally.columns()).map(column).collect();
    (look.runs, look.ragged, look.broken) = (tally.runs, tally.ragged, tally.broken);
    look.is_ascii = tally.is_ascii && !decoded;
    ended.map(|()| other)
}

fn json(mut cutter: Cutter, coding: Coding, look: &mut FileLook) -> io::Result<Option<&'static Encoding>> {
    let mut tally = JsonTally::new();
    let mut ended = Ok(());
    loop {
        match cutter.block() {
            Ok(Some(block)) => tally.take(block),
            Ok(None) => break,
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
    }
    let column = |(name, kinds): &(String, JsonKinds)| SeenColumn { name: name.clone(), kinds: Kinds::Json(*kinds) };
    look.columns = tally.names().iter().map(column).collect();
    (look.runs, look.no_json) = (tally.runs, tally.broken);
    look.is_ascii = tally.is_ascii && coding.encoding == UTF_8;
    ended.map(|()| None)
}

/// A file whose beginning was read.
struct Begun {
    head: Vec<u8>,
    /// What ended the reading of the head, if it was no success.
    error: Option<io::Error>,
    /// Whether nothing follows.
    whole: bool,
    rest: Box<dyn Read + Send>,
}

/// Gives an error once.
struct Fails(Option<io::Error>);

impl Read for Fails {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl Begun {
    fn new(mut rest: Box<dyn Read + Send>) -> Self {
        let mut head = Vec::new();
        let error = rest.by_ref().take(HEAD).read_to_end(&mut head).err();
        let whole = error.is_some() || (head.len() as u64) < HEAD;
        Self { head, error, whole, rest }
    }

    /// Reads on, as far again as before; false where there is nothing more, or where no record is that long.
    fn more(&mut self) -> bool {
        let size = self.head.len() as u64;
        if self.whole || size > Cutter::LONGEST as u64 {
            return false;
        }
        self.error = self.rest.by_ref().take(size).read_to_end(&mut self.head).err();
        self.whole = self.error.is_some() || (self.head.len() as u64) < 2 * size;
        true
    }

    /// The text that it begins with, up to a line break where something follows.
    fn sample(&self, encoding: &'static Encoding) -> io::Result<Arc<[u8]>> {
        let mut text = Vec::new();
        decode(Box::new(io::Cursor::new(self.head.clone())), encoding)?.read_to_end(&mut text)?;
        if !self.whole || self.error.is_some() {
            text.truncate(memchr::memrchr2(b'\n', b'\r', &text).map_or(0, |end| end + 1));
        }
        Ok(text.into())
    }

    /// All of it.
    fn stream(self) -> Box<dyn Read + Send> {
        let head = io::Cursor::new(self.head);
        match self.error {
            Some(error) => Box::new(head.chain(Fails(Some(error)))),
            None => Box::new(head.chain(self.rest)),
        }
    }
}
