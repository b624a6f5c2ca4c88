//! Runs the items of a bundle: Python objects that a client has pickled together.
//!
//! Each result is written as soon as it is there, so a function may return the same object again and again and change it.

use super::outbox::{Encoded, Finished};
use super::pickle::write_plain;
use super::pickled::Pickled;
use super::run::Runner;
use crate::model::Failure;
use crate::wire::{Run, WireError};
use pyo3::prelude::*;

/// What a pickle of its own begins and ends with.
const PROTO: [u8; 2] = [0x80, 5];
const STOP: u8 = b'.';

/// How a result was written to the runner's line.
enum Shape {
    Opcodes,
    Pickle,
}

impl Runner<'_> {
    /// Runs all items of a bundle, or up to a halt. Returns how many positions were run.
    pub(super) fn run_bundle(&mut self, py: Python<'_>, run: &Run, pickled: &Pickled) -> Result<u32, WireError> {
        let Some((bytes, members)) = run.items.as_bundle() else {
            return Err(WireError::Invalid("a call got items that are not in a bundle"));
        };
        let items = match pickled.load(py, bytes) {
            Ok(items) => items,
            Err(error) => return self.unreadable(members, &pickled.failure(py, error).permanent()),
        };
        let function = self.caller.task.function.clone_ref(py).into_bound(py);
        for (position, member) in (0..).zip(members) {
            if self.page.halted() {
                return Ok(position);
            }
            self.enter(position);
            if let Some(fault) = items.fault(*member) {
                let failure = pickled.failure(py, fault).permanent();
                self.leave(py);
                self.outbox.push(Finished { position, outcome: Err(failure), nulls: 0, timer: self.timer })?;
                if run.halt_on_failure {
                    return Ok(position + 1);
                }
                continue;
            }
            let item = items.item(*member);
            self.timer.next_part();
            let result = item.and_then(|item| function.call1((item,)));
            self.timer.next_part();
            if self.capture.is_forked() {
                self.caller.support.leave_child(py);
            }
            self.line.clear();
            let shape = result.and_then(|result| self.write(&result, pickled));
            let outcome = shape.map_err(|error| pickled.failure(py, error).after(self.page.running()));
            self.leave(py);
            let failed = outcome.is_err();
            let outcome = outcome.map(|shape| match shape {
                Shape::Opcodes => Encoded::Opcodes(&self.line),
                Shape::Pickle => Encoded::Pickle(&self.line),
            });
            self.outbox.push(Finished { position, outcome, nulls: 0, timer: self.timer })?;
            if failed && run.halt_on_failure {
                return Ok(position + 1);
            }
        }
        u32::try_from(members.len()).map_err(|_| WireError::Invalid("too many items"))
    }

    fn write(&mut self, result: &Bound<'_, PyAny>, pickled: &Pickled) -> PyResult<Shape> {
        if pickled.apart {
            self.line.extend_from_slice(&PROTO);
        }
        if write_plain(result, &mut self.line) {
            if !pickled.apart {
                return Ok(Shape::Opcodes);
            }
            self.line.push(STOP);
            return Ok(Shape::Pickle);
        }
        self.line.clear();
        let pickle = pickled.dump(result)?;
        self.line.extend_from_slice(pickle.as_bytes());
        Ok(Shape::Pickle)
    }

    /// The items cannot be taken apart, so each of them has failed.
    fn unreadable(&mut self, members: &[u32], failure: &Failure) -> Result<u32, WireError> {
        for (position, _) in (0..).zip(members) {
            self.enter(position);
            self.page.leave();
            self.timer.end();
            let outcome = Err(failure.clone());
            self.outbox.push(Finished { position, outcome, nulls: 0, timer: self.timer })?;
        }
        u32::try_from(members.len()).map_err(|_| WireError::Invalid("too many items"))
    }
}
