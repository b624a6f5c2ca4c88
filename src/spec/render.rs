//! Renders diagnostics for a terminal: the place, the source line with an underline, and the help.
//!
//! Every text is escaped before the renderer gets it, so whatever is in a file, the only control characters that come out are line
//! breaks and the colours of the renderer. The underline is moved along with the text that is escaped.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::source_file::{SourceFile, floor};
use crate::model::Span;
use crate::text::{Printable, hide_passwords};
use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

/// The most errors to show. Others are counted.
const SHOWN: usize = 50;

/// Lines farther apart than this are shown separately.
const FARTHEST: usize = 500;

/// Source lines longer than this are truncated around the underlined text.
const WIDEST: usize = 240;

/// How text for a terminal looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With ANSI colours.
    Colored,
    /// Without.
    Plain,
}

/// How an excerpt is underlined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Underline {
    /// The place of the error.
    Primary,
    /// Another place that is involved.
    Secondary,
}

impl Diagnostics {
    /// The errors as text for a terminal. Ends with a line break.
    pub fn render(&self, style: Style) -> String {
        let renderer = match style {
            Style::Colored => Renderer::styled(),
            Style::Plain => Renderer::plain(),
        };
        let path = Printable::path(&self.source().path).to_string();
        // A password that is written into the file is shown by no error.
        let source = SourceFile { text: hide_passwords(&self.source().text), ..self.source().clone() };
        let mut out = String::new();
        for error in self.errors().iter().take(SHOWN) {
            out.push_str(&render_one(&renderer, &source, &path, error));
            out.push_str("\n\n");
        }
        out.pop();
        if let Some(more @ 1..) = self.errors().len().checked_sub(SHOWN) {
            out.push_str(&format!("\n... and {more} more errors\n"));
        }
        out
    }
}

fn render_one(renderer: &Renderer, source: &SourceFile, path: &str, error: &Diagnostic) -> String {
    let mut group = Group::with_title(Level::ERROR.primary_title(Printable::lines(&error.message).to_string()));
    let labels = Labels::of(error);
    group = match error.span.map(|span| Excerpt::all(source, span, (error, &labels))) {
        Some(excerpts) if !excerpts.is_empty() => group.elements(elements(source, path, excerpts)),
        Some(_) | None => {
            let place = error.span.map(|span| source.line_column(span.start));
            group.element(
                place.map_or(Origin::path(path), |(line, column)| Origin::path(path).line(line).char_column(column)),
            )
        }
    };
    if let Some(context) = &error.context {
        group = group.element(Level::NOTE.with_name(Some("in")).message(Printable::line(&**context).to_string()));
    }
    if let Some(help) = &error.help {
        group = group.element(Level::HELP.message(Printable::lines(&**help).to_string()));
    }
    renderer.render(&[group])
}

/// The place and the excerpts: one snippet if no line is truncated or escaped, else one for each line, because columns differ then.
fn elements<'a>(source: &'a SourceFile, path: &'a str, excerpts: Vec<Excerpt<'a>>) -> Vec<Element<'a>> {
    let (first, last) = (&excerpts[0], &excerpts[excerpts.len() - 1]);
    let (start, end) = (first.line.start, last.line.end);
    let is_near = last.number - first.number <= FARTHEST;
    if is_near && excerpts.iter().all(|excerpt| !excerpt.is_long()) && is_printable(&source.text[start..end]) {
        let snippet = Snippet::source(&source.text[start..end]).path(path).line_start(first.number);
        let notes = excerpts.iter().map(|excerpt| excerpt.note(excerpt.line.start - start));
        return vec![snippet.annotations(notes.collect::<Vec<_>>()).into()];
    }
    let primary = excerpts.iter().find(|excerpt| excerpt.underline == Underline::Primary).unwrap_or(first);
    let column = source.line_column(primary.line.start + primary.from).1;
    let mut elements = vec![Origin::path(path).line(primary.number).char_column(column).into()];
    for excerpt in excerpts {
        let (line, from, to) = cut(&source.text[excerpt.line.start..excerpt.line.end], excerpt.from, excerpt.to);
        let (line, from, to) = escaped(&line, from, to);
        let excerpt = Excerpt { from, to, ..excerpt };
        elements.push(Snippet::source(line).line_start(excerpt.number).annotation(excerpt.note(0)).into());
    }
    elements
}

