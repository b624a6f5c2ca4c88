//! Failures in groups by cause: the same step and type, and messages that differ only in what varies from item to item.
//!
//! Owns the counts; its memory does not grow with the number of failures. Text in here is as tasks wrote it: whoever shows it
//! makes it printable.

use super::pattern::{HOLE, Pattern};
use crate::model::StepName;
use std::cmp::Reverse;
use std::collections::HashMap;

/// The maximum number of groups. Beyond it, those that have only one failure are counted together.
const MOST_GROUPS: usize = 2000;

/// How many items of a group are named.
const MOST_SAMPLES: usize = 3;

/// The longest variable part that is kept, in bytes.
const LONGEST_PART: usize = 100;

/// Failures of one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureGroup {
    /// The step.
    pub step: StepName,
    /// The type of the failures: the class of an exception or the like.
    pub class: String,
    /// How many there are.
    pub count: u64,
    /// The indexes of the first items that failed this way.
    pub samples: Vec<u64>,
    /// The message of the first.
    pub first: String,
    /// The message with `…` in place of everything that may vary.
    pattern: String,
    /// What is the same in each message so far, for each `…`.
    parts: Vec<Option<String>>,
    /// Its place among the groups, by the first failure.
    order: u64,
}

impl FailureGroup {
    /// The message with `…` in place of what differs between the failures.
    pub fn message(&self) -> String {
        let mut parts = self.parts.iter();
        let mut message = String::with_capacity(self.pattern.len());
        for c in self.pattern.chars() {
            match c {
                HOLE => message.push_str(parts.next().and_then(Option::as_deref).unwrap_or("…")),
                c => message.push(c),
            }
        }
        message
    }

    fn take(&mut self, index: u64, parts: &[&str]) {
        self.count += 1;
        if self.samples.len() < MOST_SAMPLES {
            self.samples.push(index);
        }
        for (kept, part) in self.parts.iter_mut().zip(parts) {
            if kept.as_deref() != Some(*part) {
                *kept = None;
            }
        }
    }
}

/// One failure, for grouping.
#[derive(Debug, Clone, Copy)]
pub struct FailureText<'a> {
    /// The step.
    pub step: &'a StepName,
    /// The index of the item.
    pub index: u64,
    /// The class of an exception or the like.
    pub class: &'a str,
    /// The message.
    pub message: &'a str,
}

/// Counts failures by cause.
#[derive(Debug, Default)]
pub struct FailureGroups {
    /// By step, type and pattern.
    groups: HashMap<String, FailureGroup>,
    /// Failures that are in no group, because there were too many groups.
    other: u64,
    total: u64,
    began: u64,
}

impl FailureGroups {
    /// Counts a failure. Returns its group, or nothing if there are too many groups.
    pub fn add(&mut self, failure: FailureText<'_>) -> Option<&FailureGroup> {
        let FailureText { step, index, class, message } = failure;
        let mut pattern = Pattern::default();
        pattern.set(message);
        self.total += 1;
        let key = format!("{step}\0{class}\0{}", pattern.text);
        let is_new = !self.groups.contains_key(&key);
        if is_new && self.groups.len() >= MOST_GROUPS {
            self.forget_single();
        }
        if is_new && self.groups.len() >= MOST_GROUPS {
            self.other += 1;
            return None;
        }
        self.began += u64::from(is_new);
        let group = self.groups.entry(key).or_insert_with(|| FailureGroup {
            step: step.clone(),
            class: class.to_owned(),
            count: 0,
            samples: Vec::new(),
            first: beginning(message).to_owned(),
            parts: pattern.parts.iter().map(kept).collect(),
            pattern: std::mem::take(&mut pattern.text),
            order: self.began,
        });
        group.take(index, &pattern.parts);
        Some(group)
    }

    /// Makes room: a cause that matters comes again.
    fn forget_single(&mut self) {
        let before = self.groups.len();
        self.groups.retain(|_, group| group.count > 1);
        self.other += (before - self.groups.len()) as u64;
    }

    /// The groups, the largest first; those of one size in the order in which they began.
    pub fn largest(&self) -> Vec<&FailureGroup> {
        let mut groups: Vec<&FailureGroup> = self.groups.values().collect();
        groups.sort_by_key(|group| (Reverse(group.count), group.order));
        groups
    }

