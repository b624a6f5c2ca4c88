//! The bytes that some items of a source cover, if each counts as an average one.

/// The share that `part` of `whole` has in this many bytes.
pub(super) fn byte_share(bytes: u64, part: u64, whole: u64) -> u64 {
    let share = u128::from(bytes) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(share).expect("a part is not more than the whole")
}
