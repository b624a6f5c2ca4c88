//! The charts of a step, each with its data as a table.

use super::charts::{Line, Unit, histogram, over_time};
use super::error::PageError;
use super::step::StepFigures;
use minijinja::{Environment, Value, context};
use serde::Serialize;

/// The charts of a step, as HTML.
#[derive(Serialize)]
pub(super) struct StepCharts {
    figures: Vec<String>,
    /// The distribution of item times.
    items: String,
    /// How often the step was resumed.
    resumed: usize,
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

pub(super) fn charts(step: &StepFigures, environment: &Environment<'_>) -> Result<StepCharts, PageError> {
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
