//! The page about a profile: one HTML file that needs nothing else. What it shows is in `crate::profile::Outcome`.

mod charts;
mod flame;
mod heat;

use super::charts::histogram;
use super::error::PageError;
use super::histogram::bins;
use super::page::whole;
use super::parts::states;
use super::words::add_filters;
use crate::profile::{Outcome, advised};
use crate::text::Printable;
use heat::HeatMap;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use std::collections::BTreeSet;

pub use flame::speedscope;

/// The page about a profile of a step of this file, as HTML. `file` is the workflow file as the user would type it.
///
/// # Errors
/// If there is a bug in the template or in a chart.
pub fn profile_page(outcome: &Outcome, file: &str) -> Result<String, PageError> {
    let mut environment = Environment::new();
    add_filters(&mut environment);
    environment.add_template("profile-outcome.html", include_str!("../page/profile-outcome.html"))?;
    environment.add_template("profile.html", include_str!("../page/profile.html"))?;
    environment.add_template("curves.html", include_str!("../page/curves.html"))?;
    let bins = bins(&outcome.items);
    let stacks = outcome.sampled.as_ref().map_or(&[][..], |sampled| &sampled.stacks);
    let blocks = flame::blocks(stacks);
    let own = outcome.rows.iter().position(|row| row.setup == outcome.own).unwrap_or(0);
    let tried = outcome.rows.iter().map(|row| (row.setup, row.throughput.median));
    let all = context! {
        profile => Value::from(Serde(outcome)),
        own,
        advised => advised(outcome, file),
        charts => charts::charts(outcome, &environment)?,
        heat => Value::from(Serde(HeatMap::of(outcome.own, tried))),
        histogram => histogram(&bins)?,
        bins => Value::from(Serde(&bins)),
        deep => blocks.iter().map(|block| block.depth() + 1).max().unwrap_or(0),
        blocks => Value::from(Serde(&blocks)),
        functions => Value::from(Serde(flame::functions(stacks))),
        states => states(),
        used_states => outcome.rows.iter().flat_map(|row| row.states.keys().copied()).collect::<BTreeSet<_>>(),
    };
    let part = |name: &str| environment.get_template(name)?.render(&all);
    let title = format!("Profile of {}", Printable::line(&outcome.step));
    whole((title, part("profile-outcome.html")?), vec![part("profile.html")?])
}
