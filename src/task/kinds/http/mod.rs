//! `http_request`: sends one request per item. The result is the response.
//!
//! [`request`] renders the request, [`redirect`] follows it elsewhere, [`response`] turns the response into an outcome,
//! [`connection`] owns the sockets. All slots of a step share one agent, so connections stay open between requests. Which
//! failures may be retried is decided here: connection errors, 408, 429 and 5xx. Whether and when they are is up to the
//! step's retry policy. Messages contain the method and the URL of a request, but never its user, password or query. A
//! request that is cut short because the run was cancelled counts as not run.

mod body;
mod connection;
mod message;
mod rate_limit;
mod redirect;
mod request;
mod response;
mod saved;

pub(super) use request::Http;
