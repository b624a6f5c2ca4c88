//! Explains a run: reads its figures from the ledger, and shows them as a page, as JSON or as a trace. Shows a profile as a page.
//!
//! Every figure is derived from the ledger, and is computed once, in [`figures`]; page, JSON and trace only present it. Text
//! from items, errors and files is data everywhere: the page escapes it, and runs no script but its own.

mod advice;
mod against;
mod causes;
mod charts;
mod error;
mod figures;
mod histogram;
mod hosts;
mod outcome;
mod page;
mod parts;
mod profile;
mod series;
mod status;
mod step;
mod step_charts;
mod timeline;
mod trace;
mod words;

pub use against::Against;
pub use error::PageError;
pub use figures::Figures;
pub use page::{PAGE_CSS, PAGE_JS, page, page_title};
pub use parts::{Part, parts};
pub use profile::{profile_page, speedscope};
pub use status::{RunStatus, StepStatus};
pub use trace::trace;
