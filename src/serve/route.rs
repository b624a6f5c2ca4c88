//! The addresses of the pages.

use crate::model::RunId;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// The list of runs.
    Runs,
    /// The page about a run.
    Run(RunId),
    /// What happens in a run.
    Events(RunId),
    /// A command for a run.
    Command(RunId),
    /// A file of the pages.
    Asset(&'static Asset),
}

/// A file of the pages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asset {
    name: &'static str,
    pub(super) kind: &'static str,
    pub(super) text: &'static str,
}

const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

const ASSETS: [Asset; 4] = [
    Asset { name: "page.css", kind: CSS, text: crate::explain::PAGE_CSS },
    Asset { name: "page.js", kind: JS, text: crate::explain::PAGE_JS },
    Asset { name: "live.css", kind: CSS, text: include_str!("live.css") },
    Asset { name: "live.js", kind: JS, text: include_str!("live.js") },
];

impl Route {
    /// What a path means, if it means anything. `/run` means this run.
    pub(super) fn of(path: &str, home: Option<&RunId>) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/');
        let (first, second, third) = (segments.next()?, segments.next(), segments.next());
        if segments.next().is_some() {
            return None;
        }
        match (first, second, third) {
            ("", None, None) => Some(Self::Runs),
            ("run", None, None) => home.cloned().map(Self::Run),
            ("assets", Some(name), None) => ASSETS.iter().find(|asset| asset.name == name).map(Self::Asset),
            ("runs", Some(run), None) => run_id(run).map(Self::Run),
            ("runs", Some(run), Some("events")) => run_id(run).map(Self::Events),
            ("runs", Some(run), Some("command")) => run_id(run).map(Self::Command),
            _ => None,
        }
    }

    /// The path of the page.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Runs => "/".to_owned(),
            Self::Run(run) => run_path(run),
            Self::Events(run) => format!("{}/events", run_path(run)),
            Self::Command(run) => format!("{}/command", run_path(run)),
            Self::Asset(asset) => format!("/assets/{}", asset.name),
        }
    }
}

/// What IDs may have besides letters and digits needs no escape.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The path of the page about a run.
pub fn run_path(run: &RunId) -> String {
    format!("/runs/{}", percent_encode(run.0.as_bytes(), ESCAPED))
}

/// An ID as the ledger makes them, so no path leads out of the state folder.
fn run_id(segment: &str) -> Option<RunId> {
    let name = percent_decode_str(segment).decode_utf8().ok()?;
    let is_id = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    is_id.then(|| RunId(name.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_leads_to_a_page_and_nowhere_else() {
        let run = RunId("20260131-142530123-prüfung-k3v2".to_owned());
        for route in [Route::Runs, Route::Run(run.clone()), Route::Events(run.clone()), Route::Command(run)] {
            assert_eq!(Route::of(&route.path(), None), Some(route));
        }
        assert!(matches!(Route::of("/assets/live.js", None), Some(Route::Asset(_))));
        for path in [
            "",
            "x",
            "//",
            "/runs",
            "/runs/",
            "/runs/..",
            "/runs/%2e%2e",
            "/runs/..%2f..%2fetc",
            "/runs/a/b",
            "/runs/a/events/",
            "/assets/../live.js",
            "/assets/%2e%2e%2fpage.js",
            "/assets/",
            "/runs/.new-a",
            "/runs/a%00",
            "/runs/%ff",
            "/metrics",
        ] {
            assert_eq!(Route::of(path, None), None, "{path}");
        }
    }
}
