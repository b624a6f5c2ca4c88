//! `$(command)`: each line that a shell command prints is an item. The command finishes first, so that a command that fails is
//! an error before any item runs. What it prints is kept in a file and read as the step runs, so memory does not grow with it.
//! If it prints a NUL byte, as `find -print0` does, NUL bytes end the items, and line feeds are part of them.
//! A line that names a file, such as those of `$(ls *.csv)`, is also identified by the file's size and modification time.

use super::chunk::Chunk;
use super::error::SourceError;
use super::file_key::key_of;
use super::host::{Printed, RunCommand};
use super::lines;
use super::list::List;
use super::source::{Reread, Source};
use crate::model::{Compare, Items, Text};
use crate::template::{ItemScope, RenderedCommand, ShellCommand};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// The lines of a command.
pub(super) struct CommandLines {
    /// The command, for messages.
    command: String,
    lines: BufReader<File>,
    line: Vec<u8>,
    /// What ends an item.
    end: u8,
    /// How many lines were read.
    number: usize,
    total: u64,
    /// How files are compared that a line names.
    compare: Compare,
    /// The lines in another order than they were printed. It needs all of them.
    ordered: Option<List>,
}

pub(super) fn open(
    text: &Text,
    scope: &Arc<ItemScope>,
    env: &[(String, String)],
    run: &RunCommand<'_>,
) -> Result<CommandLines, SourceError> {
    let failed = |how: String| SourceError::Command { command: text.raw.trim().to_owned(), how };
    let mut command = match ShellCommand::compile(text)?.render(scope)? {
        RenderedCommand::Argv(words) => {
            let (program, arguments) = words.split_first().ok_or_else(|| failed("is empty".to_owned()))?;
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
        RenderedCommand::Script { script, variables } => {
            let mut command = Command::new("/bin/sh");
            command.arg("-c").arg(script).envs(variables);
            command
        }
    };
    let env = env.iter().map(|(name, value)| (name, value));
    let printed = run(command.envs(env).stdin(Stdio::null()));
    let Printed { status, stdout, stderr } = printed.map_err(|error| {
        failed(match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                format!("printed more than could be kept: {error}")
            }
            _ => format!("could not be started: {error}"),
        })
    })?;
    if !status.success() {
        let stderr = String::from_utf8_lossy(&stderr);
        let last_line = stderr.lines().rev().find(|line| !line.trim().is_empty());
        let last_line = last_line.map_or(String::new(), |line| format!(": {}", line.trim()));
        return Err(failed(format!("failed with {status}{last_line}")));
    }
    CommandLines::of(text.raw.clone(), stdout)
}

impl CommandLines {
    /// Lines in a file. Reads all of them, to count them and to find those that are no text.
    fn of(command: String, file: File) -> Result<Self, SourceError> {
        let lines = BufReader::with_capacity(256 << 10, file);
        let compare = Compare::Time;
        let mut all =
            Self { command, lines, line: Vec::new(), end: b'\n', number: 0, total: 0, compare, ordered: None };
        all.rewind()?;
        all.end = if all.has_nul()? { 0 } else { b'\n' };
        all.rewind()?;
        let mut total = 0;
        while all.next_item()?.is_some() {
            total += 1;
        }
        all.rewind()?;
        Ok(Self { total, ..all })
    }

    fn has_nul(&mut self) -> Result<bool, SourceError> {
        loop {
            let seen = self.lines.fill_buf().map(|buffer| (memchr::memchr(0, buffer).is_some(), buffer.len()));
            let (found, read) = seen.map_err(|source| self.unreadable(source))?;
            if found || read == 0 {
                return Ok(found);
            }
            self.lines.consume(read);
        }
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        self.lines.rewind().map_err(|source| self.unreadable(source))?;
        self.number = 0;
        Ok(())
    }

    fn unreadable(&self, source: io::Error) -> SourceError {
        let how = format!("printed what cannot be read again: {source}");
        SourceError::Command { command: self.command.trim().to_owned(), how }
    }

