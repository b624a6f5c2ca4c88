//! Reads one file from its first byte to its last, for its profile.

use super::head::FileHead;
use super::layout::{Beginning, FileLayout, csv_form, detect_layout};
use super::profile::{ColumnProfile, CompressionProfile, FileProfile, Kinds};
use crate::model::Nan;
use crate::rows::{CsvStats, Cutter, HeaderRow, Inference, JsonKinds, JsonLinesStats, Occurrences, Styles};
use crate::sniff::{Finding, Found, Hints};
use crate::sources::{DetectedEncoding, Meter, ReadingOptions, RowFile, SurveyRequest, decode, guess, reading};
use crate::spec::{Header, RowFormat};
use encoding_rs::{Encoding, UTF_8};
use std::io;

/// Profiles the file at this position of the request. `hints` are what other files tell.
pub fn profile(request: &SurveyRequest, position: usize, hints: &Hints, meter: &Meter) -> FileProfile {
    let (file, options) = (request.file(position), request.options());
    let scan = Scan { file, options, hints, meter };
    let mut profile = FileProfile::new(file, options);
    match scan.read(None, &mut profile) {
        Ok(None) => {}
        Ok(Some(encoding)) => {
            // Its first part was ASCII, and so looked like UTF-8.
            profile = FileProfile::new(file, options);
            if let Err(error) = scan.read(Some(encoding), &mut profile) {
                profile.fail(&error);
            }
        }
        Err(error) => profile.fail(&error),
    }
    profile
}

/// The encoding of a file that turns out to be another one than its beginning suggests.
type OtherEncoding = Option<&'static Encoding>;

/// A pass over a file.
struct Scan<'a> {
    file: &'a RowFile,
    options: &'a ReadingOptions,
    hints: &'a Hints,
    meter: &'a Meter,
}

impl Scan<'_> {
    /// Reads the file, by an encoding that an earlier pass has guessed if there was one.
    fn read(&self, guessed: OtherEncoding, profile: &mut FileProfile) -> io::Result<OtherEncoding> {
        let mut head = FileHead::read(self.file.open(self.options.compression, self.meter)?);
        let is = self.file.found_compression(self.options.compression);
        profile.compression = CompressionProfile { is, named: self.file.wrong_ending() };
        let detected = match (guessed, self.options.encoding) {
            (Some(guessed), _) => DetectedEncoding::guessed(guessed),
            (None, Some(given)) => DetectedEncoding::given(given, head.bytes()),
            (None, None) => DetectedEncoding::of(head.bytes()),
        };
        if head.bytes().is_empty() {
            return head.into_error().map_or(Ok(None), Err);
        }
        (profile.text.encoding, profile.text.mark) = (Some(detected.encoding), detected.mark);
        profile.text.guessed = detected.guessed;
        if profile.format == RowFormat::JsonLines {
            let text = decode(head.into_stream(), detected.encoding)?;
            let loose = self.options.values.nan == Nan::Drop;
            let stats = if loose { JsonLinesStats::loose() } else { JsonLinesStats::new() };
            return read_json((Cutter::of_lines(text), stats), detected, profile);
        }
        let layout = loop {
            // The first record may be longer than the beginning.
            let beginning = Beginning { text: head.sample(detected.encoding)?, whole: head.is_whole() };
            match detect_layout(&beginning, self.options, self.hints) {
                None if head.read_more() => {}
                layout => break layout,
            }
        };
        let text = decode(head.into_stream(), detected.encoding)?;
        match layout {
            Some(layout) => {
                profile.header = layout.header == Header::First;
                profile.dialect.clone_from(&layout.dialect);
                profile.finding.clone_from(&layout.finding);
                let cutter = Cutter::of_csv(text, &reading(&layout.dialect, &layout.header));
                self.read_csv(cutter, layout, detected, profile)
            }
            // Either the file is empty, or it holds no whole record; then reading it says why.
            None => {
                let mut cutter = Cutter::of_csv(text, &reading(&profile.dialect, &Header::First));
                while cutter.block()?.is_some() {}
                Ok(None)
            }
        }
    }

    fn read_csv(
        &self,
        mut cutter: Cutter,
        layout: FileLayout,
        detected: DetectedEncoding,
        profile: &mut FileProfile,
    ) -> io::Result<OtherEncoding> {
        let names = layout.columns.map_err(|error| io::Error::other(error.to_string()))?;
        let header = if layout.header == Header::First { HeaderRow::First } else { HeaderRow::Missing };
        let mut form = csv_form(self.options, &layout.dialect, layout.fields);
        if let Some(finding) = &layout.finding {
            // What the proposed source reads as null.
            form.null.clone_from(&finding.null);
        }
        let stats = CsvStats::new(form, header);
        // Where the workflow says how values are written, nobody asks.
        let mut stats = if layout.finding.is_some() { stats.with_styles() } else { stats };
        let (mut ended, mut other) = (Ok(()), None);
        loop {
            match cutter.block() {
                Ok(Some(block)) => {
                    let may_change = !detected.settled && stats.is_ascii;
                    stats.add(block);
                    if may_change && !stats.is_ascii && std::str::from_utf8(block.bytes).is_err() {
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
        let styles = stats.styles().iter().copied().chain(std::iter::repeat(Styles::default()));
        let column = |((name, texts), styles): ((String, &Inference), Styles)| ColumnProfile {
            name,
            kinds: Kinds::Texts(*texts),
            styles,
        };
        profile.columns = names.into_iter().zip(stats.columns()).zip(styles).map(column).collect();
        profile.runs = stats.runs;
        (profile.bad_rows.ragged, profile.bad_rows.undecodable) = (stats.ragged, stats.undecodable);
        if let Some(mended) = layout.finding.as_ref().and_then(mended) {
            profile.bad_rows.ragged = mended;
        }
        profile.text.is_ascii = stats.is_ascii && detected.encoding == UTF_8;
        ended.map(|()| other)
    }
}

/// The records that do not fit and that the dialect mends, so that they are not bad rows.
fn mended(finding: &Finding) -> Option<Occurrences> {
    let mut mended: Option<Occurrences> = None;
    for reason in &finding.reasons {
        let (Found::Short(rows) | Found::Long(rows)) = reason.what else { continue };
        let (rows, first_line) = (rows as u64, reason.line.unwrap_or(1) as u64);
        let known = mended.get_or_insert(Occurrences { rows: 0, first_line });
        *known = Occurrences { rows: known.rows + rows, first_line: known.first_line.min(first_line) };
    }
    mended
}

fn read_json(
    (mut cutter, mut stats): (Cutter, JsonLinesStats),
    detected: DetectedEncoding,
    profile: &mut FileProfile,
) -> io::Result<OtherEncoding> {
    let mut ended = Ok(());
    loop {
        match cutter.block() {
            Ok(Some(block)) => stats.add(block),
            Ok(None) => break,
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
    }
    let column = |(name, kinds): &(String, JsonKinds)| ColumnProfile {
        name: name.clone(),
        kinds: Kinds::Json(*kinds),
        styles: Styles::default(),
    };
    profile.columns = stats.names().iter().map(column).collect();
    (profile.runs, profile.bad_rows.invalid_json) = (stats.runs, stats.invalid);
    profile.text.is_ascii = stats.is_ascii && detected.encoding == UTF_8;
    ended.map(|()| None)
}
