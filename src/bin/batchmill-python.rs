//! A Python worker with CPython embedded. `batchmill` starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    batchmill::worker::main()
}
