//! `shell`: commands.

mod batch_lane;
mod batch_text;
mod command;
mod kind;
mod long_value;
mod outcome;
mod stdin;

pub(super) use command::Shell;
