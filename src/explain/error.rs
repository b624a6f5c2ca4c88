//! Why a page cannot be made.

/// The page cannot be made. This is a bug in the template or a chart.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw the page: {0}")]
pub struct PageError(pub(super) String);

impl From<minijinja::Error> for PageError {
    fn from(error: minijinja::Error) -> Self {
        let at = error.line().map_or(String::new(), |line| format!(" in line {line}"));
        Self(format!("{error}{at}"))
    }
}
