//! `batchmill init`: a starter workflow.

use super::exit::{Exit, Stop};
use clap::Args;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The file to write; one that is there already is never overwritten
    #[arg(default_value = "workflow.yaml")]
    file: PathBuf,
}

/// The starter workflow: runs anywhere, needs no Python.
const STARTER: &str = include_str!("starter.yaml");

pub(super) fn init(args: &InitArgs) -> Result<Exit, Stop> {
    let path = args.file.display();
    let written = File::create_new(&args.file).and_then(|mut file| file.write_all(STARTER.as_bytes()));
    written.map_err(|error| {
        let taken = error.kind() == io::ErrorKind::AlreadyExists;
        let stop = Stop::new(Exit::Bad, anyhow::Error::new(error).context(format!("cannot write `{path}`")));
        if taken { stop.hint("name another file: `batchmill init FILE`") } else { stop }
    })?;
    eprintln!("wrote {path}\nnext: batchmill run {path}");
    Ok(Exit::Done)
}