/// The labels of an error, escaped: of its own place, and of the others.
struct Labels {
    own: Option<String>,
    others: Vec<String>,
}

impl Labels {
    fn of(error: &Diagnostic) -> Self {
        let line = |text: &str| Printable::line(text).to_string();
        Self {
            own: error.label.as_deref().map(line),
            others: error.others.iter().map(|(_, label)| line(label)).collect(),
        }
    }
}

/// Whether nothing in a text has to be escaped. Tabs are no trouble for the renderer.
fn is_printable(text: &str) -> bool {
    let text = text.replace(['\t', '\r'], " ");
    Printable::lines(&text).as_str() == text
}

/// A line that is escaped, with the place of the underlined text in it.
fn escaped(line: &str, from: usize, to: usize) -> (String, usize, usize) {
    if is_printable(line) {
        return (line.to_owned(), from, to);
    }
    let part = |text: &str| Printable::lines(text).to_string();
    let (before, inside, after) = (part(&line[..from]), part(&line[from..to]), part(&line[to..]));
    let (from, to) = (before.len(), before.len() + inside.len());
    (before + &inside + &after, from, to)
}

/// One line of the source with the text to underline in it.
#[derive(Clone)]
struct Excerpt<'a> {
    line: Span,
    number: usize,
    /// The underlined text, relative to the start of the line.
    from: usize,
    to: usize,
    label: Option<&'a str>,
    underline: Underline,
}

impl<'a> Excerpt<'a> {
    /// The excerpts of an error, in the order of the text.
    fn all(source: &SourceFile, span: Span, (error, labels): (&Diagnostic, &'a Labels)) -> Vec<Self> {
        let mut all = vec![Self::new(source, span, labels.own.as_deref(), Underline::Primary)];
        let others = error.others.iter().zip(&labels.others);
        all.extend(others.map(|((span, _), label)| Self::new(source, *span, Some(label), Underline::Secondary)));
        all.retain(|excerpt| excerpt.line.start < excerpt.line.end);
        all.sort_by_key(|excerpt| excerpt.number);
        all
    }

    /// An excerpt with the first line of the span.
    fn new(source: &SourceFile, span: Span, label: Option<&'a str>, underline: Underline) -> Self {
        let text = source.text.as_str();
        let start = floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = text[line_start..line_end].trim_end_matches('\r');
        let from = (start - line_start).min(line.len());
        let to = floor(line, span.end.saturating_sub(line_start)).max(from);
        Self {
            line: Span::new(line_start, line_start + line.len()),
            number: source.line_column(start).0,
            from,
            to: from + line[from..to].trim_end().len(),
            label,
            underline,
        }
    }

    fn is_long(&self) -> bool {
        self.line.end - self.line.start > WIDEST
    }

    /// The underline. The line starts `offset` bytes into the snippet.
    fn note(&self, offset: usize) -> Annotation<'a> {
        let kind = if self.underline == Underline::Primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        kind.span(offset + self.from..offset + self.to).label(self.label)
    }
}

