//! Which settings are tried.

use serde::Serialize;

/// How often the cores may be outnumbered by workers whose tasks wait.
const MOST_TIMES: usize = 16;

/// The sizes of batches to try.
const SIZES: [usize; 4] = [1, 10, 100, 1000];

/// A combination of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Setup {
    /// Workers.
    pub width: usize,
    /// Items per batch; none if the step learns it.
    pub batch_size: Option<usize>,
    /// Threads per worker of numeric libraries, if that is tried; none leaves it as it is.
    pub threads: Option<usize>,
}

/// The widths to begin with: up to twice the number of cores, and that of the file.
pub(super) fn widths(cores: usize, own: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = steps().take_while(|width| *width <= 2 * cores).collect();
    widths.push(own);
    widths.sort_unstable();
    widths.dedup();
    widths
}

/// The widths to add above the widest one if tasks wait.
pub(super) fn further(cores: usize, widest: usize, most: usize) -> Vec<usize> {
    steps().take_while(|width| *width <= (MOST_TIMES * cores).min(most)).filter(|width| *width > widest).collect()
}

/// 1, 2, 3, 4, 6, 8, 12, 16, ..: powers of two, and what is halfway between them.
fn steps() -> impl Iterator<Item = usize> {
    std::iter::once(1).chain((0..20_u32).flat_map(|power| [2 << power, 3 << power]))
}

/// The sizes of batches to try beside that of the file, the smallest first.
pub(super) fn sizes(own: usize) -> Vec<usize> {
    SIZES.into_iter().filter(|size| *size != own).collect()
}

/// The fewest widths that allow an answer.
pub(super) fn fewest(cores: usize, own: usize) -> Vec<usize> {
    let mut widths = vec![1, own, cores];
    widths.sort_unstable();
    widths.dedup();
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_go_up_to_twice_the_cores_and_further_if_tasks_wait() {
        assert_eq!(widths(2, 1), [1, 2, 3, 4]);
        assert_eq!(widths(2, 7), [1, 2, 3, 4, 7]);
        assert_eq!(widths(8, 8), [1, 2, 3, 4, 6, 8, 12, 16]);
        assert_eq!(further(2, 4, 1000), [6, 8, 12, 16, 24, 32]);
        assert_eq!(further(2, 2, 10), [3, 4, 6, 8]);
        assert_eq!((fewest(2, 2), fewest(4, 1)), (vec![1, 2], vec![1, 4]));
        assert_eq!((sizes(1), sizes(50)), (vec![10, 100, 1000], vec![1, 10, 100, 1000]));
    }
}
