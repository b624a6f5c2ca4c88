//! Counts the bytes that are read from files.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many bytes were read, counted as they are on disk, and whether there were more than there should be.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    read: AtomicU64,
    grown: AtomicBool,
}

impl Meter {
    /// How many bytes were read.
    pub fn read(&self) -> u64 {
        self.0.read.load(Ordering::Relaxed)
    }

    /// Whether a file has grown since it was opened.
    pub(in crate::sources) fn has_grown(&self) -> bool {
        self.0.grown.load(Ordering::Relaxed)
    }

    pub(super) fn note_growth(&self) {
        self.0.grown.store(true, Ordering::Relaxed);
    }

    pub(in crate::sources) fn reset(&self) {
        self.0.read.store(0, Ordering::Relaxed);
        self.0.grown.store(false, Ordering::Relaxed);
    }
}

/// Input whose reads are counted.
pub(super) struct Metered<R> {
    pub(super) input: R,
    pub(super) meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.meter.0.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
