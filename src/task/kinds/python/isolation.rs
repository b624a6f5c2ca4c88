//! Which units run together after a worker was lost: the policy that finds the unit to blame.
//!
//! A worker that dies on a unit is charged to that unit, and nothing is isolated. Two cases leave a doubt. A worker that dies
//! between units leaves it open which of them did it, so units run one by one from there on, and the next one that takes a
//! worker along is charged. A worker that grows beyond its memory may have been filled by others, so the unit it was on runs
//! once more, alone in a fresh worker, and is charged if that one grows too large as well.

use super::work_unit::WorkUnit;

/// Workers that die so often in a row, between units and with none done, end the step: the units are not to blame.
const MOST_IDLE_DEATHS: u32 = 10;

/// What is known about the units of a frame.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    /// Run units one by one: a worker died between two of them.
    one_by_one: bool,
    /// The unit on which a worker grew too large.
    suspect: Option<WorkUnit>,
    /// How many workers in a row died between units, with none done.
    idle_deaths: u32,
}

/// What the next attempt runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selection {
    /// So many units from the front.
    First(usize),
    /// The first unit alone, in a fresh worker.
    Alone,
}

/// What follows from a worker that is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The unit has failed.
    Charge,
    /// The unit runs again.
    RunAgain,
    /// No unit is to blame: the step cannot go on.
    GiveUp,
}

impl Isolation {
    /// What to run of the units that are left.
    pub(super) fn select(&self, left: &[WorkUnit]) -> Selection {
        let suspect = self.suspect.and_then(|suspect| left.iter().position(|unit| *unit == suspect));
        match suspect {
            Some(0) => Selection::Alone,
            Some(before) => Selection::First(before),
            None if self.one_by_one => Selection::First(1),
            None => Selection::First(left.len()),
        }
    }

    /// Units were done, or a worker was lost with a unit to blame.
    pub(super) fn reset_idle_deaths(&mut self) {
        self.idle_deaths = 0;
    }

    /// The suspect has run alone, whatever came of it.
    pub(super) fn clear_suspect(&mut self) {
        self.suspect = None;
    }

    /// A worker grew too large on this unit.
    pub(super) fn over_memory(&mut self, unit: WorkUnit, selection: Selection) -> Verdict {
        if selection == Selection::Alone {
            return Verdict::Charge;
        }
        self.suspect = Some(unit);
        Verdict::RunAgain
    }

    /// A worker died between units, after it had reported so many. The verdict is about the first unit that is left.
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
    /// How many units it is.
    pub(super) fn count(self) -> usize {
        match self {
            Self::First(count) => count,
            Self::Alone => 1,
        }
    }
}
