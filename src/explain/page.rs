//! The page about a run: one HTML file that needs nothing else.
//!
//! minijinja escapes every value for HTML; text from items, errors and files is made printable before. A content security
//! policy allows only the page's own script, by its hash, and no request.

use super::against::Against;
use super::error::PageError;
use super::figures::Figures;
use super::parts::{Part, parts};
use crate::text::Printable;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{Environment, context};
use sha2::{Digest, Sha256};

const TEMPLATE: &str = include_str!("page/page.html");

/// The style of the page and of what is built on it.
pub const PAGE_CSS: &str = include_str!("page/page.css");

/// The script of the page. As `window.batchmill` it offers what else is built on it.
pub const PAGE_JS: &str = include_str!("page/page.js");

/// The most frames that one page draws one by one.
const MOST_FRAMES: usize = 100_000;

/// The page about a run, as HTML.
///
/// # Errors
/// If there is a bug in the template or in a chart.
pub fn page(run: &Figures, against: Option<&Against>) -> Result<String, PageError> {
    let mut parts = parts(run, against, MOST_FRAMES)?;
    let outcome = parts.remove(0);
    whole((page_title(run), outcome.html), parts.iter().map(Part::in_place).collect())
}

/// A page with this title and header, and these parts.
pub(super) fn whole((title, outcome): (String, String), parts: Vec<String>) -> Result<String, PageError> {
    let mut environment = Environment::new();
    environment.add_template("page.html", TEMPLATE)?;
    let html = environment.get_template("page.html")?.render(context! {
        title,
        outcome,
        parts,
        script_hash => format!("sha256-{}", STANDARD.encode(Sha256::digest(PAGE_JS))),
        css => PAGE_CSS,
        js => PAGE_JS,
        version => env!("CARGO_PKG_VERSION"),
    })?;
    Ok(html)
}

/// The title of the page about a run.
pub fn page_title(run: &Figures) -> String {
    format!("{}: run {}", Printable::line(&run.workflow), Printable::line(&run.run))
}
