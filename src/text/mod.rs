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
//! So text is masked before it is cut or encoded, and escaped before it is printed. Leaves to others what is secret and where
//! text is shown. Imports nothing of the crate.

mod addresses;
mod escape;
mod masked;
mod printable;
mod secrets;

pub use addresses::hide_passwords;
pub use escape::escape_json;
pub use masked::{Masked, MaybeSecret};
pub use printable::Printable;
pub use secrets::{MASK, Secrets};
