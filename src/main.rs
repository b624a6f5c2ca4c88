//! The command line of batchmill.

use std::process::ExitCode;

fn main() -> ExitCode {
    batchmill::cli::main()
}
