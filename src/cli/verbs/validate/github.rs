//! Errors and warnings as workflow commands of GitHub Actions, which shows them at their lines in a pull request.

use crate::cli::finding::{Finding, Place};
use crate::compile::{Level, Warning};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A line for each error.
pub fn commands(findings: &[Finding]) -> String {
    findings.iter().map(|finding| command("error", finding)).collect()
}

/// A line for a warning.
pub fn warning(warning: &Warning) -> String {
    let word = match warning.level {
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    command(word, &Finding::warning(warning))
}

fn command(word: &str, finding: &Finding) -> String {
    let mut line = format!("::{word} file={}", property(&seen_from_workspace(&finding.file)));
    let Place { line: from, column, end_line, end_column } = finding.place;
    for (name, number) in [("line", from), ("col", column), ("endLine", end_line), ("endColumn", end_column)] {
        if let Some(number) = number {
            let _ = write!(line, ",{name}={number}");
        }
    }
    let title = finding.path.as_deref().map_or_else(|| "batchmill".to_owned(), |path| format!("batchmill: {path}"));
    let mut message = finding.message.clone();
    if let Some(label) = &finding.label {
        let _ = write!(message, ": {label}");
    }
    for note in &finding.notes {
        let place = note.place.line.map_or_else(String::new, |line| format!("line {line}: "));
        let _ = write!(message, "\nnote: {place}{}", note.message);
    }
    if let Some(help) = &finding.help {
        let _ = write!(message, "\nhelp: {help}");
    }
    let _ = writeln!(line, ",title={}::{}", property(&title), data(&message));
    line
}

/// The path as GitHub wants it: from the root of the repository.
fn seen_from_workspace(file: &str) -> String {
    let inside = || -> Option<PathBuf> {
        let root = PathBuf::from(std::env::var_os("GITHUB_WORKSPACE")?).canonicalize().ok()?;
        Some(Path::new(file).canonicalize().ok()?.strip_prefix(root).ok()?.to_path_buf())
    };
    inside().map_or_else(|| file.to_owned(), |path| path.display().to_string())
}

/// A text, escaped as `@actions/core` does.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_can_end_a_command() {
        let place = Place { line: Some(3), column: Some(5), end_line: Some(3), end_column: Some(9) };
        let finding = Finding {
            place,
            label: Some("here".to_owned()),
            path: Some("steps.a, b".to_owned()),
            help: Some("use 50%\r\n::error::no".to_owned()),
            ..Finding::of_file("a:b.yaml", "wrong, really")
        };
        let line = "::error file=a%3Ab.yaml,line=3,col=5,endLine=3,endColumn=9,title=batchmill%3A steps.a%2C b::wrong, really: \
                    here%0Ahelp: use 50%25%0D%0A::error::no\n";
        assert_eq!(command("error", &finding), line);
    }
}
