//! Where the items of a run are run.

use clap::Args;
use clap::builder::{StringValueParser, TypedValueParser};

/// Where the items of a run are run.
#[derive(Debug, Clone, Args)]
pub struct ExecutorArgs {
    /// Run the items of batch steps on a cluster: `dask=ADDRESS`, `dask=local`, `ray=ADDRESS`, `ray=auto`, `ray=local`, or
    /// `python=MODULE:FUNCTION`, which returns a `concurrent.futures.Executor`
    #[arg(long, value_name = "KIND=WHICH", env = "BATCHMILL_EXECUTOR", hide_env_values = true,
        value_parser = StringValueParser::new().try_map(executor))]
    executor: Option<String>,
}

impl ExecutorArgs {
    /// The name of the executor. An empty one means this machine, also where the environment has another.
    pub fn name(&self) -> Option<String> {
        self.executor.clone().filter(|name| !name.is_empty())
    }
}

const FORMS: &str =
    "it is `dask=ADDRESS`, `dask=local`, `ray=ADDRESS`, `ray=auto`, `ray=local` or `python=MODULE:FUNCTION`";

/// Checks the name of an executor. Whether it is there is found out by its driver.
fn executor(text: String) -> Result<String, String> {
    if text.is_empty() {
        return Ok(text);
    }
    let (kind, which) = text.split_once('=').ok_or(FORMS)?;
    let is_name = |name: &str| !name.is_empty() && name.split('.').all(|part| !part.is_empty());
    let fits = match kind {
        "dask" | "ray" => !which.is_empty(),
        "python" => which.split_once(':').is_some_and(|(module, function)| is_name(module) && is_name(function)),
        _ => false,
    };
    if fits { Ok(text) } else { Err(FORMS.to_owned()) }
}
