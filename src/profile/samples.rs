//! What Python workers were found to do while they used the CPU.

use crate::wire::Samples;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{read_dir, read_to_string};
use std::path::Path;

/// So many samples say something.
const ENOUGH: u64 = 20;

/// Whose code used the CPU, and which functions were running.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Sampled {
    /// Shares of `Python`, of packages and of libraries, the largest first.
    pub code: Vec<(String, f64)>,
    /// Stacks of Python functions, the outermost first, with how often they were found. Sorted.
    #[serde(skip)]
    pub stacks: Vec<(Vec<String>, u64)>,
}

impl Sampled {
    /// What samples say; `None` if there are too few.
    pub(super) fn of(samples: Samples) -> Option<Self> {
        let all: u64 = samples.code.values().sum();
        if all < ENOUGH {
            return None;
        }
        let mut code: Vec<_> =
            samples.code.into_iter().map(|(name, count)| (name, count as f64 / all as f64)).collect();
        code.sort_by(|left, right| right.1.total_cmp(&left.1));
        let mut stacks: BTreeMap<Vec<String>, u64> = BTreeMap::new();
        for (stack, count) in samples.stacks {
            *stacks.entry(stack).or_default() += count;
        }
        Some(Self { code, stacks: stacks.into_iter().collect() })
    }
}

/// What the files of workers in a directory say together. A last line that is cut does not count.
pub(super) fn samples_in(folder: &Path) -> Samples {
    let mut sum = Samples::default();
    for file in read_dir(folder).into_iter().flatten().flatten() {
        let text = read_to_string(file.path()).unwrap_or_default();
        for samples in text.lines().filter_map(|line| serde_json::from_str::<Samples>(line).ok()) {
            for (name, count) in samples.code {
                *sum.code.entry(name).or_default() += count;
            }
            sum.stacks.extend(samples.stacks);
        }
    }
    sum
}
