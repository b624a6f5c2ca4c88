//! A file of rows: its path, its key, and how it is opened.

use super::archive::Entry;
use super::compressed::{decompressed, detect, of_extension};
use super::csv_layout::CsvLayout;
use super::decode::decode;
use super::input::{Input, Purpose};
use super::meter::Meter;
use super::reading::reading;
use crate::model::ItemKey;
use crate::rows::{CsvReading, Cutter};
use crate::sources::file_key::{content_key, stat_key};
use crate::spec::{Compression, DialectFrom, RowFormat, RowsSpec};
use crossbeam_channel::Receiver;
use encoding_rs::UTF_8;
use std::convert::Infallible;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A file of rows.
#[derive(Debug, Clone)]
pub(crate) struct RowFile {
    pub(in crate::sources) path: PathBuf,
    /// Its name in messages and in the column of `where_from`.
    pub(crate) name: Arc<str>,
    /// The part of the key that its rows share: the hash of its path, size and modification time, or of its content.
    pub(in crate::sources) key: ItemKey,
    /// Size on disk in bytes; 0 for a stream or a missing file.
    pub(crate) size: u64,
    pub(in crate::sources) input: Input,
    /// How it is compressed, once it was opened with `compression: auto`.
    found: Arc<OnceLock<Compression>>,
    /// How it is laid out, once its beginning was looked at.
    layout: Arc<OnceLock<CsvLayout>>,
}

impl RowFile {
    pub(super) fn new(path: PathBuf, stop: &Receiver<Infallible>) -> Self {
        let name: Arc<str> = path.display().to_string().into();
        let bytes = path.as_os_str().as_encoded_bytes();
        let metadata = path.metadata().ok();
        let input = Input::of(&path, metadata.as_ref(), stop);
        let (key, size) = match metadata {
            Some(metadata) if !input.is_stream() => (stat_key(bytes, &metadata), metadata.len()),
            // The content of a stream cannot be compared with another.
            _ => (ItemKey::of(bytes), 0),
        };
        let size = if matches!(input, Input::File(_)) { size } else { 0 };
        Self { path, name, key, size, input, found: Arc::default(), layout: Arc::default() }
    }

    /// A member of an archive. Its rows are known by its name, size and checksum, so they stay known if the archive is made anew.
    pub(super) fn of_archive(archive: &Path, entry: Entry) -> Self {
        let path = PathBuf::from(format!("{}/{}", archive.display(), entry.name));
        let bytes = path.as_os_str().as_encoded_bytes();
        let (key, size, input) = match entry.member {
            Ok(member) => {
                let key = ItemKey::of_file(bytes, member.size, i128::from(member.checksum));
                (key, member.packed, Input::Member(member))
            }
            Err(why) => (ItemKey::of(bytes), 0, Input::Refused(why.into())),
        };
        let name = path.display().to_string().into();
        Self { path, name, key, size, input, found: Arc::default(), layout: Arc::default() }
    }

    /// An archive, or what should be in it, that cannot be read.
    pub(super) fn refused(path: PathBuf, why: String) -> Self {
        let input = Input::Refused(why.into());
        let key = ItemKey::of(path.as_os_str().as_encoded_bytes());
        let name = path.display().to_string().into();
        Self { path, name, key, size: 0, input, found: Arc::default(), layout: Arc::default() }
    }

    /// Identifies its rows by its content instead of its size and modification time.
    pub(in crate::sources) fn compare_content(&mut self) {
        // That of a member has its checksum in it already.
        if matches!(self.input, Input::File(_) | Input::Unreadable) {
            self.key = content_key(self.path.as_os_str().as_encoded_bytes(), &self.path).unwrap_or(self.key);
        }
    }

