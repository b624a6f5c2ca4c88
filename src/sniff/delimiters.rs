//! Finds out what separates the fields of a sample.

use super::finding::Alternative;
use super::records::{line_end, read};
use super::score::Score;
use crate::model::{CsvDialect, Delimiter, StrayQuotes};

/// How much of a sample the delimiters are tried on.
const TRIED: usize = 64 << 10;
/// A weak delimiter is tried where no other one gives a better table.
const GOOD: f64 = 0.72;
/// By how much a later hypothesis must be better than an earlier, simpler one.
const MARGIN: f64 = 0.02;

const STRONG: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Prefixes of lines that are comments.
pub(super) const COMMENTS: [&str; 3] = ["#", "%", "//"];

const RARE: [u8; 6] = [b'~', b'^', 0x01, 0x1f, 0x1e, b'\x07'];

/// A dialect with the delimiter that gives the best table, how good that is, and what else was tried.
pub(super) struct BestDelimiter {
    pub(super) dialect: CsvDialect,
    pub(super) score: Score,
    pub(super) others: Vec<Alternative>,
}

/// The best delimiter of a text.
pub(super) fn delimiter(text: &[u8], base: &CsvDialect) -> BestDelimiter {
    let text = beginning(text);
    let base = &commented(text, base);
    let mut trials = Trials { text, base, best: None, others: Vec::new() };
    for byte in STRONG.into_iter().chain(RARE).filter(|byte| *byte == b',' || text.contains(byte)) {
        trials.attempt(Delimiter::Byte(byte), Strength::Strong);
    }
    for byte in STRONG {
        // Where all fields are quoted, a blank after delimiters hides the quotes.
        let quote = base.quote.unwrap_or(b'"');
        if occurs_on_most_lines(text, &[quote, byte, b' ', quote]) {
            trials.attempt(Delimiter::Text(format!("{} ", char::from(byte))), Strength::Strong);
        }
    }
    trials.with_blanks();
    if trials.value() < GOOD {
        for doubled in ["::", "||", ";;"].into_iter().filter(|doubled| occurs_on_most_lines(text, doubled.as_bytes())) {
            trials.attempt(Delimiter::Text(doubled.to_owned()), Strength::Strong);
        }
        for weak in [Delimiter::Byte(b' '), Delimiter::Whitespace, Delimiter::Byte(b':')] {
            trials.attempt(weak, Strength::Weak);
        }
    }
    trials.found()
}

/// Whether a delimiter is also common within values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strength {
    Strong,
    /// It must leave the records as much alike as the best one does.
    AsSteady,
    Weak,
}

struct Trials<'a> {
    text: &'a [u8],
    base: &'a CsvDialect,
    best: Option<(CsvDialect, Score)>,
    others: Vec<Alternative>,
}

