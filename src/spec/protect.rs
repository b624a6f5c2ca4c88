//! Unquoted templates: `items: {{ records }}` is a flow mapping to YAML, but is meant as a string.
//!
//! Owns the search for such templates, and gets them through the YAML parser: it replaces each character of a template that
//! YAML could misread by a character of the private use area, and puts it back into the parsed string. One character
//! replaces one, so all places stay right. The dialect says how templates are marked. Quoted strings are left alone.

use super::dialect::{Content, Delimiters};
use super::expression_length::expression_length;
use crate::model::Span;

/// The first stand-in; the ASCII code of the replaced character is added to it.
const BASE: u32 = 0x0010_F000;

/// A text that the YAML parser can read.
pub(super) struct Protected {
    /// The text with stand-ins.
    pub text: String,
    /// Whether there are any.
    pub changed: bool,
    /// The opening delimiter of an expression that starts a value and is not closed on its line.
    pub unclosed: Option<Span>,
}

/// Replaces what YAML could misread in unquoted templates.
pub(super) fn protect(text: &str, delimiters: &'static [Delimiters]) -> Protected {
    let mut scan = Scan::new(text, delimiters);
    if delimiters.iter().any(|it| memchr::memmem::find(text.as_bytes(), it.open.as_bytes()).is_some()) {
        scan.run();
    }
    // If the text contains stand-ins already, they could not be told apart.
    if scan.regions.is_empty() || text.chars().any(is_stand_in) {
        return Protected { text: text.to_owned(), changed: false, unclosed: scan.unclosed };
    }
    let mut out = String::with_capacity(text.len() * 2);
    let mut done = 0;
    for Span { start, end } in scan.regions {
        out.push_str(&text[done..start]);
        out.extend(text[start..end].chars().map(stand_in));
        done = end;
    }
    out.push_str(&text[done..]);
    Protected { text: out, changed: true, unclosed: scan.unclosed }
}

/// Puts back the characters that [`protect`] replaced.
pub(super) fn restore(text: &str) -> String {
    text.chars().map(|c| if is_stand_in(c) { char::from_u32(u32::from(c) - BASE).unwrap_or(c) } else { c }).collect()
}

fn is_stand_in(c: char) -> bool {
    (BASE..BASE + 128).contains(&u32::from(c))
}

fn stand_in(c: char) -> char {
    if c.is_ascii() && !c.is_ascii_alphanumeric() { char::from_u32(BASE + u32::from(c)).unwrap_or(c) } else { c }
}

/// A scan of the text that knows just enough YAML to tell values, quoted strings, comments and block scalars apart.
struct Scan<'a> {
    bytes: &'a [u8],
    delimiters: &'static [Delimiters],
    at: usize,
    line_start: usize,
    /// Depth of `[` and `{`.
    flow: usize,
    /// Column of the last `-` or key. The lines of a block scalar or of a continued scalar are indented further.
    column: isize,
    /// Whether a plain scalar may continue on the next line.
    plain: bool,
    /// The end of the line that was last looked at.
    line_end: usize,
    /// Delimiters that don't close before the end of a line, and that end. Without this, many that open and never close would each
    /// be searched for to the end of the line.
    open_until: Vec<(&'static str, usize)>,
    /// How many bytes may still be read in vain for expressions whose brackets or quotes don't match.
    in_vain: usize,
    regions: Vec<Span>,
    unclosed: Option<Span>,
}

/// How often the length of the text may be read in vain.
const IN_VAIN: usize = 16;

impl<'a> Scan<'a> {
    fn new(text: &'a str, delimiters: &'static [Delimiters]) -> Self {
        Self {
            bytes: text.as_bytes(),
            delimiters,
            at: 0,
            line_start: 0,
            flow: 0,
            column: -1,
            plain: false,
            line_end: 0,
            open_until: Vec::new(),
            in_vain: IN_VAIN * text.len(),
            regions: Vec::new(),
            unclosed: None,
        }
    }

    /// The delimiters of the template that starts here, if one does.
    fn template(&self) -> Option<Delimiters> {
        let rest = self.bytes.get(self.at..)?;
        self.delimiters.iter().find(|it| rest.starts_with(it.open.as_bytes())).copied()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn blank(&self, ahead: usize) -> bool {
        matches!(self.peek(ahead), None | Some(b' ' | b'\t' | b'\r' | b'\n'))
    }

    fn here(&self) -> isize {
        (self.at - self.line_start) as isize
    }

    fn run(&mut self) {
        self.start_line();
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => {
                    self.at += 1;
                    self.line_start = self.at;
                    self.start_line();
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'#' => self.skip_line(),
                b'-' | b'?' | b':' if self.blank(1) => {
                    if self.flow == 0 && byte != b':' {
                        self.column = self.here();
                    }
                    self.at += 1;
                }
                _ => {
                    let before = self.at;
                    self.token(byte);
                    // Pass an indicator that starts nothing, such as the `:` of `{:,`.
                    self.at = self.at.max(before + 1);
                }
            }
        }
    }

