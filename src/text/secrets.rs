//! The values that must not be shown, and the search for them.

use super::cuts::cuts;
use super::endings::Endings;
use super::forms::{Form, SHORTEST, forms, is_base64};
use super::views::{View, open_escape, views};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// What is shown instead of a secret.
pub const MASK: &str = "***";

/// The values to mask.
#[derive(Clone, Default)]
pub struct Secrets(Option<Arc<Search>>);

struct Search {
    values: Vec<String>,
    /// How many forms they have.
    forms: usize,
    /// Finds all forms, however many lines a secret has, and the beginning of a form before a cut.
    forward: Endings,
    /// Finds the end of a form behind a cut: of forms and texts that are reversed.
    backward: Endings,
}

/// Places in a text: where they start and end.
type Spans = Vec<(usize, usize)>;

impl Secrets {
    /// Masks these values in all forms in which they appear: as they are, with any characters escaped for JSON, Python, Rust,
    /// a shell, HTML or a URL, in base64, also of a longer text, and each line of a value with several lines; where a text was cut
    /// with `…` or `...`, also the piece that is left. Values of one or two characters would mask everything, so they are ignored.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let values: Vec<String> = values.into_iter().filter(|value| value.chars().count() >= SHORTEST).collect();
        let mut forms: Vec<Form> = values.iter().flat_map(|value| forms(value)).collect();
        forms.sort_unstable();
        forms.dedup();
        if forms.is_empty() {
            return Self(None);
        }
        let forward = Endings::new(&forms);
        let backward: Vec<Form> = forms.iter().map(Form::reversed).collect();
        let search = Search { values, forms: forms.len(), forward, backward: Endings::new(&backward) };
        Self(Some(Arc::new(search)))
    }

    /// Whether nothing is secret.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The values, for a process that masks on its own.
    pub fn values(&self) -> &[String] {
        self.0.as_ref().map_or(&[], |search| &search.values)
    }

    /// Masks the secrets in a text.
    pub fn mask(&self, text: &mut String) {
        let Some(search) = &self.0 else { return };
        let spans = search.spans_in(text);
        if !spans.is_empty() {
            let masked = replace(text.as_bytes(), &spans, |_| MASK.as_bytes().to_vec());
            *text = String::from_utf8(masked).expect("whole characters of a text are replaced by whole characters");
        }
    }

    /// The text without secrets.
    pub fn masked(&self, mut text: String) -> String {
        self.mask(&mut text);
        text
    }

    /// The same text, as long, with asterisks for secrets. Line breaks stay, so that lines keep their numbers.
    pub fn starred(&self, text: &str) -> String {
        let spans = self.0.as_ref().map(|search| search.spans_in(text)).unwrap_or_default();
        let star = |byte: &u8| if *byte == b'\n' { b'\n' } else { b'*' };
        let starred = replace(text.as_bytes(), &spans, |secret| secret.iter().map(star).collect());
        String::from_utf8(starred).expect("whole characters of a text are replaced by whole characters")
    }

    /// How many bytes the longest form of a secret has.
    pub fn longest(&self) -> usize {
        self.0.as_ref().map_or(0, |search| search.forward.longest())
    }

    /// Where the end of a text begins that may turn out to be a secret when more of the text comes; its length if there is none.
    pub fn open_end(&self, text: &str) -> usize {
        let Some(search) = &self.0 else { return text.len() };
        let spans = search.spans_in(text);
        let mut open = search.open_end(text.as_bytes());
        while let Some((start, _)) = spans.iter().find(|(start, end)| *start < open && open < *end) {
            open = *start;
        }
        (0..=open).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    }

    /// JSON text without secrets: values are masked before they are encoded, so it stays JSON. A number or a word that is a
    /// secret becomes a string; a number that only has the digits of one in it stays. Text that is not JSON is masked as it is.
    pub fn masked_json(&self, json: &[u8]) -> String {
        match serde_json::from_slice::<Value>(json) {
            Ok(value) if !self.is_empty() => self.masked_value(value).to_string(),
            _ => self.masked(String::from_utf8_lossy(json).into_owned()),
        }
    }

    /// The value without secrets, as for [`masked_json`](Self::masked_json).
    pub fn masked_value(&self, value: Value) -> Value {
        match value {
            Value::Null => value,
            Value::String(text) => Value::String(self.masked(text)),
            Value::Array(values) => values.into_iter().map(|value| self.masked_value(value)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(name, value)| (self.masked(name), self.masked_value(value))).collect()
            }
            Value::Bool(_) | Value::Number(_) => {
                let secret = self.masked(value.to_string()) == MASK;
                if secret { Value::String(MASK.to_owned()) } else { value }
            }
        }
    }

    /// The bytes without secrets.
    pub fn masked_bytes(&self, text: Vec<u8>) -> Vec<u8> {
        match self.0.as_ref().map(|search| search.spans(&text)) {
            Some(spans) if !spans.is_empty() => replace(&text, &spans, |_| MASK.as_bytes().to_vec()),
            _ => text,
        }
    }
}

