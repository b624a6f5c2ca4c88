//! `batchmill man`: manual pages.

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::stderr::tell;
use crate::cli::stdout::print_data;
use crate::text::Printable;
use clap::{Args, Command};
use clap_mangen::Man;
use std::fs;
use std::path::PathBuf;

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Command whose page to print, for example `run`; by default that of batchmill
    #[arg(conflicts_with = "output")]
    command: Option<String>,
    /// Write the pages of all commands to this directory instead
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

impl ManArgs {
    /// Prints a page, or writes all.
    pub fn run(self, mut whole: Command) -> Result<Exit, CliError> {
        whole = whole.disable_help_subcommand(true);
        whole.build();
        let mut pages = Vec::new();
        collect(&whole, "batchmill", &mut pages);
        let Some(folder) = self.output else {
            let wanted = self.command.map_or_else(|| "batchmill".to_owned(), |verb| format!("batchmill-{verb}"));
            let Some((_, page)) = pages.iter().find(|(name, _)| *name == wanted) else {
                let verb = Printable::line(wanted.trim_start_matches("batchmill-")).to_string();
                return Err(CliError::bad(format!("unknown command `{verb}`")).help("`batchmill --help` lists them"));
            };
            print_data(page)?;
            return Ok(Exit::Done);
        };
        let shown = Printable::path(&folder);
        let written = fs::create_dir_all(&folder)
            .and_then(|()| pages.iter().try_for_each(|(name, page)| fs::write(folder.join(format!("{name}.1")), page)));
        written.map_err(|error| {
            let error = CliError::bad(format!("cannot write manual pages to `{shown}`")).caused_by(&error);
            error.help("name a directory that you can write, for example `~/.local/share/man/man1`")
        })?;
        tell(format!("wrote the manual pages to {shown}\nnext: man {shown}/batchmill.1"));
        Ok(Exit::Done)
    }
}

/// The pages of a command and of those in it, each with its name.
fn collect(command: &Command, name: &str, pages: &mut Vec<(String, Vec<u8>)>) {
    let mut page = Vec::new();
    let man = Man::new(command.clone()).title(name).source(concat!("batchmill ", env!("CARGO_PKG_VERSION")));
    man.render(&mut page).expect("memory takes what is written to it");
    pages.push((name.to_owned(), page));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        collect(inner, &format!("{name}-{}", inner.get_name()), pages);
    }
}
