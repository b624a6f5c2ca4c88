//! Text that is safe to show: escaped for a terminal, and without secrets.
//!
//! Owns the three kinds of text that cross a border, and the way from one to the next:
//!
//! | type | may hold | comes from | goes to |
//! | --- | --- | --- | --- |
//! | [`MaybeSecret`] | secrets, control characters | tasks, files, errors | [`Masked`], and nowhere else |
//! | [`Masked`] | control characters | [`MaybeSecret::masked`] | the ledger, programs, [`Printable`] |
//! | [`Printable`] | neither | any text | terminals and logs |
//!
//! So text is masked before it is cut or encoded, and escaped before it is printed. Where it is cut earlier, it gets a mark, [`CUT`],
//! and the piece that is left of a secret is masked too. Leaves to others what is secret and where text is shown. Imports nothing of
//! the crate.

mod addresses;
mod cuts;
mod endings;
mod escape;
mod forms;
mod masked;
mod printable;
mod secrets;
mod views;

pub use addresses::hide_passwords;
pub use cuts::CUT;
pub use escape::escape_json;
pub use masked::{Masked, MaybeSecret};
pub use printable::Printable;
pub use secrets::{MASK, Secrets};
