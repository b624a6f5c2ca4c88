//! The delimiters that CSV files usually have.

/// The common delimiters, those that are rare in text first: if two fit equally well, the first is meant.
pub(crate) const COMMON_DELIMITERS: [u8; 4] = [b'\t', b'|', b';', b','];
