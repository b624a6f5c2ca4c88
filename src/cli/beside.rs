//! Servers that a run starts beside itself: its page, and its metrics.
//!
//! Each is a process of its own, so nothing that happens to it reaches the run. Its socket is made before anything runs, so that
//! an address that is taken is said at once, and is handed over when the run has an ID.

use super::args::DisplayArgs;
use super::error::CliError;
use super::exit::Exit;
use super::outlets::KeptMetrics;
use super::page_address::{listen, page_address};
use super::stderr::tell;
use crate::ledger::{RunFolder, StateFolder};
use crate::model::{Event, Listener};
use crate::serve::{Address, Token};
use clap::ValueEnum;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// The variable that holds the token, which others could see among the arguments.
const TOKEN: &str = "BATCHMILL_UI_TOKEN";

/// What a run starts a server for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Inherited {
    /// Its page.
    Page,
    /// Its metrics.
    Metrics,
}

/// Servers that will be started.
pub struct Beside {
    servers: Vec<(Inherited, TcpListener, Option<Token>)>,
    /// Where the run keeps its metrics, as soon as it has a folder.
    pub metrics: KeptMetrics,
}

impl Beside {
    /// Makes the sockets that are wanted, and says where the page is.
    pub fn open(display: &DisplayArgs) -> Result<Self, CliError> {
        let failed = |error: io::Error| CliError::of(Exit::Bad, &error);
        let mut servers = Vec::new();
        if let Some(address) = display.ui {
            let (listener, token) = (listen(address, "--ui")?, Token::random().map_err(failed)?);
            let address = Address::of(&listener).map_err(failed)?;
            tell(format!("open {}", page_address(address, "/run", &token)));
            servers.push((Inherited::Page, listener, Some(token)));
        }
        if let Some(address) = display.metrics_addr {
            let listener = listen(address, "--metrics-addr")?;
            tell(format!("metrics at {}/metrics", Address::of(&listener).map_err(failed)?.url()));
            servers.push((Inherited::Metrics, listener, None));
        }
        Ok(Self { servers, metrics: Arc::default() })
    }

    /// Starts the servers when the run starts.
    pub fn listener(self, state: &StateFolder) -> Box<dyn Listener> {
        Box::new(Starter { beside: self, state: state.clone() })
    }
}

/// The socket that a server got from its run, and the token.
pub fn inherited() -> io::Result<(TcpListener, Option<Token>)> {
    let socket = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    Ok((socket, std::env::var(TOKEN).ok().and_then(Token::known)))
}

struct Starter {
    beside: Beside,
    state: StateFolder,
}

impl Listener for Starter {
    fn event(&mut self, event: &Event) {
        let Event::RunStarted { run, .. } = event else { return };
        let folder = self.state.run(run.clone());
        // It is set once: a process has one run.
        let _ = self.beside.metrics.set(folder.metrics());
        for (what, socket, token) in self.beside.servers.drain(..) {
            if let Err(error) = start((what, socket, token), &self.state, &folder) {
                tell(format!("warning: cannot start the server: {error}; the run goes on"));
            }
        }
    }
}

fn start(
    (what, socket, token): (Inherited, TcpListener, Option<Token>),
    state: &StateFolder,
    folder: &RunFolder,
) -> io::Result<()> {
    let what = what.to_possible_value().expect("each is a value of the option");
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["ui", &folder.run.0, "--inherited", what.get_name(), "--state-dir"])
        .arg(std::path::absolute(&state.0)?);
    if let Some(token) = token {
        command.env(TOKEN, token.reveal());
    }
    // Ctrl-C is for the run. Who waits for the end of stderr waits for the run, and nothing holds its folder.
    command.process_group(0).current_dir("/");
    command.stdin(OwnedFd::from(socket)).stdout(Stdio::null()).stderr(Stdio::null());
    // Not waited for: it ends by itself after the run.
    command.spawn().map(drop)
}
