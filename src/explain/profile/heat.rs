//! The heat map of a profile: throughput for each combination of workers and batch size.

use crate::profile::Setup;
use serde::Serialize;

/// Throughput by number of workers and batch size.
#[derive(Debug, Serialize)]
pub(super) struct HeatMap {
    /// The batch sizes, one for each column.
    sizes: Vec<usize>,
    rows: Vec<HeatRow>,
}

#[derive(Debug, Serialize)]
struct HeatRow {
    width: usize,
    /// One for each batch size; none if the combination was not measured.
    cells: Vec<Option<Cell>>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Cell {
    /// Items per second.
    rate: f64,
    /// From 0 for the lowest rate of the map to 1 for the highest. The scale is logarithmic, because rates may differ a thousandfold.
    heat: f64,
    /// Whether these are the settings in the file.
    is_own: bool,
}

impl HeatMap {
    /// A map of what was tried: settings, and the items per second of each. None unless at least two widths have several batch sizes.
    pub(super) fn of(own: Setup, tried: impl Iterator<Item = (Setup, f64)>) -> Option<Self> {
        let tried = tried.filter(|(setup, _)| setup.threads == own.threads);
        let tried = tried.filter_map(|(setup, rate)| Some((setup.width, setup.batch_size?, rate)));
        let mut tried: Vec<(usize, usize, f64)> = tried.collect();
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
        let cell = |(width, size, rate): (usize, usize, f64)| {
            let heat = if high > low { (rate.ln() - low) / (high - low) } else { 1.0 };
            Cell { rate, heat, is_own: (own.width, own.batch_size) == (width, Some(size)) }
        };
        let row = |row: &[(usize, usize, f64)]| {
            let at = |size: &usize| row.iter().find(|(_, of, _)| of == size).map(|found| cell(*found));
            HeatRow { width: row[0].0, cells: sizes.iter().map(at).collect() }
        };
        Some(Self { rows: widths.into_iter().map(row).collect(), sizes: sizes.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(tried: &[(usize, usize, f64)]) -> Option<HeatMap> {
        let setup = |width, size| Setup { width, batch_size: Some(size), threads: None };
        HeatMap::of(setup(2, 1), tried.iter().map(|(width, size, rate)| (setup(*width, *size), *rate)))
    }

    #[test]
    fn a_map_has_the_widths_that_were_tried_with_several_batch_sizes() {
        let map = map(&[(1, 1, 9.0), (2, 1, 1.0), (2, 10, 10.0), (4, 10, 100.0), (4, 100, 50.0)]).unwrap();
        assert_eq!(map.sizes, [1, 10, 100]);
        let heats = |row: &HeatRow| row.cells.iter().map(|cell| cell.map(|cell| (cell.heat * 2.0).round())).collect();
        let rows: Vec<(usize, Vec<_>)> = map.rows.iter().map(|row| (row.width, heats(row))).collect();
        assert_eq!(rows, [(2, vec![Some(0.0), Some(1.0), None]), (4, vec![None, Some(2.0), Some(2.0)])]);
        let own: Vec<bool> = map.rows.iter().flat_map(|row| &row.cells).flatten().map(|cell| cell.is_own).collect();
        assert_eq!(own, [true, false, false, false]);
    }

    #[test]
    fn one_width_or_one_size_makes_no_map() {
        assert!(map(&[(2, 1, 1.0), (2, 10, 2.0)]).is_none());
        assert!(map(&[(1, 1, 1.0), (2, 1, 2.0)]).is_none());
    }
}
