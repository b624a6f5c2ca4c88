//! The four workloads of `make bench-check`, each one run of `batchmill` with one slot.
//!
//! They go through the program and not the library: its flags and the keys of a workflow stay, while modules move.

use gungraun::prelude::*;
use gungraun::{Callgrind, Sandbox};
use std::fmt::Write as _;
use std::fs;

/// The program, as `check.py` names it.
fn batchmill(arguments: &[&str]) -> Command {
    let program = std::env::var("BATCHMILL").unwrap_or_else(|_| "batchmill".to_owned());
    Command::new(program).args(arguments).build()
}

/// Writes a file into the sandbox.
fn write(path: &str, text: impl AsRef<[u8]>) {
    fs::write(path, text).expect("the sandbox can be written to");
}

/// A table of 100,000 records; each hundredth has a quoted field with a line break.
fn table() {
    let mut text = String::from("id,name,amount,note\n");
    for id in 0..100_000 {
        let note = if id % 100 == 0 { "\"two\nlines, \"\"quoted\"\"\"" } else { "plain" };
        writeln!(text, "{id},customer {id},{}.{:02},{note}", id % 1000, id % 100).expect("a string grows");
    }
    write("table.csv", text);
}

#[binary_benchmark(setup = table())]
fn inspect_csv() -> Command {
    batchmill(&["inspect", "table.csv"])
}

/// Records of a CSV file through a template into JSON Lines.
fn rows() {
    table();
    write(
        "rows.yaml",
        "
steps:
  - name: rows
    task: batch
    inputs:
      items: {csv: table.csv}
      batch_size: 1000
      task:
        type: echo
        message: '{{ item.id }} {{ item.name | upper }} {{ item.amount }}'
    outputs: {name: rows, path: rows.jsonl}
",
    );
}

#[binary_benchmark(setup = rows())]
fn render_rows() -> Command {
    batchmill(&["run", "rows.yaml", "--progress", "none"])
}

/// Batches of one item: nearly all of the work is the ledger's.
fn batches() {
    write(
        "batches.yaml",
        "
steps:
  - name: batches
    task: batch
    inputs:
      items: {range: 300000}
      batch_size: 1
      task: {type: echo, message: done}
",
    );
}

#[binary_benchmark(setup = batches())]
fn record_batches() -> Command {
    batchmill(&["run", "batches.yaml", "--progress", "none"])
}

/// A workflow of 2,000 steps, each of which uses a parameter.
fn steps() {
    let mut text = String::from("name: large\nparams:\n  who: {type: string, default: world}\nsteps:\n");
    for step in 0..2000 {
        writeln!(
            text,
            "  - name: step_{step}\n    task: shell\n    inputs:\n      command: echo {{{{ params.who }}}} {step}"
        )
        .expect("a string grows");
    }
    write("steps.yaml", text);
}

#[binary_benchmark(setup = steps())]
fn validate_steps() -> Command {
    batchmill(&["validate", "steps.yaml"])
}

binary_benchmark_group!(name = programs, benchmarks = [inspect_csv, render_rows, record_batches, validate_steps]);

main!(
    config =
        BinaryBenchmarkConfig::default().sandbox(Sandbox::new(true)).tool(Callgrind::with_args(["--cache-sim=no"])),
    binary_benchmark_groups = programs
);
