//! What messages may say about a request.

use crate::model::{Failure, FailureKind};

/// The failure of a request that was cut short because the run was ended.
pub(super) fn interrupted() -> Failure {
    Failure::new(FailureKind::Interrupted, "Interrupted", "the run was cancelled")
}

/// The failure of a request whose settings are wrong for this item.
pub(super) fn settings(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Template, "RequestError", message)
}

/// A URL without the parts that may be secret: user, password and query.
pub(super) fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        assert_eq!(without_secrets("https://me:pass@host:1/a/b?key=1#x"), "https://host:1/a/b");
        assert_eq!(without_secrets("nonsense?key=1"), "nonsense");
    }
}
