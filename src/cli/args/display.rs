//! How a run is shown and ended.

use super::time::time;
use clap::{Args, ValueEnum};
use std::time::Duration;

/// What stdout gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One JSON value on stdout
    Json,
}

/// How a run is shown and ended.
#[derive(Debug, Clone, Copy, Args)]
pub struct DisplayArgs {
    /// What stdout gets at the end
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// How progress is shown on stderr
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
    /// Name an item that takes longer than this while it runs, such as `30s` or `5m`; or longer than five times the average,
    /// if that is more
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub slow_after: Duration,
    /// After Ctrl-C or SIGTERM, give items under way so much time to end
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub grace: Duration,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A bar on a terminal, lines elsewhere
    Auto,
    /// A bar
    Bar,
    /// Lines
    Plain,
    /// One JSON object per event
    Json,
    /// Nothing but errors
    None,
}
