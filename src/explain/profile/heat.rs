//! The throughput of numbers of workers and sizes of batches combined.

use crate::profile::Outcome;
use serde::Serialize;

/// A map of throughput.
#[derive(Debug, Serialize)]
pub(super) struct HeatMap {
    /// The sizes of batches: its columns.
    sizes: Vec<usize>,
    rows: Vec<HeatRow>,
}

#[derive(Debug, Serialize)]
struct HeatRow {
    width: usize,
    /// One for each size; none where nothing was measured.
    cells: Vec<Option<Cell>>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Cell {
    /// Items per second.
    rate: f64,
    /// Where it is between the lowest and the highest of the map, from 0 to 1, by their logarithms: they may differ a thousandfold.
    heat: f64,
    is_own: bool,
}

impl HeatMap {
    /// None if fewer than two widths were tried with several sizes.
    pub(super) fn of(outcome: &Outcome) -> Option<Self> {
        let mut tried: Vec<(usize, usize, f64)> = outcome
            .rows
            .iter()
            .filter(|row| row.setup.threads == outcome.own.threads)
            .filter_map(|row| Some((row.setup.width, row.setup.batch_size?, row.throughput.median)))
            .collect();
        tried.sort_by_key(|(width, size, _)| (*width, *size));
        let widths: Vec<_> =
            tried.chunk_by(|(left, ..), (right, ..)| left == right).filter(|row| row.len() > 1).collect();
        if widths.len() < 2 {
            return None;
        }
        let mut sizes: Vec<usize> = widths.iter().copied().flatten().map(|(_, size, _)| *size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let rates = || widths.iter().copied().flatten().map(|(.., rate)| rate.ln());
        let (low, high) = (rates().fold(f64::INFINITY, f64::min), rates().fold(f64::NEG_INFINITY, f64::max));
        let own = (outcome.own.width, outcome.own.batch_size);
        let cell = |(width, size, rate): (usize, usize, f64)| {
            let heat = if high > low { (rate.ln() - low) / (high - low) } else { 1.0 };
            Cell { rate, heat, is_own: own == (width, Some(size)) }
        };
        let row = |row: &[(usize, usize, f64)]| {
            let at = |size: &usize| row.iter().find(|(_, of, _)| of == size).map(|found| cell(*found));
            HeatRow { width: row[0].0, cells: sizes.iter().map(at).collect() }
        };
        Some(Self { rows: widths.into_iter().map(row).collect(), sizes: sizes.clone() })
    }
}
