//! The metrics of a run, for a scraper.

use super::access::check_host;
use super::address::Address;
use super::reply::{Reply, plain, whole, wrong_method};
use crate::ledger::RunPath;
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The most bytes that are served.
const MOST_METRICS: u64 = 64 << 20;

/// The file in which the run keeps its metrics.
pub(super) struct Metrics {
    pub(super) address: Address,
    pub(super) file: RunPath,
}

impl Metrics {
    pub(super) async fn answer(&self, request: &Request<Incoming>) -> Reply {
        // Others may be reached by any name.
        if !self.address.is_public()
            && let Err(refusal) = check_host(self.address, request.headers())
        {
            return refusal.reply();
        }
        if request.uri().path() != "/metrics" {
            return plain(StatusCode::NOT_FOUND, "the metrics are at /metrics");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return wrong_method("GET");
        }
        let file = self.file.clone();
        match tokio::task::spawn_blocking(move || file.read(MOST_METRICS)).await {
            Ok(Ok(Some(text))) => whole(StatusCode::OK, OPEN_METRICS, text),
            _ => plain(StatusCode::SERVICE_UNAVAILABLE, "the run has written no metrics yet"),
        }
    }
}
