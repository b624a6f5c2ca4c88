//! The page: one HTML file that needs nothing else.
//!
//! minijinja escapes every value for HTML; text from items, errors and files is made printable before. A content security
//! policy allows only the page's own script, by its hash, and no request.

use super::against::Against;
use super::charts::{Line, Unit, histogram, over_time};
use super::error::PageError;
use super::figures::Figures;
use super::step::StepFigures;
use super::timeline::timelines;
use crate::measure::SlotState;
use crate::model::Status;
use crate::report::{bytes, count, number};
use crate::text::Printable;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{Environment, HtmlEscape, Value, context};
use serde::Serialize;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::time::Duration;

const TEMPLATE: &str = include_str!("page.html");
const FIGURE: &str = include_str!("figure.html");
const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("page.js");

/// How much of an item's input is shown, in characters.
const EXCERPT: usize = 200;

/// The charts of a step, as HTML.
#[derive(Serialize)]
struct StepCharts {
    figures: Vec<String>,
    /// The distribution of item times.
    items: String,
    /// How often the step was resumed.
    resumed: usize,
}

/// The page about a run, as HTML.
///
/// # Errors
/// If there is a bug in the template or in a chart.
pub fn page(run: &Figures, against: Option<&Against>) -> Result<String, PageError> {
    let mut environment = Environment::new();
    add_filters(&mut environment);
    environment.add_template("page.html", TEMPLATE)?;
    environment.add_template("figure.html", FIGURE)?;
    let lines = timelines(&run.steps);
    let charts = run.steps.iter().map(|step| charts(step, &environment)).collect::<Result<Vec<_>, _>>()?;
    let used = |state: &&SlotState| {
        run.steps.iter().filter_map(|step| step.time.as_ref()).any(|time| time.states[state.name()] > 0.0)
    };
    let html = environment.get_template("page.html")?.render(context! {
        run => Value::from(Serde(run)),
        against => Value::from(Serde(against)),
        charts => Value::from(Serde(charts)),
        outcome => Value::from(Serde(Outcome::of(run))),
        shares => Value::from(Serde(shares(run))),
        cards => Value::from(Serde(cards(run))),
        machine => machine(&run.machine),
        header => header(&run.machine),
        params => params(&run.params),
        exact => lines.iter().map(|line| line["exact"] == true).collect::<Vec<_>>(),
        timelines => json!(lines).to_string().replace('<', "\\u003c"),
        states => SlotState::ALL.map(|state| context! { name => state.name(), meaning => state.meaning() }),
        used_states => SlotState::ALL.iter().filter(used).map(|state| state.name()).collect::<Vec<_>>(),
        has_failures => run.steps.iter().any(|step| !step.failures.is_empty()),
        has_items => run.steps.iter().any(|step| step.items.is_some()),
        has_outputs => run.steps.iter().any(|step| step.output.is_some()),
        script_hash => format!("sha256-{}", STANDARD.encode(Sha256::digest(JS))),
        css => CSS,
        js => JS,
        version => env!("CARGO_PKG_VERSION"),
    })?;
    Ok(html)
}

