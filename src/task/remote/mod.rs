//! Runs frames on other machines, through a distributed engine that the user has already.
//!
//! Owns the [driver](driver), a Python process that hands frames to that engine, and the [lane](lane) that gives it the frames of
//! a slot. What a host does with a frame is in the module `host`; the messages are in `wire`.

mod driver;
mod lane;
mod link;
mod pieces;
mod step;

pub use driver::{Driver, DriverError};
pub(super) use lane::RemoteLane;
pub use step::RemoteStep;
