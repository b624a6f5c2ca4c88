//! `batchmill ui`: serves pages about runs, live while they run.

use crate::cli::args::StateArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::find_run::find_run;
use crate::cli::page_address::{listen, page_address};
use crate::cli::prepare::absolute;
use crate::cli::stderr::tell;
use crate::ledger::StateFolder;
use crate::serve::{Address, Content, Token, Until, serve};
use clap::Args;
use std::io;

/// Arguments of `ui`.
#[derive(Debug, Args)]
pub struct UiArgs {
    /// Run ID, its beginning or end, or `latest`; without it, the page lists all runs
    run: Option<String>,
    #[command(flatten)]
    state: StateArgs,
    /// Address to listen on: an IP address, a port, or both; port 0 is a free one
    #[arg(long, value_name = "ADDR", default_value_t)]
    addr: Address,
}

impl UiArgs {
    /// Serves the pages.
    pub fn run(self) -> Result<Exit, CliError> {
        let state = StateFolder(absolute(&self.state.state_dir)?);
        let run = self.run.as_deref().map(|run| find_run(&state, run)).transpose()?.map(|folder| folder.run);
        let listener = listen(self.addr, "--addr")?;
        let failed = |error: io::Error| CliError::of(Exit::Bad, &error);
        let token = Token::random().map_err(failed)?;
        let address = Address::of(&listener).map_err(failed)?;
        tell(format!("open {}\nend it with Ctrl-C", page_address(address, run.as_ref(), &token)));
        serve(listener, Content::Pages(state, token), Until::Killed).map_err(failed)?;
        Ok(Exit::Done)
    }
}