    /// The decompressed bytes of the file.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(crate) fn open(&self, compression: Compression, meter: &Meter) -> io::Result<Box<dyn Read + Send>> {
        self.open_for(Purpose::Read, compression, meter)
    }

    fn open_for(&self, purpose: Purpose, compression: Compression, meter: &Meter) -> io::Result<Box<dyn Read + Send>> {
        let input = self.input.open(&self.path, purpose, meter)?;
        if compression == Compression::Plain {
            return Ok(input);
        }
        let (found, input) = detect(input)?;
        if compression != Compression::Auto && compression != found {
            let what = match found {
                Compression::Plain => "not compressed".to_owned(),
                found => format!("compressed with {}", found.name()),
            };
            let message = format!("it is {what}, but `compression` is `{}`; remove `compression`", compression.name());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        self.found.get_or_init(|| found);
        decompressed(input, found)
    }

    /// Opens it and cuts it into records.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(in crate::sources) fn cutter(&self, spec: &RowsSpec, meter: &Meter) -> io::Result<Cutter> {
        self.cutter_for(Purpose::Read, spec, meter)
    }

    /// Opens it and cuts its first records, which will be read again.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(in crate::sources) fn look(&self, spec: &RowsSpec) -> io::Result<Cutter> {
        self.cutter_for(Purpose::Look, spec, &Meter::default())
    }

    /// Its text as UTF-8, from the beginning.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(super) fn text(&self, spec: &RowsSpec, meter: &Meter) -> io::Result<Box<dyn Read + Send>> {
        decode(self.open(spec.compression, meter)?, self.layout(spec)?.encoding)
    }

    fn cutter_for(&self, purpose: Purpose, spec: &RowsSpec, meter: &Meter) -> io::Result<Cutter> {
        let layout = self.layout(spec)?;
        let text = decode(self.open_for(purpose, spec.compression, meter)?, layout.encoding)?;
        let cutter = match spec.format {
            RowFormat::Csv => {
                let alike = layout.found.is_some();
                Cutter::of_csv(text, &CsvReading { alike, ..reading(&layout.dialect, &layout.header) })
            }
            RowFormat::JsonLines => Cutter::of_lines(text),
            RowFormat::Parquet => return Err(io::Error::other("a Parquet file has no text records")),
        };
        Ok(if self.input.is_stream() { cutter.of_stream() } else { cutter })
    }

    /// How it is laid out.
    ///
    /// # Errors
    /// If its beginning must be looked at and cannot be read.
    pub(in crate::sources) fn layout(&self, spec: &RowsSpec) -> io::Result<CsvLayout> {
        if spec.dialect_from == DialectFrom::Workflow {
            return Ok(CsvLayout::given(spec));
        }
        if let Some(known) = self.layout.get() {
            return Ok(known.clone());
        }
        let found = CsvLayout::find(spec, self.open_for(Purpose::Look, spec.compression, &Meter::default())?)?;
        Ok(self.layout.get_or_init(|| found).clone())
    }

    /// Whether its records are cut from the very bytes on disk, neither decompressed nor decoded nor
    /// rewritten.
    pub(in crate::sources) fn is_direct(&self, spec: &RowsSpec) -> bool {
        let is_told = spec.dialect_from == DialectFrom::Workflow;
        let is_plain = is_told && spec.dialect.as_plain().is_some();
        (is_plain || spec.format == RowFormat::JsonLines)
            && spec.encoding == UTF_8
            && self.found_compression(spec.compression) == Compression::Plain
    }

    /// Its compression. [`Compression::Auto`] is settled once the file was opened; before that, by its name.
    pub(crate) fn found_compression(&self, compression: Compression) -> Compression {
        if compression != Compression::Auto {
            return compression;
        }
        let by_name = || of_extension(&extension(&self.path)).unwrap_or(Compression::Plain);
        self.found.get().copied().unwrap_or_else(by_name)
    }

    /// What its name says of its compression, if that is wrong.
    pub(crate) fn wrong_ending(&self) -> Option<Compression> {
        let found = *self.found.get()?;
        let named = of_extension(&extension(&self.path)).unwrap_or(Compression::Plain);
        (named != found).then_some(named)
    }

    /// The format that its file extension stands for; a compression extension is ignored.
    pub(crate) fn format_by_extension(&self) -> RowFormat {
        let mut extension = extension(&self.path);
        if of_extension(&extension).is_some() {
            extension = self::extension(&self.path.with_extension(""));
        }
        if matches!(extension.as_str(), "jsonl" | "ndjson") { RowFormat::JsonLines } else { RowFormat::Csv }
    }
}

fn extension(path: &Path) -> String {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase()
}

/// Why a file cannot be read, as text for people.
pub(crate) fn read_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the compressed data is truncated".to_owned(),
        _ => error.to_string(),
    }
}

/// The notice about a file that has grown since it was opened.
pub(in crate::sources) fn grown(name: &str) -> String {
    format!("`{name}` has grown since it was opened; the new data is left for the next run")
}
