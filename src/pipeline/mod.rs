//! A step in progress: from its items to recorded outcomes.
//!
//! Data goes one way: feeder (calling thread) -> bounded channel of frames -> slots (a rayon pool) -> bounded channel of
//! events -> aggregator (one thread). The aggregator hands each outcome to the [`Recorder`], then informs the feeder and
//! the listeners. It alone holds the counts, so there is no lock around the state of a run. Knows neither ledger nor
//! output files: the recorder decides what is recorded, and where.

mod aggregator;
mod alarm;
mod announcer;
mod auto_width;
mod climber;
mod delay_queue;
mod event;
mod executor;
mod failed_items;
mod failures;
mod feeder;
mod frame_cutter;
mod frames;
mod in_flight;
mod job;
mod log_pieces;
mod masking;
mod measures;
mod meter;
mod pace;
mod recorder;
mod running_frames;
mod shortages;
mod slot;
mod slow_items;
mod steered;
mod step;
mod tolerance;
mod width;

#[cfg(test)]
mod tests;

pub use alarm::Alarm;
pub use announcer::Announcer;
pub use executor::{FrameExecutor, FrameResult};
pub use frame_cutter::Feed;
pub use job::StepJob;
pub use log_pieces::LogPieces;
pub use masking::mask_failure;
pub use measures::FrameMeasures;
pub use recorder::Recorder;
pub use steered::{RetriedItems, Running, SteeredStep, Whereabouts};
pub use step::{Carried, PipelineError, StepEnd, StepStart, run_step};
pub use tolerance::step_timeout;
pub use width::{Machine, Width};
