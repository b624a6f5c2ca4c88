//! A step whose frames run on other machines.

use super::driver::Driver;
use crate::wire::{Assignment, HostMessage, Refusal, write_frame};
use std::sync::Arc;

/// A step that was announced to a driver.
#[derive(Debug)]
pub struct RemoteStep {
    pub(super) driver: Arc<Driver>,
    pub(super) program: u32,
}

impl RemoteStep {
    /// Announces what to run.
    ///
    /// # Errors
    /// If it cannot be sent, or the driver is gone.
    pub fn announce(driver: Arc<Driver>, assignment: Assignment) -> Result<Self, Refusal> {
        let mut program = Vec::new();
        write_frame(&mut program, &HostMessage::Assign(Box::new(assignment))).map_err(|error| Refusal {
            message: format!("the step cannot be sent to other machines: {error}"),
            help: None,
        })?;
        let program = driver.announce(program)?;
        Ok(Self { driver, program })
    }
}
