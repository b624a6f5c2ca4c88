//! A step whose frames run on other machines.

use super::driver::Driver;
use crate::wire::{Assignment, HostMessage, Refusal, write_frame};
use std::sync::Arc;
use std::time::Duration;

/// A step that was announced to a driver.
#[derive(Debug)]
pub struct RemoteStep {
    pub(super) driver: Arc<Driver>,
    pub(super) program: u32,
    /// How long a slot waits from the end of a frame to the next one.
    pub(super) pause: Option<Duration>,
}

impl RemoteStep {
    /// Announces what to run. With a `rate_limit`, each slot has an equal share of it. Its next frame may run on another host, which
    /// does not know when the last request was; so `pause`, the interval of a share, separates them.
    ///
    /// # Errors
    /// If it cannot be sent, or the driver is gone.
    pub fn announce(driver: Arc<Driver>, assignment: Assignment, pause: Option<Duration>) -> Result<Self, Refusal> {
        let mut program = Vec::new();
        write_frame(&mut program, &HostMessage::Assign(Box::new(assignment))).map_err(|error| Refusal {
            message: format!("the step cannot be sent to other machines: {error}"),
            help: None,
        })?;
        let program = driver.announce(program)?;
        Ok(Self { driver, program, pause })
    }
}
