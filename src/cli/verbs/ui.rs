//! `batchmill ui`: serves pages about runs, live while they run.

use crate::cli::args::{StateArgs, time};
use crate::cli::beside::{Inherited, inherited};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::find_run::find_run;
use crate::cli::page_address::{listen, page_address};
use crate::cli::prepare::absolute;
use crate::cli::stderr::tell;
use crate::ledger::StateFolder;
use crate::serve::{Address, Content, Token, Until, run_path, serve};
use clap::Args;
use std::io;
use std::time::Duration;

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
    /// What to serve on the socket that is stdin, as long as the run needs it
    #[arg(long, hide = true, value_enum, requires = "run")]
    inherited: Option<Inherited>,
    /// How long to stay when nobody needs it any more
    #[arg(long, hide = true, default_value = "60s", value_parser = time)]
    linger: Duration,
}

impl UiArgs {
    /// Serves the pages.
    pub fn run(self) -> Result<Exit, CliError> {
        let state = StateFolder(absolute(&self.state.state_dir)?);
        let folder = self.run.as_deref().map(|run| find_run(&state, run)).transpose()?;
        let failed = |error: io::Error| CliError::of(Exit::Bad, &error);
        if let (Some(what), Some(folder)) = (self.inherited, &folder) {
            let (listener, token) = inherited().map_err(failed)?;
            let token = token.map_or_else(Token::random, Ok).map_err(failed)?;
            let content = match what {
                Inherited::Page => Content::Pages(state, token, Some(folder.run.clone())),
                Inherited::Metrics => Content::Metrics(folder.metrics()),
            };
            serve(listener, content, Until::Unused(folder.clone(), self.linger)).map_err(failed)?;
            return Ok(Exit::Done);
        }
        let listener = listen(self.addr, "--addr")?;
        let (token, address) = (Token::random().map_err(failed)?, Address::of(&listener).map_err(failed)?);
        let path = folder.as_ref().map_or_else(|| "/".to_owned(), |folder| run_path(&folder.run));
        tell(format!("open {}\nend it with Ctrl-C", page_address(address, &path, &token)));
        let content = Content::Pages(state, token, folder.map(|folder| folder.run));
        serve(listener, content, Until::Killed).map_err(failed)?;
        Ok(Exit::Done)
    }
}
