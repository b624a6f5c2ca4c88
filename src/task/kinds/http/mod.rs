//! `http_request`: one request, its answer as the result.
//!
//! [`request`] makes the request of templates, [`answer`] makes the outcome of what came back, [`connection`] owns the
//! sockets, [`rate_limit`] the rate limit. All slots of a step share one agent, so connections are kept alive. Whether a failure
//! may be tried again is decided here (connection trouble, 408, 429, 5xx); whether and when it is, by the step's retry
//! policy. Nothing of a request but its method and its address without user, password and query ever gets into a message.
//! Every wait listens to the run's kill latch; what it ends counts as not run.

mod answer;
mod connection;
mod message;
mod rate_limit;
mod request;

pub(super) use request::Http;
