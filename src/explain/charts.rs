//! The charts of the page, as SVG. plotters draws them; colours are variables of the page, so that they fit dark and light.

use super::error::PageError;
use super::histogram::Bin;
use crate::report::duration;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::time::Duration;

/// The size of a chart in pixels; the page scales it.
const WIDTH: u32 = 560;
const HEIGHT: u32 = 170;

/// Stand-ins that plotters draws with, and the variables of the page that take their place.
const INK: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(2, 2, 2);
const LINES: [RGBColor; 3] = [RGBColor(3, 3, 3), RGBColor(4, 4, 4), RGBColor(5, 5, 5)];
const VARIABLES: [(&str, &str); 5] = [
    ("#010101", "var(--dim)"),
    ("#020202", "var(--line)"),
    ("#030303", "var(--ok)"),
    ("#040404", "var(--bad)"),
    ("#050505", "var(--retry)"),
];

/// How values of an axis are written.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    /// A plain number.
    Number,
    /// Bytes.
    Bytes,
    /// A share of one.
    Share,
}

/// A line of a chart: for each sample the value during it.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) values: Vec<f64>,
}

/// A curve of a chart by a number.
pub(super) struct Curve {
    name: &'static str,
    points: Vec<(f64, f64)>,
    /// Where each point may really be; empty for a formula.
    ranges: Vec<(f64, f64)>,
}

impl Curve {
    /// Points that were measured: `x`, and low, median and high.
    pub(super) fn measured(name: &'static str, points: impl Iterator<Item = (f64, [f64; 3])>) -> Self {
        let (points, ranges) = points.map(|(x, [low, median, high])| ((x, median), (low, high))).unzip();
        Self { name, points, ranges }
    }

    /// Points of a formula.
    pub(super) fn formula(name: &'static str, points: impl Iterator<Item = (f64, f64)>) -> Self {
        Self { name, points: points.collect(), ranges: Vec::new() }
    }

    /// What it shows.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }
}

/// A chart by a number, from 0 on.
pub(super) fn over_number(curves: &[Curve], unit: Unit) -> Result<String, PageError> {
    let most = |values: &dyn Fn(&Curve) -> f64| curves.iter().map(values).fold(0.0_f64, f64::max);
    let end = most(&|curve| curve.points.iter().map(|(x, _)| *x).fold(0.0, f64::max)) * 1.03;
    let highest = |curve: &Curve| curve.points.iter().map(|point| point.1).fold(0.0, f64::max);
    let top = most(&|curve| curve.ranges.iter().map(|range| range.1).fold(highest(curve), f64::max)) * 1.05;
    let (end, top) = (end.max(1e-6), top.max(1e-6));
    draw(|area| {
        let mut chart = builder(area).build_cartesian_2d(0.0..end, 0.0..top)?;
        mesh(&mut chart, &|x| label(*x, Unit::Number), &|y| label(*y, unit))?;
        for (curve, colour) in curves.iter().zip(LINES) {
            chart.draw_series(std::iter::once(PathElement::new(curve.points.clone(), colour.stroke_width(2))))?;
            let ranges = curve.points.iter().zip(&curve.ranges);
            let range = |((x, _), (low, high)): (&(f64, f64), &(f64, f64))| {
                PathElement::new(vec![(*x, *low), (*x, *high)], colour.stroke_width(1))
            };
            chart.draw_series(ranges.clone().map(range))?;
            chart.draw_series(ranges.map(|(point, _)| Circle::new(*point, 3, colour.filled())))?;
        }
        Ok(())
    })
}

