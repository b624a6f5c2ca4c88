//! The shared page: a memfd of [`SIZE`] bytes that both sides see, so the engine knows which item a dead worker was on.
//!
//! Three u64 cells. The worker maps the page; the engine reads and writes it with `pread` and `pwrite`, which see the
//! same memory, so only the worker needs a mapping.

/// Length of the page in bytes.
pub const SIZE: usize = 4096;

/// Offset of the cell that says where the worker is: 0 when on no item, else the position in the current `Run` plus 1.
/// The worker writes it before it calls the user's code for an item.
pub const POSITION: usize = 0;

/// Offset of the cell with the time at which the current item started: CLOCK_MONOTONIC in nanoseconds.
/// To a few milliseconds only, unless `Start::clock` asks for more. Written before `POSITION`.
pub const STARTED: usize = 8;

/// Offset of the cell that the engine sets to 1 when the worker shall begin no further item of the current `Run`.
pub const HALT: usize = 16;
