//! Files, functions and structs stay small enough to read.

use crate::source_tree::source_files;

const MOST_LINES: usize = 400;
const MOST_FUNCTION_LINES: usize = 60;
const MOST_FIELDS: usize = 12;

/// How a comment above a larger struct begins that says why it is one.
const REASON: &str = "// More than 12 fields: ";

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The lines of an item that begins at `start`: up to the line that closes it, as rustfmt writes it.
fn item<'a>(lines: &[&'a str], start: usize) -> Vec<&'a str> {
    let depth = indent(lines[start]);
    let body = &lines[start..];
    let end = body.iter().position(|line| indent(line) == depth && line.trim_start().starts_with('}')).unwrap_or(0);
    body[..=end].to_vec()
}

fn is_function(line: &str) -> bool {
    let words = ["pub ", "pub(crate) ", "pub(super) ", "pub(in crate::task) ", "const ", "unsafe ", "extern \"C\" "];
    let mut line = line.trim_start();
    while let Some(rest) = words.iter().find_map(|word| line.strip_prefix(word)) {
        line = rest;
    }
    line.starts_with("fn ")
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let files = source_files().into_iter().map(|file| (file.text.lines().count(), file.path));
    let long: Vec<_> = files.filter(|(lines, _)| *lines > MOST_LINES).collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_function_is_longer_than_60_lines() {
    let mut long = Vec::new();
    for file in source_files() {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in
            lines.iter().enumerate().filter(|(_, line)| is_function(line) && !line.trim_end().ends_with(';'))
        {
            let length = item(&lines, number).len();
            if length > MOST_FUNCTION_LINES {
                long.push(format!("{}:{} {} ({length} lines)", file.path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_struct_has_more_than_12_fields_without_a_reason() {
    let mut large = Vec::new();
    for file in source_files() {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let words: Vec<&str> = line.split_whitespace().filter(|word| !word.starts_with("pub")).collect();
            if words.first() != Some(&"struct") || !line.trim_end().ends_with('{') {
                continue;
            }
            let depth = indent(line) + 4;
            let field = |line: &&&str| {
                indent(line) == depth && line.contains(": ") && !line.trim_start().starts_with(['/', '#'])
            };
            let fields = item(&lines, number).iter().filter(field).count();
            let above = lines[..number].iter().rev().take_while(|line| !line.trim().is_empty());
            if fields > MOST_FIELDS && !above.into_iter().any(|line| line.trim_start().starts_with(REASON)) {
                large.push(format!("{}:{} {} ({fields} fields)", file.path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(large.is_empty(), "{large:#?}");
}
