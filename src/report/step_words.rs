//! A running step in the words of a terminal, for whoever draws it otherwise.

use super::bar_text::{SEPARATOR, facts, second};
use super::progress::{Measure, StepProgress};
use serde::Serialize;
use std::time::Duration;

/// The columns of a terminal on which nothing is left out.
const ALL: usize = 300;

/// A running step in words: what its lines say on a wide terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepWords {
    /// Its name.
    pub name: String,
    /// How much of it is done, if that is known.
    pub percent: Option<u64>,
    /// How far it is.
    pub facts: Vec<String>,
    /// What happens in it.
    pub details: Vec<String>,
}

/// The words of a step, so long after its start.
pub(super) fn words(progress: &StepProgress, now: Duration) -> StepWords {
    let has_bar = progress.percent().is_some() && progress.measure != Measure::Items(1);
    let facts = facts(progress, ALL, now).into_iter().map(|(_, fact)| fact.trim().to_owned());
    let details = second(progress, ALL, now).into_iter().map(|part| part.text);
    StepWords {
        name: progress.name.to_string(),
        percent: progress.percent().filter(|_| has_bar),
        facts: facts.collect(),
        details: details.filter(|text| text != SEPARATOR).collect(),
    }
}