    /// How many failures are in no group.
    pub fn other(&self) -> u64 {
        self.other
    }

    /// How many failures there are.
    pub fn total(&self) -> u64 {
        self.total
    }
}

fn kept(part: &&str) -> Option<String> {
    (part.len() <= LONGEST_PART).then(|| (*part).to_owned())
}

/// As much of a message as is kept.
fn beginning(message: &str) -> &str {
    const MOST: usize = 1000;
    let end = (0..=MOST.min(message.len())).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
    &message[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(failures: &[(&str, &str, &str)]) -> FailureGroups {
        let mut groups = FailureGroups::default();
        for (index, (step, class, message)) in (0..).zip(failures) {
            let step = StepName::new(step).unwrap();
            groups.add(FailureText { step: &step, index, class, message });
        }
        groups
    }

    /// `COUNT STEP TYPE: MESSAGE SAMPLES` of each group.
    fn lines(groups: &FailureGroups) -> Vec<String> {
        let line = |group: &&FailureGroup| {
            format!("{} {} {}: {} {:?}", group.count, group.step, group.class, group.message(), group.samples)
        };
        groups.largest().iter().map(line).collect()
    }

    #[test]
    fn failures_of_one_cause_are_counted_together() {
        let groups = groups(&[
            ("load", "ParserError", "expected 19 fields in line 6, saw 21"),
            ("price", "ValueError", "could not convert 'a'"),
            ("price", "ValueError", "could not convert 'b'"),
            ("price", "TypeError", "could not convert 'b'"),
            ("price", "ValueError", "could not convert 'c'"),
            ("price", "ValueError", "could not convert ''"),
        ]);
        assert_eq!(
            lines(&groups),
            [
                "4 price ValueError: could not convert '…' [1, 2, 4]",
                "1 load ParserError: expected 19 fields in line 6, saw 21 [0]",
                "1 price TypeError: could not convert 'b' [3]",
            ]
        );
        assert_eq!((groups.total(), groups.other()), (6, 0));
    }

    #[test]
    fn what_is_the_same_in_all_failures_is_told() {
        let same = groups(&[("a", "KeyError", "'price'"), ("a", "KeyError", "'price'")]);
        assert_eq!(lines(&same), ["2 a KeyError: 'price' [0, 1]"]);
        let partly = groups(&[
            ("a", "E", "expected 19 fields in line 6 of /a/b.csv"),
            ("a", "E", "expected 19 fields in line 7 of /a/b.csv"),
        ]);
        assert_eq!(lines(&partly), ["2 a E: expected 19 fields in line … of /a/b.csv [0, 1]"]);
    }

    #[test]
    fn memory_is_bounded_and_a_frequent_cause_stays() {
        let mut groups = FailureGroups::default();
        let step = StepName::new("a").unwrap();
        let word = |mut number: u64| {
            let letters = std::iter::from_fn(|| {
                let letter = char::from(b'g' + (number % 20) as u8);
                number /= 20;
                Some(letter)
            });
            letters.take(6).collect::<String>()
        };
        for index in 0..50_000 {
            let message = if index % 10 == 0 { "it hangs".to_owned() } else { format!("{} broke", word(index)) };
            groups.add(FailureText { step: &step, index, class: "E", message: &message });
        }
        assert!(groups.largest().len() <= MOST_GROUPS);
        let counted: u64 = groups.largest().iter().map(|group| group.count).sum();
        assert_eq!((groups.total(), counted + groups.other()), (50_000, 50_000));
        assert_eq!(lines(&groups)[0], "5000 a E: it hangs [0, 10, 20]");
    }

    #[test]
    fn long_and_hostile_messages_are_kept_in_part() {
        let hostile = format!("\u{1b}[2J\0…\u{202e} '{}'", "x".repeat(1 << 20));
        let groups = groups(&[("a", "E\0", &hostile), ("a", "E\0", &hostile), ("a", "E", "\0\u{1b}[2J")]);
        let largest = groups.largest();
        assert_eq!(largest.iter().map(|group| group.count).collect::<Vec<_>>(), [2, 1]);
        assert!(largest[0].message().len() < 3000 && largest[0].first.len() <= 1000);
    }
}