    fn token(&mut self, byte: u8) {
        match byte {
            b'"' | b'\'' => self.quoted(byte),
            _ if self.template().is_some() => self.plain_scalar(),
            b'[' | b'{' => {
                self.flow += 1;
                self.at += 1;
            }
            b']' | b'}' => {
                self.flow = self.flow.saturating_sub(1);
                self.at += 1;
            }
            b',' => self.at += 1,
            b'|' | b'>' if self.flow == 0 => self.block_scalar(),
            b'&' | b'!' | b'*' => {
                let ends = |scan: &Self| scan.flow > 0 && matches!(scan.peek(0), Some(b',' | b']' | b'}'));
                while !(self.blank(0) || ends(self)) {
                    self.at += 1;
                }
            }
            _ => self.plain_scalar(),
        }
    }

    /// At the start of a line, continues a plain scalar of the line before, whatever the line starts with.
    fn start_line(&mut self) {
        if !self.plain || self.flow > 0 {
            self.plain = false;
            return;
        }
        let indent = self.bytes[self.at..].iter().take_while(|byte| **byte == b' ').count();
        let first = self.bytes.get(self.at + indent);
        self.plain = false;
        match first {
            None | Some(b'#') => {}
            Some(b'\r' | b'\n') => self.plain = true,
            Some(_) if indent as isize > self.column => {
                self.at += indent;
                self.plain_scalar();
            }
            Some(_) => {}
        }
    }

    fn skip_line(&mut self) {
        self.at = memchr::memchr(b'\n', &self.bytes[self.at..]).map_or(self.bytes.len(), |found| self.at + found);
    }

