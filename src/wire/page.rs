//! The layout of the shared page: a memfd of [`SIZE`] bytes that tells the engine which item a dead worker was running.
//!
//! It has three u64 cells. The worker maps the page. The engine accesses the same memory with `pread` and `pwrite`, so it needs
//! no mapping.

/// Length of the page in bytes.
pub const SIZE: usize = 4096;

/// Offset of the cell with the position in the current `Run` that the worker is running, plus 1; 0 if it is running none. The
/// worker writes it before it calls the user's code.
pub const POSITION: usize = 0;

/// Offset of the cell with the time at which the current position started: CLOCK_MONOTONIC in nanoseconds, precise to a few
/// milliseconds unless `ItemSettings::clock` asks for more. The worker writes it before `POSITION`.
pub const STARTED: usize = 8;

/// Offset of the cell that the engine sets to 1 to tell the worker to start no further item of the current `Run`.
pub const HALT: usize = 16;
