//! `shell`: commands.

mod batch_lane;
mod batch_text;
mod kind;
mod long_value;
mod outcome;
mod stdin;

pub(super) use kind::Shell;
