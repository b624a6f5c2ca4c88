//! What a run does when another process tells it something.

use super::control::Control;
use super::signals::Stopper;
use crate::control::{Answer, Command, RunState, RunningItem, Server, StepState};
use crate::ledger::{CommandLog, ItemOutcome, Ledger, LedgerError, Reader, RunFolder};
use crate::model::StepName;
use crate::pipeline::{Running, SteeredStep, Whereabouts};
use crate::task::Withdrawal;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Takes commands from other processes for a run.
pub(super) struct Steering {
    stopper: Stopper,
    folder: RunFolder,
    log: CommandLog,
}

impl Steering {
    /// Takes commands until the server is dropped.
    ///
    /// # Errors
    /// If there can be no socket.
    pub(super) fn serve(stopper: &Stopper, ledger: &Ledger) -> io::Result<Server> {
        let (folder, log) = (ledger.folder().clone(), ledger.command_log());
        let path = folder.path.clone();
        let steering = Self { stopper: stopper.clone(), folder, log };
        Server::start(&path, Arc::new(move |command: &Command| steering.obey(command)))
    }

    fn control(&self) -> &Control {
        self.stopper.control()
    }

    fn obey(&self, command: &Command) -> Answer {
        if *command == Command::State {
            return Answer::State(self.state());
        }
        let answer = self.act(command);
        if let Answer::Done { text } = &answer {
            self.note(command, text);
        }
        answer
    }

    /// Records what the user has done, and lets everyone who hears of the run know.
    fn note(&self, command: &Command, text: &str) {
        let text = match self.log.add(&words(command), text) {
            Ok(()) => text.to_owned(),
            Err(error) => format!("{text} (warning: this is not recorded: {error})"),
        };
        self.control().step().iter().for_each(|step| step.tell(text.clone()));
    }

    fn act(&self, command: &Command) -> Answer {
        let control = self.control();
        if control.cancel.closing.is_fired() {
            return Answer::refused("the run is ending: its steps are over");
        }
        match command {
            Command::Pause if control.width.is_paused() => Answer::refused("the run is paused already"),
            Command::Pause => {
                control.width.pause();
                Answer::done("paused: running items finish, and nothing new starts")
            }
            Command::Continue if !control.width.is_paused() => Answer::refused("the run is not paused"),
            Command::Continue => {
                control.width.resume();
                Answer::done("continued")
            }
            Command::Jobs { jobs } => self.set_jobs(*jobs),
            Command::Stop if control.cancel.stop.is_fired() => Answer::refused("the run is stopping already"),
            Command::Stop => {
                self.stopper.stop();
                Answer::done(format!(
                    "stopping when the running items have finished; `batchmill resume {}` continues",
                    self.folder.run
                ))
            }
            Command::Cancel { step, item } => self.with_step(step, |step| self.cancel(step, *item)),
            Command::Skip { step, item } => self.with_step(step, |step| self.skip(step, *item)),
            Command::RetryFailed => control.step().map_or_else(between_steps, |step| retry_failed(&step)),
            Command::State => Answer::State(self.state()),
        }
    }

    fn state(&self) -> RunState {
        let control = self.control();
        let step = control.step().map(|step| StepState {
            name: step.name().clone(),
            jobs: step.jobs().min(control.width.jobs()),
            most_jobs: step.most_jobs(),
            auto: step.finds_width(),
            running: step.running().into_iter().map(running_item).collect(),
        });
        RunState { paused: control.width.is_paused(), stopping: control.cancel.stop.is_fired(), step }
    }

    fn set_jobs(&self, jobs: NonZeroUsize) -> Answer {
        if let Some(step) = self.control().step().filter(|step| jobs.get() > step.most_jobs()) {
            let most = step.most_jobs();
            return Answer::refused(format!("`{}` runs at most {} at a time", step.name(), items(most as u64)))
                .with_help(format!("start the run with `-j {jobs}`, or set `max_parallel` in the workflow"));
        }
        self.control().set_jobs(jobs);
        Answer::done(format!("running up to {} at a time", items(jobs.get() as u64)))
    }

    /// Does something with the current step, if it is this one and has items.
    fn with_step(&self, name: &StepName, act: impl FnOnce(&SteeredStep) -> Answer) -> Answer {
        let Some(step) = self.control().step() else { return between_steps() };
        if step.name() != name {
            return Answer::refused(format!("`{name}` is not running; `{}` is", step.name()));
        }
        if !step.has_items() {
            return Answer::refused(format!("`{name}` has no items: it is one task")).with_help("`stop` ends the run");
        }
        act(&step)
    }

