//! Which files, and how each is opened.

use crate::model::ItemKey;
use crate::plan::SourceError;
use crate::rows::Cutter;
use crate::spec::{Compression, RowFormat, RowsSpec};
use crate::template::{ItemScope, Template};
use encoding_rs_io::DecodeReaderBytesBuilder;
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
        let mut decode = DecodeReaderBytesBuilder::new();
        Ok(Box::new(decode.encoding(Some(spec.encoding)).bom_override(true).build(plain)))
    }

    /// What cuts it into records.
    pub(super) fn cutter(&self, spec: &RowsSpec) -> io::Result<Cutter> {
        let quote = spec.quote.filter(|_| spec.format == RowFormat::Csv);
        Ok(Cutter::new(self.open(spec)?, quote, spec.delimiter))
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
