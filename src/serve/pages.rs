//! The pages around what `explain` says of a run.

use super::feed::Known;
use super::reply::{Reply, html};
use super::snapshot::Snapshot;
use crate::explain::Part;
use crate::text::Printable;
use hyper::StatusCode;
use minijinja::{Environment, Value, context};

const TEMPLATES: [(&str, &str); 3] = [
    ("run.html", include_str!("run.html")),
    ("runs.html", include_str!("runs.html")),
    ("trouble.html", include_str!("trouble.html")),
];

/// A page from one of the templates.
pub(super) fn render(name: &str, values: Value) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    for (name, template) in TEMPLATES {
        environment.add_template(name, template)?;
    }
    environment.get_template(name)?.render(values)
}

/// The page about a run.
pub(super) fn run_page(known: &Known) -> Reply {
    let Some(snapshot) = &known.snapshot else {
        let problem = known.problem.as_deref().unwrap_or("the run cannot be read");
        return html(StatusCode::INTERNAL_SERVER_ERROR, trouble_page(problem));
    };
    match with_parts(snapshot) {
        Ok(page) => html(StatusCode::OK, page),
        Err(error) => html(StatusCode::INTERNAL_SERVER_ERROR, trouble_page(&error.to_string())),
    }
}

fn with_parts(snapshot: &Snapshot) -> Result<String, minijinja::Error> {
    let mut parts = snapshot.parts.iter().map(Part::in_place);
    let outcome = parts.next();
    let values = context! {
        title => &snapshot.title,
        is_running => snapshot.is_running,
        now => snapshot.now.in_place(),
        outcome,
        parts => parts.collect::<Vec<_>>(),
    };
    render("run.html", values)
}

/// A page that says what is wrong.
pub(super) fn trouble_page(what: &str) -> String {
    let what = Printable::lines(what).to_string();
    render("trouble.html", context! { what => &what }).unwrap_or(what)
}
