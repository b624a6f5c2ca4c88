//! How long items ran.

use std::time::Duration;

/// The time of items that were timed together: one, or several that were too quick to be timed one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ItemTime {
    /// The position of the first of them.
    pub first: u32,
    /// How many there are; their positions follow each other.
    pub count: u32,
    /// How long all of them took, in nanoseconds.
    pub nanoseconds: u64,
}

impl ItemTime {
    /// The time of one item.
    pub fn of_one(position: usize, took: Duration) -> Self {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        Self { first: u32::try_from(position).unwrap_or(u32::MAX), count: 1, nanoseconds }
    }
}

/// How a worker spent the time of a run, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerTimes {
    /// Making Python objects of items.
    pub decode: u64,
    /// In the user's code.
    pub task: u64,
    /// Making results of Python objects.
    pub encode: u64,
}

/// How requests spent their time, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestTimes {
    /// Opening connections: looking up the name, connecting, and agreeing on TLS.
    pub connect: u64,
    /// Waiting for the first byte of the response.
    pub wait: u64,
    /// Sending the request, and receiving the rest of the response.
    pub transfer: u64,
}

impl RequestTimes {
    /// Adds the times of other requests.
    pub fn add(&mut self, other: Self) {
        self.connect += other.connect;
        self.wait += other.wait;
        self.transfer += other.transfer;
    }
}

impl WorkerTimes {
    /// Adds the times of another run.
    pub fn add(&mut self, other: Self) {
        self.decode += other.decode;
        self.task += other.task;
        self.encode += other.encode;
    }
}
