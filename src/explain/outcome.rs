//! What the page says of the run as a whole.

use super::figures::Figures;
use super::step::StepFigures;
use super::words::time;
use crate::model::Status;
use crate::report::{bytes, count, number};
use crate::text::Printable;
use serde::Serialize;
use serde_json::Value as Json;

/// The answer in one sentence, and what to do.
#[derive(Serialize)]
pub(super) struct Outcome {
    headline: String,
    words: String,
    commands: Vec<String>,
}

impl Outcome {
    pub(super) fn of(run: &Figures) -> Self {
        let headline = headline(run);
        let (_, failed) = run.outcomes();
        let causes: usize = run.steps.iter().map(|step| step.failures.len()).sum();
        let skipped: u64 = run.steps.iter().map(|step| step.counts.skipped).sum();
        // Nothing counts what is left of a run that was killed, or refused.
        let is_left = skipped > 0 || matches!(run.status, Status::Interrupted | Status::Failed);
        let causes = count(causes as u64, "cause");
        let command = |verb: &str, more: &str| format!("batchmill {verb} {}{more}", run.run);
        let (words, commands) = match (run.status, is_left, failed) {
            (_, false, 0) | (Status::Running, _, 0) => (String::new(), vec![command("results", "")]),
            (Status::Running, ..) => (format!("{causes}."), vec![command("failures", " --group")]),
            (_, _, 0) => ("Nothing is lost.".to_owned(), vec![command("resume", "")]),
            (_, left, _) => {
                let words = format!("{causes}. Nothing is lost: `batchmill retry` runs only the failed items again.");
                let retry = [command("failures", " --group"), command("retry", "")];
                (words, retry.into_iter().chain(left.then(|| command("resume", ""))).collect())
            }
        };
        let is_back = run.cancelled() > 0 && run.status != Status::Running;
        let commands = commands.into_iter().chain(is_back.then(|| command("retry --cancelled", ""))).collect();
        Self { headline, words, commands }
    }
}

fn headline(run: &Figures) -> String {
    let (done, failed) = run.outcomes();
    let took = time(run.seconds);
    let items = |value: u64| count(value, "item");
    let stopped = run.steps.iter().rev().find_map(|step| Some((&step.name, step.failure.as_ref()?)));
    let skipped: u64 = run.steps.iter().map(|step| step.counts.skipped).sum();
    match run.status {
        Status::Succeeded => format!("Succeeded: {} done in {took}", items(done)),
        Status::Partial if failed == 0 => {
            format!("Finished in {took}: {} done, {} cancelled", items(done), number(run.cancelled()))
        }
        Status::Partial => format!("Finished with failures: {} of {} failed in {took}", number(failed), items(done)),
        Status::Failed => match stopped {
            Some((name, failure)) => format!("Failed: step {name} was stopped by {}", Printable::excerpt(failure, 120)),
            None => format!("Failed: {} of {} failed", number(failed), items(done)),
        },
        Status::Empty => "Stopped: a step has no items".to_owned(),
        Status::Interrupted if skipped == 0 => format!("Interrupted after {took}: {} done", items(done)),
        Status::Interrupted => format!("Interrupted after {took}: {} done, {} left", items(done), number(skipped)),
        Status::Running => format!("Running for {took}: {} done", items(done)),
    }
}

/// The share of a step of the time of all steps.
#[derive(Serialize)]
pub(super) struct Share {
    name: String,
    seconds: f64,
    percent: f64,
}

pub(super) fn shares(run: &Figures) -> Vec<Share> {
    let total: f64 = run.steps.iter().map(|step| step.seconds).sum();
    let share = |step: &StepFigures| {
        let percent = (1e4 * step.seconds / total.max(1e-9)).round() / 100.0;
        Share { name: step.name.clone(), seconds: step.seconds, percent }
    };
    run.steps.iter().map(share).collect()
}

/// A figure that is worth a large type.
#[derive(Serialize)]
pub(super) struct Card {
    figure: String,
    meaning: String,
}

pub(super) fn cards(run: &Figures) -> Vec<Card> {
    let card = |figure: String, meaning: &str| Card { figure, meaning: meaning.to_owned() };
    let (done, failed) = run.outcomes();
    let causes: usize = run.steps.iter().map(|step| step.failures.len()).sum();
    let mut cards = vec![card(number(done - failed), "items succeeded")];
    if failed > 0 {
        cards.push(card(number(failed), &format!("failed, {}", count(causes as u64, "cause"))));
    }
    if run.cancelled() > 0 {
        cards.push(card(number(run.cancelled()), "cancelled by hand"));
    }
    cards.push(card(time(run.seconds), "time"));
    let times: Vec<_> = run.steps.iter().filter_map(|step| step.time.as_ref()).collect();
    let slot_seconds: f64 = times.iter().map(|time| time.slot_seconds).sum();
    if slot_seconds > 0.0 {
        let busy: f64 = times.iter().map(|time| time.busy * time.slot_seconds).sum();
        cards.push(card(format!("{:.0}%", 100.0 * busy / slot_seconds), "of the slots' time busy"));
        let cpu: f64 = times.iter().map(|time| time.engine_cpu + time.task_cpu).sum();
        cards.push(card(time(cpu), "CPU time"));
        let memory = times.iter().map(|time| time.memory.tasks + time.memory.engine).max();
        cards.push(card(bytes(memory.unwrap_or(0)), "memory at most"));
    }
    cards
}

/// The machine in a few words.
pub(super) fn header(machine: &Json) -> String {
    let cores = machine["cores"].as_u64().map(|cores| count(cores, "core"));
    let python = machine["python"]["version"].as_str().map(|version| format!("Python {version}"));
    [cores, python].into_iter().flatten().map(|part| format!(" · {part}")).collect()
}

/// The parameters as text; empty if there are none.
pub(super) fn params(params: &Json) -> String {
    if params.as_object().is_none_or(serde_json::Map::is_empty) {
        return String::new();
    }
    Printable::lines(format!("{params:#}")).to_string()
}

pub(super) fn machine(machine: &Json) -> Vec<(&'static str, String)> {
    let text = |name: &str| machine[name].as_str().map(str::to_owned);
    let python = machine["python"].as_object().map(|python| {
        let part = |name: &str| python.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        format!("{} ({})", part("version"), part("path"))
    });
    let rows = [
        ("CPU", text("cpu")),
        ("cores", machine["cores"].as_u64().map(|cores| cores.to_string())),
        ("memory", machine["memory"].as_u64().map(bytes)),
        ("kernel", text("kernel")),
        ("batchmill", text("batchmill")),
        ("Python", python),
        ("packages", packages(&machine["python"])),
    ];
    rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The packages of the interpreter, if there are any.
fn packages(python: &Json) -> Option<String> {
    let packages = python["packages"].as_object().filter(|packages| !packages.is_empty())?;
    let package = |(name, version): (&String, &Json)| format!("{name} {}", version.as_str().unwrap_or_default());
    let mut text = packages.iter().map(package).collect::<Vec<_>>().join(", ");
    match python["more_packages"].as_u64() {
        None | Some(0) => {}
        Some(more) => text.push_str(&format!(" and {} more", number(more))),
    }
    Some(text)
}
