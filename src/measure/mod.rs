//! What is measured of a step: where its time went, what it used of the machine, how long its items took.
//!
//! Everything that explains a run reads it: terminal, report, trace, profile. Its size is bounded, whatever the number of
//! items. Owns the clocks, the measures and how they are summed up; leaves measuring processes to `task`, deciding when to
//! `pipeline`, and keeping the result to `ledger`.

mod clock;
mod frames;
mod hosts;
mod items;
mod sample;
mod series;
mod state;
mod wall_clock;

pub use clock::{Clock, SlotClock, SlotClocks};
pub use frames::{FrameLog, FrameSpan, MOST_FRAMES};
pub use hosts::{HostLog, HostWork};
pub use items::{ItemStats, ItemUnit, NotedItem, Threshold};
pub use sample::{SLOT_STATES, Sample, SlotTimes, Usage};
pub use series::{MOST_SAMPLES, Series};
pub use state::{AggregatorState, FeederState, SlotState};
pub use wall_clock::wall_clock;

use serde::{Deserialize, Serialize};

/// What was measured of one execution of a step.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Measurements {
    /// Stretches of time, and what happened in each.
    pub series: Series,
    /// Each frame, unless there were too many.
    pub frames: FrameLog,
    /// How long items took.
    pub items: ItemStats,
    /// What each machine of a cluster ran.
    #[serde(default)]
    pub hosts: HostLog,
    /// What `max_parallel: auto` chose, and why.
    #[serde(default)]
    pub width: Option<String>,
}
