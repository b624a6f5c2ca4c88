//! The charts of a profile.

use crate::explain::charts::{Curve, Unit, over_number};
use crate::explain::error::PageError;
use crate::profile::{Interval, Outcome, Row, Setup, speedup};
use minijinja::{Environment, Value, context};

/// Points of a curve that is a formula.
const SMOOTH: usize = 60;

/// The charts, as HTML: throughput and efficiency by width, and throughput by batch size if several were tried.
pub(super) fn charts(outcome: &Outcome, environment: &Environment<'_>) -> Result<Vec<String>, PageError> {
    let own = outcome.own;
    let widths = rows(outcome, |setup| Setup { width: own.width, ..setup } == own);
    let sizes =
        rows(outcome, |setup| Setup { batch_size: own.batch_size, ..setup } == own && setup.batch_size.is_some());
    let mut charts = Vec::new();
    let measured = Curve::measured("measured", widths.iter().map(|row| (width_of(row), row.throughput)).map(points));
    let top = 1.15 * widths.iter().map(|row| row.throughput.high).fold(0.0, f64::max);
    let mut curves = vec![measured];
    if let Some(one) = widths.first().filter(|row| row.setup.width == 1).map(|row| row.throughput.median) {
        let last = widths.last().map_or(1.0, |row| width_of(row));
        let until = last.min(top / one);
        curves.push(Curve::formula("ideal", smooth(until).map(|x| (x, x * one))));
        curves.extend(fitted(outcome, one, last));
    }
    charts.push(chart("Throughput", "items per second, by number of workers", (Unit::Number, &curves), environment)?);
    let efficient: Vec<_> = widths.iter().filter_map(|row| Some((width_of(row), row.efficiency?))).collect();
    if !efficient.is_empty() {
        let curves = [Curve::measured("efficiency", efficient.into_iter().map(|(x, y)| (x, [y; 3])))];
        let note = "speed-up divided by the number of workers";
        charts.push(chart("Efficiency", note, (Unit::Share, &curves), environment)?);
    }
    if sizes.len() > 1 {
        let size = |row: &&Row| (row.setup.batch_size.unwrap_or(1) as f64).log10();
        let curves = [Curve::measured("measured", sizes.iter().map(|row| (size(row), row.throughput)).map(points))];
        let note = "items per second, by batch size (power of ten)";
        charts.push(chart("Batch sizes", note, (Unit::Number, &curves), environment)?);
    }
    Ok(charts)
}

fn width_of(row: &Row) -> f64 {
    row.setup.width as f64
}

fn points((x, interval): (f64, Interval)) -> (f64, [f64; 3]) {
    (x, [interval.low, interval.median, interval.high])
}

/// What was measured with settings of a kind, by them.
fn rows(outcome: &Outcome, wanted: impl Fn(Setup) -> bool) -> Vec<&Row> {
    let mut rows: Vec<&Row> = outcome.rows.iter().filter(|row| wanted(row.setup)).collect();
    rows.sort_by_key(|row| row.setup);
    rows
}

/// From one worker on.
fn smooth(until: f64) -> impl Iterator<Item = f64> {
    (0..=SMOOTH).map(move |at| 1.0 + (until - 1.0).max(0.0) * at as f64 / SMOOTH as f64)
}

/// What the law says that was fitted.
fn fitted(outcome: &Outcome, one: f64, last: f64) -> Option<Curve> {
    let curve = |name, until, (serial, crosstalk): (f64, f64)| {
        Curve::formula(name, smooth(until).map(move |x| (x, one * speedup(x, serial, crosstalk))))
    };
    match (&outcome.law.usl, &outcome.law.amdahl) {
        (Ok(usl), _) => Some(curve("Universal Scalability Law", last, (usl.serial.median, usl.crosstalk.median))),
        (Err(_), Some(serial)) => Some(curve("Amdahl's law", last.min(outcome.cores as f64), (serial.median, 0.0))),
        _ => None,
    }
}

fn chart(
    title: &str,
    note: &str,
    (unit, curves): (Unit, &[Curve]),
    environment: &Environment<'_>,
) -> Result<String, PageError> {
    let svg = over_number(curves, unit)?;
    // The table of the profile has the numbers.
    let legend: Vec<Value> = curves.iter().map(|curve| context! { name => curve.name() }).collect();
    Ok(environment.get_template("curves.html")?.render(context! { title, note, svg, legend })?)
}