fn add_filters(environment: &mut Environment<'_>) {
    environment.add_filter("shown", |text: &str| Printable::lines(text).to_string());
    environment.add_filter("excerpt", |text: &str| Printable::excerpt(text, EXCERPT).to_string());
    // Our own words, with code in backticks.
    environment.add_filter("marked", |text: &str| {
        let parts = text.split('`').enumerate().map(|(at, part)| match (at % 2, HtmlEscape(part)) {
            (0, part) => part.to_string(),
            (_, part) => format!("<code>{part}</code>"),
        });
        Value::from_safe_string(parts.collect::<String>())
    });
    environment.add_filter("command", |text: &str| {
        let text = HtmlEscape(text);
        let copy = format!(r#"<button type="button" data-copy aria-label="Copy {text}">copy</button>"#);
        Value::from_safe_string(format!(r#"<span class="cmd"><code>{text}</code>{copy}</span>"#))
    });
    environment.add_filter("number", number);
    environment.add_filter("bytes", bytes);
    environment.add_filter("time", |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), time));
    environment.add_filter("rate", rate);
    environment.add_filter("percent", |share: f64| format!("{:.0}%", 100.0 * share));
    environment.add_filter("change", |pair: Vec<f64>| change(&pair));
    environment.add_filter("change_class", |pair: Vec<f64>| if pair[1] > pair[0] { "worse" } else { "better" });
}

fn change(pair: &[f64]) -> String {
    if pair[0] > 0.0 { format!("{:+.0}%", 100.0 * (pair[1] / pair[0] - 1.0)) } else { String::new() }
}

/// A time with three digits that matter.
fn time(seconds: f64) -> String {
    let digits = |value: f64, unit: &str| match value {
        100.0.. => format!("{value:.0} {unit}"),
        10.0.. => format!("{value:.1} {unit}"),
        _ => format!("{value:.2} {unit}"),
    };
    match seconds {
        0.0 => "0 s".to_owned(),
        ..1e-6 => format!("{:.0} ns", seconds * 1e9),
        ..1e-3 => digits(seconds * 1e6, "µs"),
        ..1.0 => digits(seconds * 1e3, "ms"),
        ..60.0 => digits(seconds, "s"),
        _ => crate::report::duration(Duration::from_secs_f64(seconds)),
    }
}

fn rate(per_second: f64) -> String {
    match per_second {
        0.0 => "0".to_owned(),
        ..1.0 => format!("{per_second:.3}"),
        ..100.0 => format!("{per_second:.1}"),
        _ => number(per_second.round() as u64),
    }
}

/// The answer in one sentence, and what to do.
#[derive(Serialize)]
struct Outcome {
    headline: String,
    words: String,
    commands: Vec<String>,
}

impl Outcome {
    fn of(run: &Figures) -> Self {
        let headline = headline(run);
        let (_, failed) = run.outcomes();
        let causes: usize = run.steps.iter().map(|step| step.failures.len()).sum();
        let skipped: u64 = run.steps.iter().map(|step| step.counts.skipped).sum();
        let run = &run.run;
        let (words, commands) = match (skipped, failed) {
            (0, 0) => (String::new(), vec![format!("batchmill results {run}")]),
            (_, 0) => ("Nothing is lost.".to_owned(), vec![format!("batchmill resume {run}")]),
            _ => {
                let causes = count(causes as u64, "cause");
                let words = format!("{causes}. Nothing is lost: `batchmill retry` runs only the failed items again.");
                (words, vec![format!("batchmill failures {run} --group"), format!("batchmill retry {run}")])
            }
        };
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
        Status::Interrupted => format!("Interrupted after {took}: {} done, {} left", items(done), number(skipped)),
        Status::Running => format!("Running for {took}: {} done", items(done)),
    }
}

/// The share of a step of the time of all steps.
#[derive(Serialize)]
struct Share {
    name: String,
    seconds: f64,
    percent: f64,
}

fn shares(run: &Figures) -> Vec<Share> {
    let total: f64 = run.steps.iter().map(|step| step.seconds).sum();
    let share = |step: &StepFigures| {
        let percent = (1e4 * step.seconds / total.max(1e-9)).round() / 100.0;
        Share { name: step.name.clone(), seconds: step.seconds, percent }
    };
    run.steps.iter().map(share).collect()
}

/// A figure that is worth a large type.
#[derive(Serialize)]
struct Card {
    figure: String,
    meaning: String,
}

fn cards(run: &Figures) -> Vec<Card> {
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
fn header(machine: &Json) -> String {
    let cores = machine["cores"].as_u64().map(|cores| count(cores, "core"));
    let python = machine["python"]["version"].as_str().map(|version| format!("Python {version}"));
    [cores, python].into_iter().flatten().map(|part| format!(" · {part}")).collect()
}

/// The parameters as text; empty if there are none.
fn params(params: &Json) -> String {
    if params.as_object().is_none_or(serde_json::Map::is_empty) {
        return String::new();
    }
    Printable::lines(format!("{params:#}")).to_string()
}

fn machine(machine: &Json) -> Vec<(&'static str, String)> {
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

/// A chart with its data.
struct Figure<'a> {
    title: &'a str,
    note: &'a str,
    unit: Unit,
    lines: Vec<Line>,
    /// More columns of the table.
    more: Vec<Line>,
}

fn charts(step: &StepFigures, environment: &Environment<'_>) -> Result<StepCharts, PageError> {
    let figures = figures(step);
    let figures = figures.into_iter().map(|figure| {
        let svg = over_time(&step.samples.at, &figure.lines, figure.unit)?;
        let column = |line: &Line| {
            let cells: Vec<String> = line.values.iter().map(|value| cell(*value)).collect();
            context! { name => line.name, cells }
        };
        let columns: Vec<Value> = figure.lines.iter().chain(&figure.more).map(column).collect();
        let (title, note, lines) = (figure.title, figure.note, figure.lines.len());
        let at: Vec<String> = step.samples.at.iter().map(|at| format!("{at:.2}")).collect();
        Ok(environment.get_template("figure.html")?.render(context! { title, note, svg, columns, at, lines })?)
    });
    Ok(StepCharts {
        figures: figures.collect::<Result<_, PageError>>()?,
        items: step.items.as_ref().map(|items| histogram(&items.histogram)).transpose()?.unwrap_or_default(),
        resumed: step.joined.resumed.len(),
    })
}

/// A number in a table, with four digits that matter.
fn cell(value: f64) -> String {
    if value.fract() == 0.0 || value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

fn figures(step: &StepFigures) -> Vec<Figure<'static>> {
    let samples = &step.samples;
    let per_second = |name, values: &[u64]| {
        let values = values.iter().zip(&samples.took).map(|(value, took)| *value as f64 / took.max(1e-6));
        Line { name, values: values.collect() }
    };
    let whole = |name, values: &[u64]| Line { name, values: values.iter().map(|value| *value as f64).collect() };
    let plain = |name, values: &[f64]| Line { name, values: values.to_vec() };
    let figure = |title, note, (unit, lines, more)| Figure { title, note, unit, lines, more };
    let rates = vec![
        per_second("items", &samples.succeeded),
        per_second("failed", &samples.failed),
        per_second("retried", &samples.retried),
    ];
    let waits = vec![whole("frames queued", &samples.queued), whole("batches waiting", &samples.waiting)];
    let cores = vec![plain("tasks", &samples.task_cores), plain("engine", &samples.engine_cores)];
    let memory = vec![whole("tasks", &samples.task_memory), whole("engine", &samples.engine_memory)];
    let storage = vec![per_second("read", &samples.read), per_second("written", &samples.written)];
    let pressure = vec![
        plain("CPU", &samples.cpu_pressure),
        plain("I/O", &samples.io_pressure),
        plain("memory", &samples.memory_pressure),
    ];
    vec![
        figure("Throughput", "items per second", (Unit::Number, rates, Vec::new())),
        figure("Busy slots", "on average", (Unit::Number, vec![plain("busy slots", &samples.busy_slots)], waits)),
        figure("CPU", "cores in use", (Unit::Number, cores, vec![plain("throttled (s)", &samples.throttled)])),
        figure("Memory", "in use", (Unit::Bytes, memory, Vec::new())),
        figure("Storage", "bytes per second", (Unit::Bytes, storage, Vec::new())),
        figure("Pressure", "share of time that some process waited", (Unit::Share, pressure, Vec::new())),
    ]
}
