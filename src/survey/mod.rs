//! A survey of row files before a run: what they contain, and which of them stand out.
//!
//! [`profile`] reads one file in one pass and in constant memory, [`group`] compares the profiles, and [`survey`] does
//! both for many files on all cores. It takes over what the workflow says about a source, and finds out the rest. Leaves
//! to others: which files there are (`sources`), how a record is read (`rows`), what people see (`cli`).

mod anomaly;
mod group;
mod head;
mod layout;
mod parallel;
mod profile;
mod scan;
mod totals;
mod values_found;

pub use anomaly::{Anomaly, delimiter_name};
pub use group::{Group, Outlier, Survey, group};
pub use parallel::survey;
pub use profile::{BadRows, ColumnProfile, FileError, FileProfile, TextProfile};
pub use scan::profile;
pub use totals::{Totals, totals};
pub use values_found::ValuesFound;
