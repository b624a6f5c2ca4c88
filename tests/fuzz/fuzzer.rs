//! How long a fuzzer runs, and with which seeds.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestError, TestRng, TestRunner};
use std::time::{Duration, Instant};

/// How many seconds each fuzzer runs, with a seed of its own; a short round with a fixed seed if it is not set.
const SECONDS: &str = "BATCHMILL_FUZZ_SECONDS";

/// The seed of the first round, to see a failure again.
const SEED: &str = "BATCHMILL_FUZZ_SEED";

/// Inputs of a round in a long run. Between rounds the time is looked at.
const ROUND: u32 = 32;

/// Checks that something holds for `cases` random inputs, or for as many as fit into the time of `make fuzz`. Panics with the
/// smallest input for which it does not hold, and with the seed of its round.
pub fn fuzz<S: Strategy>(cases: u32, input: &S, check: impl Fn(S::Value) -> TestCaseResult) {
    let long = number(SECONDS).map(Duration::from_secs);
    let first = number(SEED).unwrap_or_else(|| if long.is_some() { now() } else { 1 });
    let start = Instant::now();
    let mut seed = first;
    loop {
        round(seed, if long.is_some() { ROUND } else { cases }, input, &check);
        if long.is_none_or(|long| start.elapsed() >= long) {
            break;
        }
        seed = seed.wrapping_add(1);
    }
    println!("{} inputs, seeds {first} to {seed}", (seed.wrapping_sub(first) + 1) * u64::from(ROUND));
}

fn round<S: Strategy>(seed: u64, cases: u32, input: &S, check: impl Fn(S::Value) -> TestCaseResult) {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    match runner.run(input, check) {
        Ok(()) => {}
        Err(TestError::Fail(reason, input)) => {
            panic!("{reason}\n{SEED}={seed} shows it again; the smallest input:\n{input:?}")
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a whole number; found `{value}`")))
}

/// A seed that no earlier run had.
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() * 1_000
}
