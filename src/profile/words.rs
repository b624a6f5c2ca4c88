//! Numbers as people read them.

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0}%", 100.0 * share)
}

/// A spread as a percentage.
pub(super) fn plus_minus(spread: f64) -> String {
    format!("plus or minus {}", percent(spread))
}

/// A number of things.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A number with three digits that matter.
pub(super) fn rate(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// A time in a unit that suits it.
pub(super) fn seconds(value: f64) -> String {
    match value {
        value if value >= 1.0 => format!("{} s", rate(value)),
        value if value >= 1e-3 => format!("{} ms", rate(value * 1e3)),
        value => format!("{} µs", rate(value * 1e6)),
    }
}