/// A chart over time. `at` has the end of each sample in seconds.
pub(super) fn over_time(at: &[f64], lines: &[Line], unit: Unit) -> Result<String, PageError> {
    let end = at.last().copied().unwrap_or(0.0).max(1e-6);
    let top = lines.iter().flat_map(|line| &line.values).copied().fold(0.0_f64, f64::max);
    let top = if top > 0.0 { top * 1.05 } else { 1.0 };
    draw(|area| {
        let mut chart = builder(area).build_cartesian_2d(0.0..end, 0.0..top)?;
        mesh(&mut chart, &|x| time_label(*x), &|y| label(*y, unit))?;
        for (line, colour) in lines.iter().zip(LINES) {
            chart.draw_series(std::iter::once(PathElement::new(steps(at, &line.values), colour.stroke_width(2))))?;
        }
        Ok(())
    })
}

/// A line that keeps the value of each sample for as long as it was.
fn steps(at: &[f64], values: &[f64]) -> Vec<(f64, f64)> {
    let mut points = Vec::with_capacity(2 * at.len());
    let mut from = 0.0;
    for (to, value) in at.iter().zip(values) {
        points.extend([(from, *value), (*to, *value)]);
        from = *to;
    }
    points
}

/// The distribution of item times, on a logarithmic axis.
pub(super) fn histogram(bins: &[Bin]) -> Result<String, PageError> {
    let (Some(first), Some(last)) = (bins.first(), bins.last()) else { return Ok(String::new()) };
    let top = bins.iter().map(|bin| bin.count).max().unwrap_or(1) as f64 * 1.05;
    // A single bin would fill the chart.
    let (from, to) = (first.from.log10() - 0.15, last.to.log10() + 0.15);
    draw(|area| {
        let mut chart = builder(area).build_cartesian_2d(from..to, 0.0..top)?;
        mesh(&mut chart, &|x| time_label(10_f64.powf(*x)), &|y| label(*y, Unit::Number))?;
        let bar = |bin: &Bin| {
            Rectangle::new([(bin.from.log10(), 0.0), (bin.to.log10(), bin.count as f64)], LINES[0].filled())
        };
        chart.draw_series(bins.iter().filter(|bin| bin.count > 0).map(bar))?;
        Ok(())
    })
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type DrawError = DrawingAreaErrorKind<std::io::Error>;

/// A chart with room for its labels.
fn builder<'a, 'b>(area: &'a Area<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder.margin(4).margin_right(14).x_label_area_size(22).y_label_area_size(58);
    builder
}

fn font() -> TextStyle<'static> {
    ("sans-serif", 11).into_font().color(&INK)
}

fn mesh(chart: &mut Chart<'_, '_>, x: &dyn Fn(&f64) -> String, y: &dyn Fn(&f64) -> String) -> Result<(), DrawError> {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(6)
        .y_labels(4)
        .label_style(font())
        .x_label_formatter(x)
        .y_label_formatter(y)
        .draw()
}

fn draw(draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>) -> Result<String, PageError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        draw(&area).and_then(|()| area.present()).map_err(|error| PageError(error.to_string()))?;
    }
    for (colour, variable) in VARIABLES {
        svg = svg.replace(colour, variable);
    }
    // The figure around it says what it shows.
    Ok(svg.replacen("<svg ", "<svg aria-hidden=\"true\" ", 1))
}

fn time_label(seconds: f64) -> String {
    if seconds <= 0.0 {
        return "0".to_owned();
    }
    match seconds {
        ..1e-6 => format!("{:.0} ns", seconds * 1e9),
        ..1e-3 => format!("{:.0} µs", seconds * 1e6),
        ..1.0 => format!("{:.0} ms", seconds * 1e3),
        ..10.0 => format!("{seconds:.1} s"),
        ..60.0 => format!("{seconds:.0} s"),
        _ => duration(Duration::from_secs_f64(seconds)),
    }
}

fn label(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => crate::report::bytes(value as u64),
        Unit::Share => format!("{:.0}%", 100.0 * value),
        Unit::Number if value >= 1e6 => format!("{:.1}M", value / 1e6),
        Unit::Number if value >= 1e4 => format!("{:.0}k", value / 1e3),
        Unit::Number if value >= 10.0 || value.fract() == 0.0 => format!("{value:.0}"),
        Unit::Number => format!("{value:.2}"),
    }
}
