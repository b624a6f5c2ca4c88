//! Values that are too long for a variable of the environment.
//!
//! Linux allows 128 KiB for one. A script reads a longer value from a file in memory that the engine keeps open, into a variable of
//! its own. The script can use it as any other, but a program that it starts cannot have it as an argument.

use crate::model::Failure;
use crate::task::invocation::memory_file;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::process;

/// The longest value that goes through the environment, in bytes.
pub(super) const LONGEST_VARIABLE: usize = 64 << 10;

/// A long value of a script.
pub(super) struct LongValue<'a> {
    name: &'a str,
    file: File,
}

impl<'a> LongValue<'a> {
    /// # Errors
    /// If the system is out of descriptors or memory.
    pub(super) fn new(name: &'a str, value: &str) -> Result<Self, Failure> {
        Ok(Self { name, file: memory_file(value.as_bytes())? })
    }

    /// The beginning of the script. `$(..)` drops line breaks at the end, hence the letter.
    pub(super) fn assignment(&self) -> String {
        let Self { name, file } = self;
        let path = format!("/proc/{}/fd/{}", process::id(), file.as_raw_fd());
        format!("{name}=\"$(cat {path} && echo x)\"; {name}=\"${{{name}%x}}\"; ")
    }

    /// What the script reads. It must be open as long as the script runs.
    pub(super) fn into_file(self) -> File {
        self.file
    }
}
