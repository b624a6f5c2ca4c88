//! Gives each item its own random numbers, if its step has a seed.

use super::embedded::SEEDS;
use pyo3::prelude::*;
use xxhash_rust::xxh3::Xxh3;

/// Seeds the random numbers of items.
pub(super) struct Seeds {
    seed: u64,
    begin: Py<PyAny>,
}

impl Seeds {
    /// Seeds `setup`, so that all workers of a step draw the same numbers there.
    pub(super) fn begin(py: Python<'_>, seed: u64) -> PyResult<Self> {
        let seeds = SEEDS.load(py)?.getattr("Seeds")?.call0()?;
        let seeds = Self { seed, begin: seeds.getattr("begin")?.unbind() };
        seeds.seed(py, std::iter::empty())?;
        Ok(seeds)
    }

    /// Seeds a call of the user's code. The numbers depend on its items alone, so they are the same in any worker, order and
    /// attempt. A line of a file counts without its line break, which the last one may lack.
    pub(super) fn seed<'i>(&self, py: Python<'_>, items: impl Iterator<Item = &'i [u8]>) -> PyResult<()> {
        let mut hash = Xxh3::with_seed(self.seed);
        for item in items {
            let item = item.trim_ascii_end();
            hash.update(&(item.len() as u64).to_le_bytes());
            hash.update(item);
        }
        self.begin.bind(py).call1((hash.digest128(),)).map(drop)
    }
}
