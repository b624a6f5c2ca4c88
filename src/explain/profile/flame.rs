//! The functions that used the CPU: as a flame graph (B. Gregg, "The Flame Graph", 2016), as a table, and for speedscope.

use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A function is drawn if it has this share of the samples.
const VISIBLE: f64 = 0.002;

/// The most functions in the table.
const MOST: usize = 30;

/// A stack of functions, the outermost first, with how often it was found.
type Stack = (Vec<String>, u64);

/// A function of the graph: where it is, as shares of the whole width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Block {
    name: String,
    depth: usize,
    from: f64,
    width: f64,
}

impl Block {
    /// How many functions are above it.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }
}

/// A function of the table, with the share of samples in which it was the innermost one, and in which it was running at all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Function {
    name: String,
    own: f64,
    all: f64,
}

/// The blocks of the graph, from the outermost functions down.
pub(super) fn blocks(stacks: &[Stack]) -> Vec<Block> {
    let total: u64 = stacks.iter().map(|(_, count)| count).sum();
    let mut blocks = Vec::new();
    let mut level: Vec<(Vec<&Stack>, u64)> = vec![(stacks.iter().collect(), 0)];
    for depth in 0.. {
        let mut next = Vec::new();
        for (stacks, start) in level {
            let mut children: BTreeMap<&str, (Vec<&Stack>, u64)> = BTreeMap::new();
            for stack in stacks.into_iter().filter(|(functions, _)| functions.len() > depth) {
                let child = children.entry(&stack.0[depth]).or_default();
                child.0.push(stack);
                child.1 += stack.1;
            }
            let mut at = start;
            for (name, (stacks, count)) in children {
                let share = count as f64 / total as f64;
                if share >= VISIBLE {
                    let from = at as f64 / total as f64;
                    blocks.push(Block { name: name.to_owned(), depth, from, width: share });
                    next.push((stacks, at));
                }
                at += count;
            }
        }
        if next.is_empty() {
            break;
        }
        level = next;
    }
    blocks
}

/// The functions that were found most often.
pub(super) fn functions(stacks: &[Stack]) -> Vec<Function> {
    let total: u64 = stacks.iter().map(|(_, count)| count).sum();
    let mut counts: HashMap<&str, (u64, u64)> = HashMap::new();
    for (functions, count) in stacks {
        if let Some(innermost) = functions.last() {
            counts.entry(innermost).or_default().0 += count;
        }
        // A function that calls itself counts once.
        for name in functions.iter().collect::<HashSet<_>>() {
            counts.entry(name).or_default().1 += count;
        }
    }
    let share = |count| count as f64 / total.max(1) as f64;
    let mut functions: Vec<Function> = counts
        .into_iter()
        .map(|(name, (own, all))| Function { name: name.to_owned(), own: share(own), all: share(all) })
        .collect();
    functions.sort_by(|left, right| {
        right.own.total_cmp(&left.own).then(right.all.total_cmp(&left.all)).then(left.name.cmp(&right.name))
    });
    functions.truncate(MOST);
    functions
}

/// The stacks in the [format of speedscope](https://github.com/jlfwong/speedscope/wiki/Importing-from-custom-sources). `period`
/// is the CPU time of a sample in seconds.
pub fn speedscope(stacks: &[Stack], name: &str, period: f64) -> Value {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut frames = Vec::new();
    let mut samples = Vec::new();
    for (functions, _) in stacks {
        let numbered = functions.iter().map(|function| {
            *numbers.entry(function).or_insert_with(|| {
                frames.push(json!({ "name": function }));
                frames.len() - 1
            })
        });
        samples.push(numbered.collect::<Vec<_>>());
    }
    let weights: Vec<f64> = stacks.iter().map(|(_, count)| *count as f64 * period).collect();
    json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": concat!("batchmill ", env!("CARGO_PKG_VERSION")),
        "shared": { "frames": frames },
        "profiles": [{
            "type": "sampled",
            "name": name,
            "unit": "seconds",
            "startValue": 0,
            "endValue": weights.iter().sum::<f64>(),
            "samples": samples,
            "weights": weights,
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stacks() -> Vec<Stack> {
        let stack = |functions: &[&str], count| (functions.iter().map(|name| (*name).to_owned()).collect(), count);
        vec![stack(&["main"], 1), stack(&["main", "parse"], 6), stack(&["main", "work", "work"], 3)]
    }

    #[test]
    fn each_function_is_below_its_caller_and_as_wide_as_it_was_often() {
        let block = |name: &str, depth, from, width| Block { name: name.to_owned(), depth, from, width };
        let expected = [
            block("main", 0, 0.0, 1.0),
            block("parse", 1, 0.0, 0.6),
            block("work", 1, 0.6, 0.3),
            block("work", 2, 0.6, 0.3),
        ];
        assert_eq!(blocks(&stacks()), expected);
        assert!(blocks(&[]).is_empty());
    }

    #[test]
    fn a_function_that_calls_itself_counts_once() {
        let function = |name: &str, own, all| Function { name: name.to_owned(), own, all };
        let expected = [function("parse", 0.6, 0.6), function("work", 0.3, 0.3), function("main", 0.1, 1.0)];
        assert_eq!(functions(&stacks()), expected);
    }

    #[test]
    fn speedscope_gets_each_function_once_and_the_time_of_all_samples() {
        let value = speedscope(&stacks(), "load", 0.01);
        assert_eq!(value["shared"]["frames"].as_array().unwrap().len(), 3);
        assert_eq!(value["profiles"][0]["samples"], json!([[0], [0, 1], [0, 2, 2]]));
        assert!((value["profiles"][0]["endValue"].as_f64().unwrap() - 0.1).abs() < 1e-9);
    }
}
