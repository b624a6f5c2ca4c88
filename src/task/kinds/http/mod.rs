//! `http_request`: sends one request per item. The result is the response.
//!
//! [`request`] renders the request, from its [`address`] and its [`payload`]. [`send`] sends it by one of the [`agents`],
//! [`redirect`] follows it elsewhere, [`response`] turns the response into an outcome. [`connection`] owns the sockets,
//! [`proxy`] and [`tunnel`] lead them through proxies. All slots of a step share agents, so connections stay open between
//! requests. Which failures may be retried is decided here: connection errors, 408, 429 and 5xx. Whether and when they are is
//! up to the step's retry policy. Messages contain the method and the URL of a request, but never its user, password or
//! query. A request that is cut short because the run was cancelled counts as not run.

mod address;
mod agents;
mod body;
mod connection;
mod contact;
mod cookies;
mod fields;
mod message;
mod payload;
mod proxy;
mod rate_limit;
mod redirect;
mod request;
mod response;
mod saved;
mod send;
mod tls;
mod tunnel;

pub(super) use request::Http;
