//! The places where a text was cut.

/// Where a text was cut. Whoever cuts a text before its secrets are masked writes it there, and then the piece that is left of a
/// secret is masked too.
pub const CUT: &str = "…";

/// Where a text was cut: `…`, or three dots and more.
pub(super) fn cuts(text: &[u8]) -> Vec<(usize, usize)> {
    let (mut cuts, mut at) = (Vec::new(), 0);
    while let Some(found) = memchr::memchr2(b'.', CUT.as_bytes()[0], &text[at..]) {
        let start = at + found;
        let dots = text[start..].iter().take_while(|byte| **byte == b'.').count();
        let length = if text[start..].starts_with(CUT.as_bytes()) { CUT.len() } else { dots };
        if length >= CUT.len() {
            cuts.push((start, start + length));
        }
        at = start + length.max(1);
    }
    cuts
}

/// Whether a text ends here, or was cut.
pub(super) fn is_end(text: &[u8]) -> bool {
    text.is_empty() || text.starts_with(b"...") || text.starts_with(CUT.as_bytes())
}
