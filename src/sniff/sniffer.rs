//! The way from a sample to a finding.

use super::cells::Records;
use super::delimiters::{BestDelimiter, COMMENTS, delimiter, tolerant};
use super::finding::{Finding, Found, FoundHeader, Reason};
use super::layout::Layout;
use super::nulls::nulls;
use super::quoting::quoting;
use super::records::read;
use super::repairs::repair;
use super::sample::{Hints, Sample};
use super::score::Score;
use super::top::layout;
use super::top_rows::name_from_other_lines;
use crate::model::{CsvDialect, Delimiter, Ragged};

/// Finds out how a file with this beginning is written.
pub fn sniff(sample: &Sample<'_>, hints: &Hints) -> Finding {
    let mut reasons = Vec::new();
    let mut base = tolerant(sample.text);
    if let Some(quote) = hints.quote {
        base.quote = quote;
    }
    let told = hints.delimiter.clone().or_else(|| separator_line(sample.text).map(Delimiter::Byte));
    if separator_line(sample.text).is_some() {
        base.bounds.skip_lines = 1;
        reasons.push(Reason { line: Some(1), what: Found::SeparatorLine });
    }
    let found = match told {
        Some(delimiter) => told_delimiter(sample, CsvDialect { delimiter, ..base }),
        None => delimiter(sample.text, &base),
    };
    let mut reading = quoting(sample, hints, &found.dialect);
    if let Some(comment) = comment(&reading.records) {
        reading.dialect.bounds.comment = Some(comment.to_owned());
        reading.records = read(sample.text, &reading.dialect);
        let line = reading.records.comments.first().copied();
        reasons.push(Reason { line, what: Found::Comments(comment.to_owned()) });
    }
    reasons.extend(reading.reasons());
    let (mut dialect, records) = (reading.dialect, reading.records);
    if dialect.trim {
        reasons.push(Reason { line: None, what: Found::Padding });
    }
    if let Some(at) = memchr::memchr(0, sample.text).filter(|_| dialect.escape != Some(0)) {
        dialect.drop_nul = true;
        let line = 1 + memchr::memchr_iter(b'\n', &sample.text[..at]).count();
        reasons.push(Reason { line: Some(line), what: Found::Nul });
    }
    let mut layout = layout(&records, sample, hints);
    name_from_other_lines(sample.text, &dialect, &records, &mut layout);
    repair(sample.text, &records, &mut layout, &mut dialect);
    layout.bounds(&records, &mut dialect);
    let header = header(&layout, &records, &dialect);
    let null = nulls(&records, &layout);
    reasons.append(&mut layout.reasons);
    reasons.sort_by_key(|reason| reason.line);
    let confidence = confidence(&Score::of(&records), &found);
    let columns = layout.width;
    Finding { dialect, header, columns, null, reasons, confidence, alternatives: found.others }
}

/// The header, with a name of its own for each column.
fn header(layout: &Layout, records: &Records, dialect: &CsvDialect) -> FoundHeader {
    let position = |at: usize| format!("column_{}", at + 1);
    match &layout.header {
        FoundHeader::Named(texts) => {
            let mut names: Vec<String> = Vec::with_capacity(texts.len());
            for (at, text) in texts.iter().enumerate() {
                let name = if text.is_empty() { position(at) } else { text.clone() };
                let mut numbered = (2..).map(|number| format!("{name}_{number}"));
                let is_free = |name: &String| !names.contains(name);
                let own = if is_free(&name) { Some(name.clone()) } else { numbered.find(is_free) };
                names.push(own.unwrap_or(name));
            }
            FoundHeader::Named(names)
        }
        // The first row would tell how many fields the others have.
        FoundHeader::Missing if dialect.ragged != Ragged::Fail => {
            let first = records.rows.get(layout.rows().start).map_or(layout.width, |row| row.width);
            if first == layout.width {
                FoundHeader::Missing
            } else {
                FoundHeader::Named((0..layout.width).map(position).collect())
            }
        }
        header => header.clone(),
    }
}

/// How sure a finding is: how good its table is, less so if another delimiter gives one that is nearly as good.
fn confidence(score: &Score, found: &BestDelimiter) -> f64 {
    let second = found.others.first().map_or(0.0, |other| other.score);
    // A single column says little, but nothing contradicts it.
    let value = if score.width == 1 { score.value * 1.8 } else { score.value.max(found.score.value) };
    (value - second * 0.3).clamp(0.0, 1.0)
}

fn told_delimiter(sample: &Sample<'_>, dialect: CsvDialect) -> BestDelimiter {
    let score = Score::of(&read(sample.text, &dialect));
    BestDelimiter { dialect, score, others: Vec::new() }
}

/// The delimiter that a first line such as `sep=;` tells to Excel.
fn separator_line(text: &[u8]) -> Option<u8> {
    let rest = text.strip_prefix(b"sep=").or_else(|| text.strip_prefix(b"\"sep="))?;
    let (delimiter, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    let ends = matches!(rest.first(), None | Some(b'\r' | b'\n'));
    (ends && delimiter.is_ascii() && !delimiter.is_ascii_alphanumeric()).then_some(*delimiter)
}

/// What comments begin with: lines that are not records of the table.
fn comment(records: &Records) -> Option<&'static str> {
    let width = records.usual_width();
    COMMENTS.into_iter().find(|prefix| {
        let begins = |at: &usize| !records.is_quoted(*at, 0) && records.cell(*at, 0).starts_with(prefix.as_bytes());
        let lines: Vec<usize> = (0..records.len()).filter(begins).collect();
        let at_top = lines.iter().enumerate().take_while(|(number, at)| number == *at).count();
        // The last line at the top may hold the names.
        let wide = |at: &&usize| records.rows[**at].width == width;
        let outside = if width > 1 { !lines.iter().skip(at_top).any(|at| wide(&at)) } else { lines.len() == at_top };
        let named = at_top > 0 && width > 1 && wide(&&lines[at_top - 1]);
        !lines.is_empty() && outside && lines.len() * 2 <= records.len().max(2) && !named
    })
}