    /// The next line that is not empty, as JSON.
    fn next_item(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        loop {
            self.line.clear();
            let read = self.lines.read_until(self.end, &mut self.line);
            if read.map_err(|source| self.unreadable(source))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let line = self.line.strip_suffix(&[self.end]).unwrap_or(&self.line);
            if let Some(item) = lines::item(line, self.number, &self.command)? {
                return Ok(Some(item));
            }
        }
    }

    /// All items in memory, if any of them names a file.
    fn load(&mut self) -> Result<Option<List>, SourceError> {
        let mut names_file = false;
        while !names_file && let Some(item) = self.next_item()? {
            let path: Option<String> = serde_json::from_slice(&item).ok();
            names_file = path.is_some_and(|path| std::fs::metadata(path).is_ok());
        }
        self.rewind()?;
        if !names_file {
            return Ok(None);
        }
        let items: Result<Vec<_>, _> = std::iter::from_fn(|| self.next_item().transpose()).collect();
        let items = items?;
        self.rewind()?;
        Ok(Some(List::of_files(items)))
    }
}

impl Source for CommandLines {
    fn total(&self) -> Option<u64> {
        Some(self.total)
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        if let Some(ordered) = &mut self.ordered {
            return ordered.next(most);
        }
        let mut items = Items::default();
        while items.len() < most
            && !items.is_full()
            && let Some(item) = self.next_item()?
        {
            items.push(&item);
        }
        let by = self.file_keys();
        Ok(Chunk::of_json(items, |item| key_of(item, by)))
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        match &mut self.ordered {
            Some(ordered) => ordered.reread(),
            None => self.rewind().map(|()| Reread::Ready),
        }
    }

    fn compare_content(&mut self) {
        self.compare = Compare::Content;
    }

    fn file_keys(&self) -> Option<Compare> {
        Some(self.compare)
    }

    fn largest_first(&mut self, most: u64) {
        // Lines that cannot be read again fail where they are needed.
        let Ok(Some(mut list)) = self.load() else { return };
        if self.compare == Compare::Content {
            list.compare_content();
        }
        list.largest_first(most);
        self.ordered = Some(list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lines(printed: &str) -> Result<CommandLines, SourceError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(printed.as_bytes()).unwrap();
        CommandLines::of("list".to_owned(), file)
    }

    fn all(source: &mut CommandLines, most: usize) -> Vec<String> {
        let chunks = std::iter::from_fn(|| source.next(most).unwrap());
        let texts = |chunk: Chunk| chunk.items.iter().map(|item| String::from_utf8_lossy(item).into_owned()).collect();
        chunks.flat_map(|chunk: Chunk| -> Vec<String> { texts(chunk) }).collect()
    }

    #[test]
    fn lines_are_given_in_chunks_as_often_as_they_are_read() {
        let mut source = lines("a\n\nb\r\n\"c\"\n\nd").unwrap();
        assert_eq!(source.total(), Some(4));
        for most in [1, 3, 100] {
            assert_eq!(all(&mut source, most), [r#""a""#, r#""b""#, r#""\"c\"""#, r#""d""#]);
            assert_eq!(source.reread().unwrap(), Reread::Ready);
        }
        assert_eq!(lines("\n\n").unwrap().total(), Some(0));
    }

    #[test]
    fn lines_that_name_files_can_be_given_by_their_size() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (small, large) = (file("small", "1"), file("large", "123"));
        let mut source = lines(&format!("{small}\n{large}\n")).unwrap();
        source.largest_first(u64::MAX);
        assert_eq!(source.next(1).unwrap().unwrap().indexes, Some(vec![1]));
        let mut source = lines("a\nb\n").unwrap();
        source.largest_first(u64::MAX);
        assert!(source.ordered.is_none(), "lines that name no file stay where they are");
        assert_eq!(all(&mut source, 9).len(), 2);
    }
}