impl Trials<'_> {
    fn value(&self) -> f64 {
        self.best.as_ref().map_or(0.0, |(_, score)| score.value)
    }

    fn attempt(&mut self, delimiter: Delimiter, strength: Strength) {
        let dialect = CsvDialect { delimiter, ..self.base.clone() };
        self.attempt_dialect(dialect, strength);
    }

    fn attempt_dialect(&mut self, dialect: CsvDialect, strength: Strength) {
        let score = Score::of(&read(self.text, &dialect));
        // Words in a sentence are not columns.
        let is_table =
            score.typed && score.below > 0.8 || score.alike == 1.0 && score.width > 2 && self.has_many_lines();
        if strength == Strength::Weak && (score.width < 2 || !is_table) {
            return;
        }
        let steadiest = self.best.as_ref().map_or(0.0, |(_, best)| best.alike);
        if strength == Strength::AsSteady && score.alike < steadiest {
            return;
        }
        let is_better = self.best.as_ref().is_none_or(|(_, best)| score.value > best.value + MARGIN);
        let (losing, value) = if is_better {
            let Some((losing, old)) = self.best.replace((dialect, score)) else { return };
            (losing, old)
        } else {
            (dialect, score)
        };
        if value.width > 1 {
            self.others.push(Alternative { delimiter: losing.delimiter, score: value.value });
        }
    }

    fn has_many_lines(&self) -> bool {
        memchr::memchr2_iter(b'\n', b'\r', self.text).nth(20).is_some()
    }

    /// Delimiters that blanks stand around.
    fn with_blanks(&mut self) {
        let Some((CsvDialect { delimiter: Delimiter::Byte(byte), .. }, score)) = self.best.clone() else { return };
        if score.width < 2 && !self.text.contains(&byte) || byte == b' ' {
            return;
        }
        let char = char::from(byte);
        for text in [format!("{char} "), format!(" {char} ")] {
            if occurs_on_most_lines(self.text, text.as_bytes()) {
                self.attempt(Delimiter::Text(text), Strength::AsSteady);
            }
        }
        let padded = [format!("{char} "), format!(" {char}")];
        if padded.iter().any(|text| occurs_on_most_lines(self.text, text.as_bytes())) {
            let delimiter = Delimiter::Byte(byte);
            self.attempt_dialect(CsvDialect { delimiter, trim: true, ..self.base.clone() }, Strength::Strong);
        }
    }

    fn found(mut self) -> BestDelimiter {
        let (mut dialect, score) = self.best.take().unwrap_or_else(|| {
            let nothing = Score { value: 0.0, width: 0, alike: 0.0, below: 0.0, typed: false };
            (self.base.clone(), nothing)
        });
        dialect.bounds.comment = None;
        let mut others = self.others;
        others.retain(|other| !is_part(&other.delimiter, &dialect.delimiter) && other.score > score.value * 0.5);
        others.sort_by(|one, other| other.score.total_cmp(&one.score));
        others.truncate(3);
        BestDelimiter { dialect, score, others }
    }
}

/// The dialect with what lines at the top begin with, if they are comments perhaps.
fn commented(text: &[u8], base: &CsvDialect) -> CsvDialect {
    let mut dialect = base.clone();
    dialect.bounds.comment = COMMENTS.into_iter().find(|prefix| text.starts_with(prefix.as_bytes())).map(str::to_owned);
    dialect
}

/// Whether both delimiters cut the same lines, one of them with blanks.
fn is_part(one: &Delimiter, other: &Delimiter) -> bool {
    let text = |delimiter: &Delimiter| delimiter.text().trim_ascii().to_vec();
    text(one) == text(other)
}

/// The dialect that delimiters are tried with: quotes that do not fit are characters like others.
pub(super) fn tolerant(text: &[u8]) -> CsvDialect {
    let has = |pattern: &[u8]| memchr::memmem::find(text, pattern).is_some();
    let escape = if has(b"\0\"") { Some(0) } else { has(b"\\\"").then_some(b'\\') };
    let quote = if edges(text, b'\'') > 2 * edges(text, b'"') { b'\'' } else { b'"' };
    CsvDialect { quote: Some(quote), escape, stray_quotes: StrayQuotes::Literal, ..CsvDialect::default() }
}

/// How often such a quote stands at the edge of a field: after a delimiter, and before one.
fn edges(text: &[u8], quote: u8) -> usize {
    let is_edge = |byte: Option<&u8>| byte.is_none_or(|byte| b",;\t|\n\r:".contains(byte));
    let (mut opens, mut closes) = (0, 0);
    for at in memchr::memchr_iter(quote, text) {
        opens += usize::from(at == 0 || is_edge(text.get(at - 1)));
        closes += usize::from(is_edge(text.get(at + 1)));
    }
    opens.min(closes)
}

/// The lines that fit into the part of the text that is tried.
fn beginning(text: &[u8]) -> &[u8] {
    if text.len() <= TRIED {
        return text;
    }
    match memchr::memrchr2(b'\n', b'\r', &text[..TRIED]) {
        Some(end) => &text[..=end],
        None => &text[..line_end(text, TRIED)],
    }
}

fn occurs_on_most_lines(text: &[u8], pattern: &[u8]) -> bool {
    let lines = memchr::memchr2_iter(b'\n', b'\r', text).count().max(1);
    2 * memchr::memmem::find_iter(text, pattern).count() >= lines
}
