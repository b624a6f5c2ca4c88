//! `http_request`: one request, its answer as the result.
//!
//! [`request`] makes the request of templates, [`answer`] makes the outcome of what came back, [`connection`] owns the
//! sockets, [`rate_limit`] the rate limit. All slots of a step share one agent, so connections are kept alive. Whether a failure
//! may be tried again is decided here (connection trouble, 408, 429, 5xx); whether and when it is, by the step's retry
//! policy. Nothing of a request but its method and its address without user, password and query ever gets into a message.
//! Every wait listens to the run's kill latch; what it ends counts as not run.

mod answer;
mod connection;
mod rate_limit;
mod request;

pub use request::Http;

use crate::model::{Failure, FailureKind};

/// What becomes of a request that the end of the run has cut short.
fn cancelled() -> Failure {
    Failure::new(FailureKind::Cancelled, "Cancelled", "the run was cancelled")
}

/// An address without what may be secret in it: user, password and query.
fn without_secrets(url: &str) -> String {
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