    /// Passes a quoted string. If it is a key, it sets the column as a plain key does.
    fn quoted(&mut self, quote: u8) {
        let (column, start_line) = (self.here(), self.line_start);
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            match byte {
                b'\\' if quote == b'"' => self.at = (self.at + 1).min(self.bytes.len()),
                b'\'' if quote == b'\'' && self.peek(0) == Some(b'\'') => self.at += 1,
                b'\n' => self.line_start = self.at,
                byte if byte == quote => break,
                _ => {}
            }
        }
        if self.flow == 0 && start_line == self.line_start && self.peek(0) == Some(b':') {
            self.column = column;
        }
    }

    /// Passes a block scalar: all lines that are blank or indented further than the key.
    fn block_scalar(&mut self) {
        self.skip_line();
        while self.at < self.bytes.len() {
            let line = self.at + 1;
            let rest = &self.bytes[line.min(self.bytes.len())..];
            let indent = rest.iter().take_while(|byte| **byte == b' ').count();
            let blank = matches!(rest.get(indent), None | Some(b'\r' | b'\n'));
            if !blank && indent as isize <= self.column {
                return;
            }
            self.at = line;
            self.line_start = line;
            if self.at >= self.bytes.len() {
                self.at = self.bytes.len();
                return;
            }
            self.skip_line();
        }
    }

    /// Passes a plain scalar up to its end on this line, and records the templates in it.
    fn plain_scalar(&mut self) {
        let (column, start) = (self.here(), self.at);
        while let Some(byte) = self.peek(0) {
            if let Some(delimiters) = self.template() {
                self.pass_template(delimiters, start);
                continue;
            }
            match byte {
                b'\n' => {
                    self.plain = true;
                    return;
                }
                b'#' if self.at > start && matches!(self.bytes[self.at - 1], b' ' | b'\t') => return,
                b':' if self.blank(1)
                    || (self.flow > 0 && matches!(self.peek(1), Some(b',' | b'[' | b']' | b'{' | b'}'))) =>
                {
                    if self.flow == 0 {
                        self.column = column;
                    }
                    return;
                }
                b',' | b'[' | b']' | b'{' | b'}' if self.flow > 0 => return,
                _ => self.at += 1,
            }
        }
    }

    /// Passes a template in a plain scalar that starts at `start`.
    fn pass_template(&mut self, delimiters: Delimiters, start: usize) {
        match self.length(delimiters) {
            Some(length) => {
                self.regions.push(Span::new(self.at, self.at + length));
                self.at += length;
            }
            None => {
                let end = self.at + delimiters.open.len();
                if self.at == start && delimiters.content == Content::Expression {
                    self.unclosed.get_or_insert(Span::new(start, end));
                }
                self.at = end;
            }
        }
    }

    /// The length of the template that starts here, if it ends on this line.
    fn length(&mut self, delimiters: Delimiters) -> Option<usize> {
        if self.open_until.iter().any(|(close, end)| *close == delimiters.close && self.at < *end) {
            return None;
        }
        if self.at >= self.line_end {
            let rest = &self.bytes[self.at..];
            self.line_end = self.at + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        }
        let (line, open) = (&self.bytes[self.at..self.line_end], delimiters.open.len());
        let Some(first) = memchr::memmem::find(&line[open..], delimiters.close.as_bytes()) else {
            self.open_until.retain(|(close, _)| *close != delimiters.close);
            self.open_until.push((delimiters.close, self.line_end));
            return None;
        };
        let first = open + first + delimiters.close.len();
        if delimiters.content == Content::Statement || self.in_vain == 0 {
            return Some(first);
        }
        // If brackets or quotes in an expression do not match, the template engine reports it.
        Some(expression_length(line, delimiters).unwrap_or_else(|| {
            self.in_vain = self.in_vain.saturating_sub(line.len());
            first
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::dialect::Dialect;
    use crate::spec::native::Native;

    fn found(text: &str) -> Vec<&str> {
        let mut scan = Scan::new(text, Native.templates());
        scan.run();
        scan.regions.iter().map(|span| &text[span.start..span.end]).collect()
    }

    #[test]
    fn unquoted_templates_are_found_where_values_stand() {
        assert_eq!(found("items: {{ records }}\n"), ["{{ records }}"]);
        assert_eq!(found("- {{ a }}\n- k: {{ b }} # {{ no }}\n"), ["{{ a }}", "{{ b }}"]);
        assert_eq!(found("x: {{ s.a.result[0] | default(\"}}\") }}"), ["{{ s.a.result[0] | default(\"}}\") }}"]);
        assert_eq!(found("x: {{ {'a': {'b': 1}}['a'] }}"), ["{{ {'a': {'b': 1}}['a'] }}"]);
        assert_eq!(found("x: [{{ a }}, p/{{ b }}]\ny: {k: {{ c }}}"), ["{{ a }}", "{{ b }}", "{{ c }}"]);
        assert_eq!(found("x:\n  {{ a }}/{{ b }}.csv"), ["{{ a }}", "{{ b }}"]);
    }

    #[test]
    fn quoted_strings_comments_and_block_scalars_are_left_alone() {
        assert_eq!(found("a: \"{{ x }}\"\nb: '{{ it''s }}'\n"), [""; 0]);
        assert_eq!(found("# don't {{ a }}\nb: {{ c }}"), ["{{ c }}"]);
        assert_eq!(found("code: |\n  x = {{ a }}\n  don't\n\nb: {{ c }}"), ["{{ c }}"]);
        assert_eq!(found("- run: >-\n    {{ a }}\n  b: {{ c }}"), ["{{ c }}"]);
        assert_eq!(found("a: \"one\n  {{ two }}\"\nb: {{ c }}"), ["{{ c }}"]);
    }

    #[test]
    fn an_apostrophe_in_a_plain_scalar_opens_no_string() {
        assert_eq!(found("a: it's\nb: {{ c }}\n"), ["{{ c }}"]);
        assert_eq!(found("a: some text\n  'tis more\nb: {{ c }}\n"), ["{{ c }}"]);
    }

    #[test]
    fn a_template_that_does_not_end_is_noted() {
        assert_eq!(protect("a: 1\nb: {{ c }\n", Native.templates()).unclosed, Some(Span::new(8, 10)));
        assert_eq!(protect("a: {b: {c: 1}}\n", Native.templates()).unclosed, None);
    }

    #[test]
    fn an_indicator_that_starts_nothing_is_passed() {
        assert_eq!(found("{:, a: {{ b }}}"), ["{{ b }}"]);
        assert_eq!(found("[:] :{ {{ b }}"), ["{{ b }}"]);
    }

    #[test]
    fn what_is_replaced_is_put_back() {
        let text = "a: {{ b | default(\"x: y\") }}/ü\n";
        let protected = protect(text, Native.templates());
        assert!(protected.changed && !protected.text.contains('{'));
        assert_eq!(protected.text.chars().count(), text.chars().count());
        assert_eq!(restore(&protected.text), text);
    }

    #[test]
    fn another_dialect_has_other_delimiters() {
        const OTHER: &[Delimiters] = &[Delimiters { open: "[%", close: "%]", content: Content::Expression }];
        let text = "a: [% b['%]'] %]\nc: [[% d %], {{}: 1}]\n";
        let mut scan = Scan::new(text, OTHER);
        scan.run();
        let found: Vec<_> = scan.regions.iter().map(|span| &text[span.start..span.end]).collect();
        assert_eq!(found, ["[% b['%]'] %]", "[% d %]"]);
    }
}
