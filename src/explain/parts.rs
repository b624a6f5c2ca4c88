//! The parts of the page about a run: each is HTML that can be replaced by a newer one.

use super::against::Against;
use super::error::PageError;
use super::figures::Figures;
use super::outcome::{Outcome, cards, header, machine, params, shares};
use super::step::StepFigures;
use super::step_charts::charts;
use super::timeline::timelines;
use super::words::add_filters;
use crate::measure::SlotState;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;

/// The templates; `step` is used for each step, `figure` for each chart.
const TEMPLATES: [(&str, &str); 10] = [
    ("outcome.html", include_str!("page/outcome.html")),
    ("overview.html", include_str!("page/overview.html")),
    ("failures.html", include_str!("page/failures.html")),
    ("commands.html", include_str!("page/commands.html")),
    ("steps.html", include_str!("page/steps.html")),
    ("step.html", include_str!("page/step.html")),
    ("against.html", include_str!("page/against.html")),
    ("outputs.html", include_str!("page/outputs.html")),
    ("run.html", include_str!("page/run.html")),
    ("figure.html", include_str!("page/figure.html")),
];

/// A part of the page. The first of a page is the outcome, which is its header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its name, which stays the same while its content changes: letters, digits and `-`.
    pub key: String,
    /// Its content.
    pub html: String,
}

impl Part {
    /// The part in an element that tells its name.
    pub fn in_place(&self) -> String {
        format!("<div data-part=\"{}\">\n{}\n</div>", self.key, self.html)
    }
}

/// The parts of the page about a run, in order. At most this many frames are drawn one by one.
///
/// # Errors
/// If there is a bug in a template or in a chart.
pub fn parts(run: &Figures, against: Option<&Against>, most_frames: usize) -> Result<Vec<Part>, PageError> {
    let mut environment = Environment::new();
    add_filters(&mut environment);
    for (name, template) in TEMPLATES {
        environment.add_template(name, template)?;
    }
    let used = |state: &&SlotState| {
        run.steps.iter().filter_map(|step| step.time.as_ref()).any(|time| time.states[state.name()] > 0.0)
    };
    let all = context! {
        run => Value::from(Serde(run)),
        against => Value::from(Serde(against)),
        outcome => Value::from(Serde(Outcome::of(run))),
        shares => Value::from(Serde(shares(run))),
        cards => Value::from(Serde(cards(run))),
        machine => machine(&run.machine),
        header => header(&run.machine),
        params => params(&run.params),
        states => states(),
        used_states => SlotState::ALL.iter().filter(used).map(|state| state.name()).collect::<Vec<_>>(),
        has_failures => run.steps.iter().any(|step| !step.failures.is_empty()),
        has_items => run.steps.iter().any(|step| step.items.is_some()),
        has_outputs => run.steps.iter().any(|step| step.output.is_some()),
    };
    let part = |key: &str| -> Result<Part, PageError> {
        let html = environment.get_template(&format!("{key}.html"))?.render(&all)?;
        Ok(Part { key: key.to_owned(), html })
    };
    let mut parts = ["outcome", "overview", "failures", "commands", "steps"]
        .map(part)
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    for ((step, line), number) in run.steps.iter().zip(timelines(&run.steps, most_frames)).zip(1..) {
        if step.time.is_some() {
            let html = step_html(step, (&line, number), &environment)?;
            parts.push(Part { key: format!("step-{number}-part"), html });
        }
    }
    for key in ["against", "outputs", "run"] {
        parts.push(part(key)?);
    }
    Ok(parts)
}

/// The section of a step. `line` is its time line.
fn step_html(
    step: &StepFigures,
    (line, number): (&serde_json::Value, usize),
    environment: &Environment<'_>,
) -> Result<String, PageError> {
    Ok(environment.get_template("step.html")?.render(context! {
        step => Value::from(Serde(step)),
        number,
        charts => Value::from(Serde(charts(step, environment)?)),
        exact => line["exact"] == true,
        // Nothing in it can end the element that it is in.
        timeline => line.to_string().replace('<', "\\u003c"),
        states => states(),
    })?)
}

/// The states of a slot, and what they mean.
pub(super) fn states() -> Vec<Value> {
    SlotState::ALL.iter().map(|state| context! { name => state.name(), meaning => state.meaning() }).collect()
}