/// Truncates a very long line to a window around the underlined text.
fn cut(line: &str, from: usize, to: usize) -> (String, usize, usize) {
    if line.len() <= WIDEST {
        return (line.to_owned(), from, to);
    }
    let room = DEFAULT_TERM_WIDTH / 2;
    let to = floor(line, to.min(from + room)).max(from);
    let left = floor(line, from.saturating_sub(room / 2));
    let right = floor(line, (to + room / 2).min(line.len()));
    let (head, tail) = (if left > 0 { "..." } else { "" }, if right < line.len() { "..." } else { "" });
    let window = format!("{head}{}{tail}", &line[left..right]);
    (window, from - left + head.len(), to - left + head.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> SourceFile {
        SourceFile { path: "nightly.yaml".into(), text: text.to_owned() }
    }

    #[test]
    fn an_error_shows_its_place_its_path_and_its_help() {
        let error = Diagnostic::at(Span::new(7, 20), "unknown key `max_paralel`")
            .label("did you mean `max_parallel`?")
            .within("steps.a")
            .help("see `batchmill schema`");
        let errors = Diagnostics::one(source("a: 1\n  max_paralel: 3\n"), error);
        insta::assert_snapshot!(errors.render(Style::Plain));
    }

    #[test]
    fn an_error_can_point_at_two_lines() {
        let error = Diagnostic::at(Span::new(10, 11), "duplicate key `a`").also(Span::new(0, 1), "first defined here");
        let errors = Diagnostics::one(source("a: 1\nb: 2\na: 3\n"), error);
        insta::assert_snapshot!(errors.render(Style::Plain));
    }

    #[test]
    fn an_error_of_the_whole_file_shows_its_path() {
        let errors = Diagnostics::one(source(""), Diagnostic::of_file("the file is empty"));
        insta::assert_snapshot!(errors.render(Style::Plain));
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_the_underline_stays_below_its_text() {
        let text = "\u{85}\u{1b}[31m: [\u{202e}wrong\u{9b}2J]\rb\n";
        let at = text.find("wrong").unwrap();
        let error =
            Diagnostic::at(Span::new(at, at + 5), "bad `\u{1b}[2J`").label("\u{9b}1A").also(Span::new(0, 2), "\u{85}");
        let source = SourceFile { path: "a\u{1b}[31m\nerror: b.yaml".into(), ..source(text) };
        for style in [Style::Plain, Style::Colored] {
            let shown = Diagnostics::one(source.clone(), error.clone()).render(style);
            let own =
                ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[1m\u{1b}[91m", "\u{1b}[1m\u{1b}[94m", "\u{1b}[91m", "\u{1b}[94m"];
            let rest = own.iter().fold(shown.clone(), |text, colour| text.replace(colour, ""));
            let hostile = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            assert!(!rest.contains(hostile) && !rest.contains("\nerror: b"), "{rest:?}");
        }
        let shown = Diagnostics::one(source, error).render(Style::Plain);
        let lines: Vec<&str> = shown.lines().collect();
        let line = lines.iter().position(|line| line.contains("wrong")).unwrap();
        let columns = |text: &str, needle: &str| text.find(needle).map(|at| text[..at].chars().count());
        assert_eq!(columns(lines[line], "wrong"), columns(lines[line + 1], "^^^^^"), "{shown}");
        assert!(shown.contains(&format!(":1:{}", text[..at].chars().count() + 1)), "{shown}");
    }

    #[test]
    fn a_very_long_line_is_truncated_around_the_underline() {
        let text = format!("items: [{}here{}]\n", "a, ".repeat(50_000), ", b".repeat(50_000));
        let at = text.find("here").unwrap();
        let errors = Diagnostics::one(source(&text), Diagnostic::at(Span::new(at, at + 4), "wrong"));
        let shown = errors.render(Style::Plain);
        assert!(shown.len() < 1000, "{shown}");
        assert!(shown.contains("a, a, here, b, b"), "{shown}");
        assert!(shown.contains(&format!("nightly.yaml:1:{}", at + 1)), "{shown}");
    }

    #[test]
    fn a_span_over_several_lines_is_underlined_in_its_first() {
        let errors = Diagnostics::one(source("a: 1\nb:\n  c: 2\n"), Diagnostic::at(Span::new(5, 15), "wrong"));
        assert!(errors.render(Style::Plain).contains("2 | b:\n  | ^^"), "{}", errors.render(Style::Plain));
    }
}
