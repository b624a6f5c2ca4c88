//! What this machine can do: how much faster its cores are together than one alone, and how long it takes to start a process.

use super::interval::median;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long each measurement takes.
const SPIN: Duration = Duration::from_millis(30);

/// How often it is repeated.
const TIMES: usize = 3;

/// How many processes are started.
const PROCESSES: usize = 15;

/// What this machine can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    pub(super) cores: usize,
    /// How much slower computing in registers is on one core while all others do the same: 1 is as fast. Cores that share
    /// parts, clocks that fall under load and other users of the machine make it larger.
    pub(super) crowding: f64,
}

impl Machine {
    pub(super) fn measure(cores: usize) -> Self {
        let (mut alone, mut together) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            alone.push(spin());
            together.push(std::thread::scope(|threads| {
                let spins: Vec<_> = (0..cores).map(|_| threads.spawn(spin)).collect();
                let rates: Vec<f64> = spins.into_iter().filter_map(|spin| spin.join().ok()).collect();
                rates.iter().sum::<f64>() / rates.len().max(1) as f64
            }));
        }
        let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
        Self { cores, crowding: (best(&alone) / best(&together).max(1.0)).max(1.0) }
    }
}

/// Steps of a calculation per second of a thread.
fn spin() -> f64 {
    let (started, mut value, mut steps) = (Instant::now(), 1_u64, 0_u64);
    while started.elapsed() < SPIN {
        for _ in 0..1000 {
            value = black_box(value).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        }
        steps += 1000;
    }
    black_box(value);
    steps as f64 / started.elapsed().as_secs_f64()
}

/// How long a command takes that does nothing, in seconds: the smallest program, through a shell or not.
pub(super) fn start_of_process(through_shell: Shell) -> f64 {
    let run = || {
        let started = Instant::now();
        let mut command = match through_shell {
            Shell::Yes => {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", "exec true"]);
                command
            }
            Shell::No => Command::new("true"),
        };
        let done = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
        done.map_or(0.0, |_| started.elapsed().as_secs_f64())
    };
    median(&(0..PROCESSES).map(|_| run()).collect::<Vec<_>>())
}

/// Whether commands run in a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shell {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_can_be_measured() {
        let machine = Machine::measure(2);
        assert!(machine.crowding >= 1.0, "{machine:?}");
        assert!(start_of_process(Shell::Yes) > 0.0 && start_of_process(Shell::No) > 0.0);
    }
}
