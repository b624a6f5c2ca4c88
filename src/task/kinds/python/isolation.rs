//! Which units to run together after a worker was lost, in order to find the unit to blame.
//!
//! If a worker dies while running a unit, that unit has failed and the others go on together. In two cases the culprit is
//! unknown:
//!
//! - A worker dies between units. From then on units run one by one, and the next one that kills a worker has failed.
//! - A worker exceeds its memory limit. Earlier units may have used the memory, so the current unit runs once more, alone in a
//!   fresh worker. If it exceeds the limit again, it has failed.

use super::work_unit::WorkUnit;

/// If this many workers in a row die between units without finishing one, the units are not to blame and the step ends.
const MOST_IDLE_DEATHS: u32 = 10;

/// What is known about the units of a frame so far.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    /// Whether to run units one by one, because a worker died between two of them.
    one_by_one: bool,
    /// The unit that was running when a worker exceeded its memory limit.
    suspect: Option<WorkUnit>,
    /// The number of workers in a row that died between units without finishing one.
    idle_deaths: u32,
}

/// What the next attempt runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selection {
    /// This many units from the front.
    First(usize),
    /// The first unit alone, in a fresh worker.
    Alone,
}

/// What to do after a worker was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The unit has failed.
    Charge,
    /// The unit runs again.
    RunAgain,
    /// No unit is to blame. The step cannot go on.
    GiveUp,
}

impl Isolation {
    /// Selects what to run of the units that are left.
    pub(super) fn select(&self, left: &[WorkUnit]) -> Selection {
        let suspect = self.suspect.and_then(|suspect| left.iter().position(|unit| *unit == suspect));
        match suspect {
            Some(0) => Selection::Alone,
            Some(before) => Selection::First(before),
            None if self.one_by_one => Selection::First(1),
            None => Selection::First(left.len()),
        }
    }

    /// A worker finished units, or was lost with a unit to blame.
    pub(super) fn reset_idle_deaths(&mut self) {
        self.idle_deaths = 0;
    }

    /// The suspect has run alone.
    pub(super) fn clear_suspect(&mut self) {
        self.suspect = None;
    }

    /// A worker exceeded its memory limit while running this unit.
    pub(super) fn over_memory(&mut self, unit: WorkUnit, selection: Selection) -> Verdict {
        if selection == Selection::Alone {
            return Verdict::Charge;
        }
        self.suspect = Some(unit);
        Verdict::RunAgain
    }

    /// A worker died between units after reporting `reported` of them. The verdict is about the first unit that is left.
    pub(super) fn idle_death(&mut self, reported: usize) -> Verdict {
        self.idle_deaths = if reported > 0 { 1 } else { self.idle_deaths + 1 };
        if self.idle_deaths >= MOST_IDLE_DEATHS {
            return Verdict::GiveUp;
        }
        let alone = std::mem::replace(&mut self.one_by_one, true);
        if alone && reported == 0 { Verdict::Charge } else { Verdict::RunAgain }
    }
}

impl Selection {
    /// The number of units selected.
    pub(super) fn count(self) -> usize {
        match self {
            Self::First(count) => count,
            Self::Alone => 1,
        }
    }
}
