//! A Python worker with CPython inside; `batchmill` starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    batchmill::worker::main()
}
