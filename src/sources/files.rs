//! Files of rows: which there are, and how each is opened.

mod decoded;

use super::SourceError;
use super::glob::matching;
use crate::model::ItemKey;
use crate::rows::Cutter;
use crate::spec::{Compression, RowFormat, RowsSpec};
use decoded::Decoded;
use encoding_rs::{Encoding, UTF_8};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What reads of files come to, in bytes as they are on the disk.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<AtomicU64>);

impl Meter {
    /// How much was read.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A file whose reads are counted.
struct Metered {
    file: File,
    meter: Meter,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.meter.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// A file of rows.
#[derive(Debug, Clone)]
pub struct RowFile {
    pub(crate) path: PathBuf,
    /// As messages and `where_from` show it.
    pub(crate) name: Arc<str>,
    /// What its rows are known by, besides their numbers: path, size and time of change.
    pub(crate) key: ItemKey,
    /// Bytes on the disk; 0 where it is not there.
    pub(crate) size: u64,
}

/// The files that these paths and patterns name, those of a pattern sorted, none twice.
pub(crate) fn expand(named: impl IntoIterator<Item = String>) -> Result<Vec<RowFile>, SourceError> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for path in named {
        // A file that is there is meant, whatever letters its name has.
        if Path::new(&path).exists() || !path.contains(['*', '?', '[']) {
            paths.push(PathBuf::from(path));
            continue;
        }
        paths.extend(matching(&path)?);
    }
    let mut seen = std::collections::HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    Ok(paths.into_iter().map(RowFile::new).collect())
}

impl RowFile {
    fn new(path: PathBuf) -> Self {
        let name: Arc<str> = path.display().to_string().into();
        let data = path.metadata().ok();
        let key = match &data {
            Some(data) => {
                let changed = i128::from(data.mtime()) * 1_000_000_000 + i128::from(data.mtime_nsec());
                ItemKey::of_file(name.as_bytes(), data.len(), changed)
            }
            None => ItemKey::of(name.as_bytes()),
        };
        let size = data.filter(std::fs::Metadata::is_file).map_or(0, |data| data.len());
        Self { path, name, key, size }
    }

    /// The bytes of the file, taken out of its compression.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub(crate) fn bytes(&self, given: Compression, meter: &Meter) -> io::Result<Box<dyn Read + Send>> {
        let file = File::open(&self.path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::other("it is a folder"));
        }
        let file = Metered { file, meter: meter.clone() };
        Ok(match self.compression(given) {
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(file)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
            Compression::Plain | Compression::ByName => Box::new(file),
        })
    }

    /// What cuts it into records.
    pub(crate) fn cutter(&self, spec: &RowsSpec, meter: &Meter) -> io::Result<Cutter> {
        let text = decode(self.bytes(spec.compression, meter)?, spec.encoding)?;
        Ok(match spec.format {
            RowFormat::Csv => Cutter::of_csv(text, spec.quote, spec.delimiter),
            RowFormat::JsonLines => Cutter::of_lines(text),
            RowFormat::Parquet => return Err(io::Error::other("a Parquet file has no records of text")),
        })
    }

    /// Whether what is cut are the bytes of the file, one to one.
    pub(crate) fn is_direct(&self, spec: &RowsSpec) -> bool {
        spec.encoding == UTF_8 && self.compression(spec.compression) == Compression::Plain
    }

    /// The compression that it has; never by name.
    pub(crate) fn compression(&self, given: Compression) -> Compression {
        match (given, self.ending().as_str()) {
            (Compression::ByName, "gz" | "gzip") => Compression::Gzip,
            (Compression::ByName, "zst" | "zstd") => Compression::Zstd,
            (Compression::ByName, _) => Compression::Plain,
            (given, _) => given,
        }
    }

    fn ending(&self) -> String {
        self.path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase()
    }

    /// What its name says it holds.
    pub(crate) fn format(&self) -> RowFormat {
        let name = if matches!(self.ending().as_str(), "gz" | "gzip" | "zst" | "zstd") {
            self.path.with_extension("")
        } else {
            self.path.clone()
        };
        let ending = name.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        if matches!(ending.as_str(), "jsonl" | "ndjson") { RowFormat::JsonLines } else { RowFormat::Csv }
    }
}

/// Text of this encoding as UTF-8, without the byte order mark that it may begin with.
pub(crate) fn decode(bytes: Box<dyn Read + Send>, encoding: &'static Encoding) -> io::Result<Box<dyn Read + Send>> {
    if encoding == UTF_8 {
        return Ok(Box::new(WithoutMark::new(bytes)?));
    }
    Ok(Box::new(Decoded::new(bytes, encoding.new_decoder())))
}

/// Why a file cannot be read, for people.
pub(crate) fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut short: the compressed data ends too early".to_owned(),
        _ => error.to_string(),
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
