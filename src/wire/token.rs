//! The token of a step: a file in the directory of the run, by which a host sees that it shares the file system. Its first line is
//! the ID of the run. The others are what hosts must hear while they are busy: executors know how to submit, and little else.

use std::fmt;

/// What hosts must hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenLine {
    /// No further item starts.
    Stop,
    /// This item does not start. If it runs, it may finish.
    Skip(u64),
    /// This item ends, or does not start.
    Cancel(u64),
}

impl TokenLine {
    /// The lines of a token. One that is not whole yet is left out.
    pub fn all(token: &str) -> impl Iterator<Item = Self> + '_ {
        token.split_inclusive('\n').skip(1).filter_map(|line| Self::of(line.strip_suffix('\n')?))
    }

    fn of(line: &str) -> Option<Self> {
        match line.split_once(' ') {
            None => (line == "stop").then_some(Self::Stop),
            Some(("skip", index)) => index.parse().ok().map(Self::Skip),
            Some(("cancel", index)) => index.parse().ok().map(Self::Cancel),
            Some(_) => None,
        }
    }
}

impl fmt::Display for TokenLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop => writeln!(out, "stop"),
            Self::Skip(index) => writeln!(out, "skip {index}"),
            Self::Cancel(index) => writeln!(out, "cancel {index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written_once_they_are_whole() {
        let lines = [TokenLine::Cancel(7), TokenLine::Skip(u64::MAX), TokenLine::Stop];
        let token = format!("20261128-run\n{}{}{}", lines[0], lines[1], lines[2]);
        assert!(TokenLine::all(&token).eq(lines));
        assert!(TokenLine::all(&token[..token.len() - 1]).eq(lines[..2].iter().copied()));
        assert_eq!(TokenLine::all("20261128-run\nskip x\nelse\n").count(), 0);
    }
}
