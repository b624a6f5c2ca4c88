//! `batchmill runs clean`: deletes old runs.

use crate::cli::args::{StateArgs, count, time};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::unreadable_run;
use crate::cli::stderr::tell;
use crate::cli::stdout::print;
use crate::ledger::{Reader, RunFolder, RunPlace, RunRecord, StateFolder};
use crate::measure::wall_clock;
use crate::model::RunId;
use crate::run::{find_baseline, is_baseline};
use crate::text::Printable;
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `runs clean`.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Delete runs that started longer ago than this, such as `30d` or `12h`
    #[arg(long, value_name = "TIME", value_parser = time, required_unless_present = "keep", allow_negative_numbers = true)]
    older_than: Option<Duration>,
    /// Keep the latest N runs regardless of age
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    keep: Option<usize>,
    /// Print the runs that would be deleted without deleting them
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    state: StateArgs,
}

/// A run that could be the baseline of the next incremental run.
struct Baseline {
    run: RunId,
    file: PathBuf,
    params_hash: String,
    items: u64,
}

impl Baseline {
    fn of(folder: &RunFolder, record: &RunRecord, state: &StateFolder) -> Option<Self> {
        let params_hash = record.params_hash.clone().filter(|_| is_baseline(record))?;
        let steps = Reader::open(folder.clone()).and_then(|reader| reader.steps()).ok()?;
        let items = steps.iter().map(|step| step.stats.succeeded).sum();
        Some(Self { run: folder.run.clone(), file: RunPlace::of(record, state).file(), params_hash, items })
    }

    /// Reports which items will run again, if no other run has their results.
    fn tell_if_last(&self, state: &StateFolder) {
        let other = find_baseline(state, &self.file, &self.params_hash, &state.run(self.run.clone()));
        let same = |folder: RunFolder| Reader::open(folder).and_then(|reader| reader.run()).ok()?.params_hash;
        if self.items > 0 && other.and_then(same).as_ref() != Some(&self.params_hash) {
            let (run, file) = (Printable::line(&self.run.0), Printable::path(&self.file));
            let items = self.items;
            tell(format!(
                "note: run `{run}` held the results of {items} items; the next incremental run of `{file}` will run them again"
            ));
        }
    }
}

/// A run with what its ledger says. One that cannot be read is kept, and is none of those that `--keep` counts: its age is
/// unknown, and what is left of it may be needed.
fn readable(folder: RunFolder) -> Option<(RunFolder, RunRecord)> {
    match Reader::open(folder.clone()).and_then(|reader| reader.run()) {
        Ok(record) => Some((folder, record)),
        Err(error) => {
            tell(format!("{}; it is kept", unreadable_run(&folder.run, &error)));
            None
        }
    }
}

/// How old a run is by a clock, both in milliseconds since 1970; unknown if it is from the future: a clock was wrong, then or now.
fn age(now: i64, started: i64) -> Option<Duration> {
    u64::try_from(now.saturating_sub(started)).ok().map(Duration::from_millis)
}

fn is_older(folder: &RunFolder, age: Option<Duration>, than: Duration) -> bool {
    if age.is_none() {
        let run = Printable::line(&folder.run.0);
        tell(format!("note: by this machine's clock, run `{run}` starts in the future; it is kept"));
    }
    age.is_some_and(|age| age >= than)
}

impl CleanArgs {
    /// Deletes the runs and prints their ids.
    pub fn run(self) -> Result<Exit, CliError> {
        let state = self.state.folder();
        let (half_made, folders): (Vec<_>, Vec<_>) =
            state.runs_by_age()?.into_iter().partition(RunFolder::is_half_made);
        if !self.dry_run {
            state.delete_leftovers().map_err(|error| CliError::bad(format!("cannot delete old runs: {error}")))?;
        }
        for folder in half_made {
            if !self.dry_run {
                folder.delete()?;
            }
            print(format!("{}\n", Printable::line(&folder.run.0)))?;
        }
        let mut folders: Vec<_> = folders.into_iter().filter_map(readable).collect();
        folders.truncate(folders.len().saturating_sub(self.keep.unwrap_or(0)));
        let now = wall_clock().as_millisecond();
        // Of runs of the same file with the same parameters, the last one that is deleted speaks for all: to look for another run
        // means to look at every run.
        let mut baselines = BTreeMap::new();
        for (folder, record) in folders {
            let run = folder.run.clone();
            if !self.older_than.is_none_or(|than| is_older(&folder, age(now, record.started), than))
                || folder.is_locked()
            {
                continue;
            }
            let baseline = Baseline::of(&folder, &record, &self.state.folder());
            baselines.extend(baseline.map(|it| ((it.file.clone(), it.params_hash.clone()), it)));
            if !self.dry_run {
                folder.delete()?;
            }
            print(format!("{}\n", Printable::line(&run.0)))?;
        }
        baselines.values().for_each(|baseline| baseline.tell_if_last(&self.state.folder()));
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_run_from_the_future_is_unknown() {
        assert_eq!(age(3000, 1000), Some(Duration::from_secs(2)));
        assert_eq!(age(1000, 1000), Some(Duration::ZERO));
        assert_eq!(age(1000, 1001), None);
        assert_eq!(age(0, i64::MAX), None);
        assert!(age(i64::MAX, i64::MIN) > Some(Duration::from_secs(1)));
    }
}