    fn cancel(&self, step: &SteeredStep, item: u64) -> Answer {
        let name = step.name();
        if step.whereabouts(item) != Whereabouts::Elsewhere {
            return withdraw(step, (item, Withdrawal::Cancel), format!("cancelling item {item} of `{name}`"));
        }
        self.refusal(name, item).unwrap_or_else(|| {
            Answer::refused(format!("item {item} of `{name}` has not begun"))
                .with_help(format!("leave it out: `batchmill ctl skip {name}:{item}`"))
        })
    }

    fn skip(&self, step: &SteeredStep, item: u64) -> Answer {
        let name = step.name();
        let is_known = match step.whereabouts(item) {
            Whereabouts::Running => {
                return Answer::refused(format!("item {item} of `{name}` is running"))
                    .with_help(format!("end it: `batchmill ctl cancel {name}:{item}`"));
            }
            Whereabouts::InSlot => true,
            Whereabouts::Elsewhere => false,
        };
        if step.is_withdrawn(item) {
            return Answer::refused(format!("item {item} of `{name}` is skipped already"));
        }
        if let Some(refusal) = self.refusal(name, item).filter(|_| !is_known) {
            return refusal;
        }
        withdraw(step, (item, Withdrawal::Skip), format!("skipping item {item} of `{name}`"))
    }

    /// Why nothing can be done about an item that no slot has: it has an outcome, or there is no such item.
    fn refusal(&self, name: &StepName, item: u64) -> Option<Answer> {
        let read = || -> Result<Option<(u64, Option<ItemOutcome>)>, LedgerError> {
            let reader = Reader::open(self.folder.clone())?;
            let Some(step) = reader.step(name)? else { return Ok(None) };
            Ok(Some((step.record.stats.total, step.outcome_of(item)?)))
        };
        match read() {
            Err(error) => Some(Answer::refused(format!("cannot look item {item} up: {error}"))),
            Ok(Some((_, Some(outcome)))) => {
                let (what, help) = match outcome {
                    ItemOutcome::Succeeded => ("succeeded", None),
                    ItemOutcome::Failed => ("failed", Some("`batchmill ctl retry-failed` runs failed items again")),
                    ItemOutcome::Cancelled => ("been cancelled or skipped", None),
                };
                let refused = Answer::refused(format!("item {item} of `{name}` has {what}"));
                Some(help.into_iter().fold(refused, Answer::with_help))
            }
            Ok(Some((total, None))) if total > 0 && item >= total => {
                let text = format!("`{name}` has no item {item}: it has {}, counted from 0", items(total));
                Some(Answer::refused(text))
            }
            Ok(_) => None,
        }
    }
}

fn between_steps() -> Answer {
    Answer::refused("no step is running at the moment")
}

fn withdraw(step: &SteeredStep, (item, how): (u64, Withdrawal), text: String) -> Answer {
    match step.withdraw(item, how) {
        Ok(()) => Answer::done(text),
        Err(error) => Answer::refused(format!("the system refuses it: {error}")),
    }
}

fn retry_failed(step: &SteeredStep) -> Answer {
    let name = step.name();
    match step.retry_failed() {
        None => {
            Answer::refused(format!("`{name}` is ending")).with_help("`batchmill retry` runs its failed items again")
        }
        Some(retried) if retried.count == 0 && retried.left == 0 => {
            Answer::refused(format!("no item of `{name}` has failed"))
        }
        Some(retried) => {
            let more = match retried.left {
                0 => String::new(),
                left => format!("; {left} more can run again with `batchmill retry` after the run"),
            };
            Answer::done(format!("running {} of `{name}` again{more}", failed_items(retried.count)))
        }
    }
}

fn running_item(running: Running) -> RunningItem {
    let Running { slot, index, item, took } = running;
    RunningItem { slot, index, item, seconds: took.as_secs_f64() }
}

fn items(count: u64) -> String {
    if count == 1 { "1 item".to_owned() } else { format!("{count} items") }
}

fn failed_items(count: u64) -> String {
    if count == 1 { "1 failed item".to_owned() } else { format!("{count} failed items") }
}

/// A command as the user types it.
fn words(command: &Command) -> String {
    match command {
        Command::Pause => "pause".to_owned(),
        Command::Continue => "continue".to_owned(),
        Command::Jobs { jobs } => format!("jobs {jobs}"),
        Command::Cancel { step, item } => format!("cancel {step}:{item}"),
        Command::Skip { step, item } => format!("skip {step}:{item}"),
        Command::RetryFailed => "retry-failed".to_owned(),
        Command::Stop => "stop".to_owned(),
        Command::State => "state".to_owned(),
    }
}
