//! Integers beyond the 128 bits that minijinja computes with.

use minijinja::value::{DynObject, Object, ObjectRepr};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// An integer as its digits, with a `-` if it is negative. It prints and compares; arithmetic refuses it.
#[derive(Debug)]
pub(super) struct Integer(pub(super) Box<str>);

impl Integer {
    /// The digits, and whether it is negative.
    fn parts(&self) -> (bool, &str) {
        self.0.strip_prefix('-').map_or((false, &*self.0), |digits| (true, digits))
    }

    fn compare(&self, other: &Self) -> Ordering {
        let ((negative, digits), (other_negative, other_digits)) = (self.parts(), other.parts());
        let size = digits.len().cmp(&other_digits.len()).then_with(|| digits.cmp(other_digits));
        match (negative, other_negative) {
            (false, false) => size,
            (true, true) => size.reverse(),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

impl Object for Integer {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        other.downcast_ref::<Self>().map(|other| self.compare(other))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
