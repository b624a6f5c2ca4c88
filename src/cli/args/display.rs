//! How a run is shown and ended.

use super::file::{FileArg, file};
use super::number::nice;
use super::time::time;
use crate::serve::Address;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use std::time::Duration;

/// The format of what a verb prints to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Readable text
    Text,
    /// One JSON value
    Json,
}

/// How a run is shown and ended.
#[derive(Debug, Clone, Args)]
pub struct DisplayArgs {
    /// Output format of the results
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Progress on stderr
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    progress: Progress,
    /// Show errors only; same as `--progress none`
    #[arg(long, short, conflicts_with = "progress")]
    quiet: bool,
    /// Write the events of the run to this file as JSON Lines; `-` is stdout
    #[arg(long, value_name = "FILE", value_parser = OsStringValueParser::new().try_map(file))]
    pub events: Option<FileArg>,
    /// Keep metrics of the run in this file, for Prometheus' node_exporter
    #[arg(long, value_name = "FILE", value_parser = OsStringValueParser::new().try_map(file))]
    pub metrics: Option<FileArg>,
    /// Serve the metrics of the run to Prometheus at this address: an IP address, a port, or both
    #[arg(long, value_name = "ADDR")]
    pub metrics_addr: Option<Address>,
    /// Show the run in a browser, live, and steer it there; prints where [default address: a free port of this machine]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:0")]
    pub ui: Option<Address>,
    /// Report items that run longer than this (`30s`, `5m`), or than five times the average of finished items if that
    /// is longer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time, allow_negative_numbers = true)]
    pub slow_after: Duration,
    /// End within this time (`2h`, `90m`): start no new items in time, and exit with code 6; `resume` continues
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true)]
    pub time_limit: Option<Duration>,
    /// Lower the priority of the run and its tasks by this much, from 1 to 19
    #[arg(long, value_name = "N", value_parser = nice, allow_negative_numbers = true)]
    pub nice: Option<i32>,
    /// Grace period for running items after Ctrl-C or SIGTERM, and before the time limit
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time, allow_negative_numbers = true)]
    pub grace: Duration,
}

impl DisplayArgs {
    /// How progress is shown.
    pub fn progress(&self) -> Progress {
        if self.quiet { Progress::None } else { self.progress }
    }
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A bar on a terminal, lines otherwise
    Auto,
    /// A progress bar
    Bar,
    /// Lines of text
    Plain,
    /// One JSON object per event
    Json,
    /// Only errors
    None,
}
