//! Which files, and how each is opened.

use crate::model::ItemKey;
use crate::plan::SourceError;
use crate::rows::Cutter;
use crate::spec::{Compression, RowFormat, RowsSpec};
use crate::template::{ItemScope, Template};
use encoding_rs::{Decoder, DecoderResult};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of rows.
pub(super) struct RowFile {
    pub(super) path: PathBuf,
    /// As messages and `where_from` show it.
    pub(super) name: Arc<str>,
    /// What its rows are known by, besides their numbers: path, size and time of change.
    pub(super) key: ItemKey,
}

/// The files that a workflow names, those of a pattern sorted, none twice.
pub(super) fn expand(spec: &RowsSpec, scope: &Arc<ItemScope>) -> Result<Vec<RowFile>, SourceError> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for text in &spec.paths {
        let path = Template::compile(text)?.string(scope)?;
        // A file that is there is meant, whatever letters its name has.
        if Path::new(&path).exists() || !path.contains(['*', '?', '[']) {
            paths.push(PathBuf::from(path));
            continue;
        }
        paths.extend(super::super::glob::matching(&path)?);
    }
    let mut seen = std::collections::HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    Ok(paths.into_iter().map(RowFile::new).collect())
}

impl RowFile {
    fn new(path: PathBuf) -> Self {
        let name: Arc<str> = path.display().to_string().into();
        let key = match path.metadata() {
            Ok(data) => {
                let changed = i128::from(data.mtime()) * 1_000_000_000 + i128::from(data.mtime_nsec());
                ItemKey::of_file(name.as_bytes(), data.len(), changed)
            }
            Err(_) => ItemKey::of(name.as_bytes()),
        };
        Self { path, name, key }
    }

    /// The file as UTF-8 text, without a byte order mark.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub(super) fn open(&self, spec: &RowsSpec) -> io::Result<Box<dyn Read + Send>> {
        let file = File::open(&self.path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::other("it is a folder"));
        }
        let plain: Box<dyn Read + Send> = match self.compression(spec.compression) {
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(file)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
            Compression::Plain | Compression::ByName => Box::new(file),
        };
        if spec.encoding == encoding_rs::UTF_8 {
            return Ok(Box::new(WithoutMark::new(plain)?));
        }
        Ok(Box::new(Decoded::new(plain, spec.encoding.new_decoder())))
    }

    /// What cuts it into records.
    pub(super) fn cutter(&self, spec: &RowsSpec) -> io::Result<Cutter> {
        let text = self.open(spec)?;
        Ok(match spec.format {
            RowFormat::Csv => Cutter::of_csv(text, spec.quote, spec.delimiter),
            RowFormat::JsonLines => Cutter::of_lines(text),
        })
    }

    fn compression(&self, given: Compression) -> Compression {
        let ending = self.path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match (given, ending.to_ascii_lowercase().as_str()) {
            (Compression::ByName, "gz" | "gzip") => Compression::Gzip,
            (Compression::ByName, "zst" | "zstd") => Compression::Zstd,
            (given, _) => given,
        }
    }
}

/// A stream without the byte order mark that it may begin with. What is not UTF-8 in it stays, for the row to fail.
struct WithoutMark<R> {
    inner: R,
    head: Vec<u8>,
}

impl<R: Read> WithoutMark<R> {
    fn new(mut inner: R) -> io::Result<Self> {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        let mut head = Vec::with_capacity(MARK.len());
        inner.by_ref().take(MARK.len() as u64).read_to_end(&mut head)?;
        if head == MARK {
            head.clear();
        }
        Ok(Self { inner, head })
    }
}

impl<R: Read> Read for WithoutMark<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.head.is_empty() {
            return self.inner.read(buffer);
        }
        let count = self.head.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.head[..count]);
        self.head.drain(..count);
        Ok(count)
    }
}

/// A stream of another encoding as UTF-8, without a byte order mark. What its encoding does not know becomes a byte that is
/// not UTF-8, for the row to fail.
struct Decoded<R> {
    inner: R,
    decoder: Decoder,
    /// What was read, and how much of it is used up.
    raw: Vec<u8>,
    used: usize,
    /// What was decoded, and how much of it was given out.
    text: Vec<u8>,
    given: usize,
    ended: bool,
    /// Whether the decoder has given its last.
    done: bool,
}

impl<R: Read> Decoded<R> {
    const ROOM: usize = 64 << 10;

    fn new(inner: R, decoder: Decoder) -> Self {
        Self { inner, decoder, raw: Vec::new(), used: 0, text: Vec::new(), given: 0, ended: false, done: false }
    }

    /// Decodes more; false at the end.
    fn decode(&mut self) -> io::Result<bool> {
        if self.done {
            return Ok(false);
        }
        if self.used == self.raw.len() && !self.ended {
            self.raw.resize(Self::ROOM, 0);
            let read = self.inner.read(&mut self.raw);
            self.raw.truncate(*read.as_ref().unwrap_or(&0));
            self.ended = read? == 0;
            self.used = 0;
        }
        self.text.resize(Self::ROOM, 0);
        let (result, used, written) =
            self.decoder.decode_to_utf8_without_replacement(&self.raw[self.used..], &mut self.text, self.ended);
        self.text.truncate(written);
        (self.used, self.given) = (self.used + used, 0);
        match result {
            DecoderResult::InputEmpty => self.done = self.ended,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => self.text.push(0xFF),
        }
        Ok(true)
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            if !self.decode()? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.text.len() - self.given);
        buffer[..count].copy_from_slice(&self.text[self.given..][..count]);
        self.given += count;
        Ok(count)
    }
}