/// Shows how many there are, and none of them.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} forms)", self.0.as_ref().map_or(0, |search| search.forms))
    }
}

impl Search {
    /// The places to mask in a text, each of whole characters.
    fn spans_in(&self, text: &str) -> Spans {
        let mut spans = self.spans(text.as_bytes());
        for (start, end) in &mut spans {
            *start = (0..=*start).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            *end = (*end..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        }
        spans
    }

    /// The places to mask in a text. Those that overlap are one: a secret may be part of another, or begin inside it.
    fn spans(&self, text: &[u8]) -> Spans {
        let (mut spans, pieces) = self.within(text);
        spans.extend(pieces);
        for view in views(text) {
            let (whole, pieces) = self.within(&view.bytes);
            spans.extend(whole.into_iter().map(|(start, end)| view.origin(start, end)));
            spans.extend(pieces.into_iter().map(|(start, end)| view.origin_up_to(start, end)));
        }
        spans.sort_unstable();
        spans.into_iter().fold(Spans::new(), |mut merged, span| {
            add(&mut merged, span);
            merged
        })
    }

    /// The secrets in a text, and what is left of them where it was cut.
    fn within(&self, text: &[u8]) -> (Spans, Spans) {
        let cuts = cuts(text);
        let (mut whole, mut pieces) = (Spans::new(), Spans::new());
        let mut starts = cuts.iter().map(|(start, _)| *start).filter(|start| *start > 0).peekable();
        for (end, ending) in (1..).zip(self.forward.after_each(text.iter().copied())) {
            if let Some(length) = ending.whole() {
                let start = end - length;
                let before = ending.before && start > 0 && is_base64(text[start - 1]);
                let after = ending.after && text.get(end).copied().is_some_and(is_base64);
                add(&mut whole, (start - usize::from(before), end + usize::from(after)));
            }
            if starts.next_if_eq(&end).is_some() {
                pieces.extend(ending.piece(SHORTEST).map(|length| (end - length, end)));
            }
        }
        pieces.extend(self.behind(&cuts, text));
        (whole, pieces)
    }

    /// What is left of secrets behind the places where a text was cut.
    fn behind(&self, cuts: &[(usize, usize)], text: &[u8]) -> Spans {
        let Some((_, last)) = cuts.last() else { return Spans::new() };
        let until = text.len().min(last + CUT_ESCAPE + self.backward.longest());
        let endings = self.backward.after_each(text[..until].iter().rev().copied());
        let mut lengths: Vec<Option<usize>> = endings.map(|ending| ending.piece(SHORTEST)).collect();
        lengths.reverse();
        let nexts = cuts.iter().skip(1).map(|(start, _)| *start).chain([until]);
        let pieces = cuts.iter().zip(nexts).filter_map(|((_, end), next)| {
            // The end of an escape may come first.
            let mut starts = *end..=next.min(end + CUT_ESCAPE);
            starts.find_map(|start| Some((*end, start + lengths.get(start).copied().flatten()?)))
        });
        pieces.collect()
    }

    /// Where the longest end of a text begins that a form begins with.
    fn open_end(&self, text: &[u8]) -> usize {
        // In base64, what is before a secret may have bits of it.
        let before = |text: &[u8], start: usize| start - usize::from(start > 0 && is_base64(text[start - 1]));
        let at = |text: &[u8]| {
            let start = self.forward.at_end_of(text).piece(1).map(|length| text.len() - length);
            start.into_iter().chain(open_escape(text)).min().map(|start| before(text, start))
        };
        let in_view = |view: &View| at(&view.bytes).map(|start| view.origin(start, view.bytes.len()).0);
        let plain = at(text).unwrap_or_else(|| before(text, text.len()));
        views(text).iter().filter_map(in_view).chain([plain]).min().unwrap_or(text.len())
    }
}

/// The most bytes that are left of an escape which was cut.
const CUT_ESCAPE: usize = 9;

/// Adds a place, which is one with the last ones if it overlaps with them.
fn add(spans: &mut Spans, (mut start, mut end): (usize, usize)) {
    while let Some(before) = spans.pop_if(|before| start < before.1) {
        (start, end) = (start.min(before.0), end.max(before.1));
    }
    spans.push((start, end));
}

/// Puts something in place of each span.
fn replace(text: &[u8], spans: &[(usize, usize)], by: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    for (start, end) in spans {
        out.extend_from_slice(&text[at..*start]);
        out.extend(by(&text[*start..*end]));
        at = *end;
    }
    out.extend_from_slice(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;

    #[test]
    fn a_secret_is_masked_wherever_it_stands() {
        let secrets = Secrets::new(["hunter2".to_owned(), "hunter2-long".to_owned(), String::new()]);
        let mut text = "a hunter2-long b hunter2".to_owned();
        secrets.mask(&mut text);
        assert_eq!(text, "a *** b ***");
    }

    #[test]
    fn no_character_of_base64_that_has_bits_of_a_secret_is_left_and_no_other_is_taken() {
        let secret = "correct-horse-9";
        let secrets = Secrets::new([secret.to_owned()]);
        for before in 0..6 {
            for after in 0..6 {
                let whole = format!("{}{secret}{}", "p".repeat(before), "s".repeat(after));
                let text = base64::engine::general_purpose::STANDARD.encode(&whole);
                let (first, end) = (8 * before / 6, (8 * (before + secret.len())).div_ceil(6));
                let masked = secrets.masked(text.clone());
                let expected = format!("{}***{}", &text[..first], &text[end..]);
                // Padding at the end tells nothing, and may go with the mask.
                assert_eq!(masked.trim_end_matches('='), expected.trim_end_matches('='), "{whole}");
            }
        }
        let alone = base64::engine::general_purpose::STANDARD_NO_PAD.encode(secret);
        assert_eq!(secrets.masked(format!("({alone})")), "(***)");
        // What is not base64 is no part of it, even where it begins within a group.
        let within = base64::engine::general_purpose::STANDARD_NO_PAD.encode(format!("p{secret}"));
        assert_eq!(secrets.masked(format!("({})", &within[2..])), "(***)");
    }

    #[test]
    fn a_secret_with_dots_in_it_is_masked_at_a_cut_too() {
        let secrets = Secrets::new(["Kqv...---x\u{2026}yz-W".to_owned()]);
        for (text, masked) in [
            ("a Kqv...---x\u{2026}yz-W b", "a *** b"),
            ("a Kqv...---x\u{2026}", "a ***\u{2026}"),
            ("a Kqv...---x\u{2026}yz...", "a ***..."),
            ("\u{2026}v...---x\u{2026}yz-W b", "\u{2026}*** b"),
            ("...--x%E2%80%A6yz-W b", "...*** b"),
            ("...--x%E2%80%A6yz-W", "...***"),
            ("a Kqv%2e..%2d--x%E2%80%A6%79\u{2026}", "a ***\u{2026}"),
        ] {
            assert_eq!(secrets.masked(text.to_owned()), masked);
        }
    }

    #[test]
    fn secrets_that_overlap_leave_nothing_behind() {
        let secrets = Secrets::new(["abcdef", "defghi", "cde", "xyzxyz"].map(str::to_owned));
        for (text, masked) in [
            ("<abcdefghi>", "<***>"),
            ("abcdefabcdef", "******"),
            ("abcde", "ab***"),
            ("xyzxyzxyz", "***"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(secrets.masked(text.to_owned()), masked);
        }
        let shown = format!("{secrets:?}");
        assert!(shown.starts_with("Secrets(") && !shown.contains("abc"), "{shown}");
    }

    #[test]
    fn a_long_secret_of_one_letter_costs_no_more_than_another() {
        // Each way to compare all its pieces with all of the text takes hours.
        let secret = "a".repeat(128 << 10);
        let secrets = Secrets::new([secret.clone()]);
        let open = format!("a{}", &secret[..secret.len() - 2]);
        assert_eq!(secrets.open_end(&open), 0);
        assert_eq!(secrets.masked(format!("<{secret}{secret}>")), "<***>");
        let text = format!("<{open}\u{2026}> and then {}\u{2026}{open}>", "aaaa...".repeat(9999));
        let masked = format!("<***\u{2026}> and then {}\u{2026}***>", "***...".repeat(9999));
        assert_eq!(secrets.masked(text), masked);
        let based = base64::engine::general_purpose::STANDARD.encode(&secret);
        assert_eq!(secrets.masked(format!("<{based}>")).trim_end_matches("=>"), "<***");
    }

    #[test]
    fn lines_that_are_parts_of_each_other_cost_no_more_than_others() {
        let lines: Vec<String> = (3..500).map(|length| "a".repeat(length)).collect();
        let secrets = Secrets::new([lines.join("\n"), "a".repeat(100_000)]);
        assert_eq!(secrets.masked(format!("<{}>", "a".repeat(200_000))), "<***>");
        assert_eq!(secrets.masked("<aaa> <aa>".to_owned()), "<***> <aa>");
    }

    #[test]
    fn masked_json_is_json() {
        let secrets = Secrets::new(["1234", "true", "a\"b\u{e9}"].map(str::to_owned));
        let json = r#"{"pin":1234,"n":51234,"on":true,"text":"<a\"b\u00e9>","a\"b\u00e9":[null]}"#;
        let masked = r#"{"pin":"***","n":51234,"on":"***","text":"<***>","***":[null]}"#;
        assert_eq!(secrets.masked_json(json.as_bytes()), masked);
        assert_eq!(secrets.masked_json(b"{1234"), "{***");
    }

    #[test]
    fn what_may_go_on_is_held_back_and_nothing_else() {
        let secrets = Secrets::new(["hunter2".to_owned()]);
        for (text, held) in
            [("a hunter2", "hunter2"), ("a hunter", "hunter"), ("hunter2 hu", "hu"), ("a hunter2 !", ""), ("", "")]
        {
            assert_eq!(&text[secrets.open_end(text)..], held, "{text}");
        }
        assert_eq!(Secrets::default().open_end("a hunter"), 8);
        assert_eq!((secrets.values(), Secrets::default().values()), (&["hunter2".to_owned()][..], &[][..]));
    }

    #[test]
    fn text_that_is_masked_once_stays_as_it_is() {
        let secrets = Secrets::new(["s\u{e9}cret".to_owned()]);
        let once = secrets.masked("\u{e9} s\u{e9}cret \u{e9}".to_owned());
        assert_eq!(once, "\u{e9} *** \u{e9}");
        assert_eq!(secrets.masked(once.clone()), once);
    }

    #[test]
    fn a_secret_is_masked_in_every_form_in_which_it_turns_up() {
        let secret = "ab\"cd\\ef\u{e9}SEC\nBEGIN PRIVATE KEY";
        let secrets = Secrets::new([secret.to_owned()]);
        let forms = [
            secret.to_owned(),
            serde_json::to_string(secret).unwrap(),
            "'ab\"cd\\\\ef\u{e9}SEC\\nBEGIN PRIVATE KEY'".to_owned(),
            "ab\\\"cd\\\\ef\\u00e9SEC\\nBEGIN PRIVATE KEY".to_owned(),
            "BEGIN PRIVATE KEY".to_owned(),
            "ab\"cd\\ef\\xe9SEC\nBEGIN PRIVATE KEY".to_owned(),
            base64::engine::general_purpose::STANDARD.encode(secret),
        ];
        for form in forms {
            let masked = secrets.masked(format!("<{form}>"));
            assert!(!masked.contains("SEC") && !masked.contains("PRIVATE") && masked.contains(MASK), "{form} {masked}");
        }
    }
}
