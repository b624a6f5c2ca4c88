//! Connections: how many, and for how long they may do nothing.

use super::access::{Access, Token};
use super::address::Address;
use super::metrics::Metrics;
use super::reply::Reply;
use super::site::Site;
use super::until::{Until, Visits};
use crate::ledger::{RunPath, StateFolder};
use crate::model::RunId;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt::set_tcp_user_timeout;
use rustix::process::nice;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections may be open at a time; others wait until one is closed.
const MOST_CONNECTIONS: usize = 128;

/// How long a client may take to send the headers of a request, also of the next one.
const HEADERS_IN: Duration = Duration::from_secs(5);

/// How long a client may read nothing of what is sent, in milliseconds. The kernel watches it.
const READS_WITHIN: u32 = 20_000;

/// The longest headers of a request, in bytes, and the most.
const MOST_HEADER_BYTES: usize = 16 << 10;
const MOST_HEADERS: usize = 64;

/// Where a run needs all cores, its page comes second.
const NICENESS: i32 = 10;

/// Threads for reading ledgers and asking runs.
const BLOCKING_THREADS: usize = 8;

/// What is served.
pub enum Content {
    /// Pages about the runs of this folder, for whoever has the token. `/run` leads to this one.
    Pages(StateFolder, Token, Option<RunId>),
    /// This file, for whoever asks.
    Metrics(RunPath),
}

/// What answers requests.
enum Service {
    Site(Site),
    Metrics(Metrics),
}

/// Serves until then.
///
/// # Errors
/// If the system refuses it.
pub fn serve(listener: std::net::TcpListener, content: Content, until: Until) -> io::Result<()> {
    // If this is refused, the server works all the same.
    let _ = nice(NICENESS);
    listener.set_nonblocking(true)?;
    let address = Address::of(&listener)?;
    let service = Arc::new(match content {
        Content::Pages(state, token, home) => Service::Site(Site::new(state, Access { address, token }, home)),
        Content::Metrics(file) => Service::Metrics(Metrics { address, file }),
    });
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_io().enable_time().max_blocking_threads(BLOCKING_THREADS).build()?;
    runtime
        .block_on(async {
            let visits = Arc::new(Visits::default());
            let listener = TcpListener::from_std(listener)?;
            tokio::spawn(accept(listener, service, Arc::clone(&visits)));
            until.wait(&visits).await;
            Ok(())
        })
        // What is still being read is not waited for: the process is about to end.
        .inspect(|()| runtime.shutdown_background())
}

/// Accepts connections for ever.
async fn accept(listener: TcpListener, service: Arc<Service>, visits: Arc<Visits>) {
    let seats = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let seat = Arc::clone(&seats).acquire_owned().await.expect("nobody closes it");
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(talk(stream, seat, (Arc::clone(&service), Arc::clone(&visits))))),
            // Out of descriptors, for example: do not spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn talk(stream: TcpStream, _seat: OwnedSemaphorePermit, (service, visits): (Arc<Service>, Arc<Visits>)) {
    // Without it a client that reads nothing would keep its seat.
    if set_tcp_user_timeout(&stream, READS_WITHIN).is_err() {
        return;
    }
    drop(stream.set_nodelay(true));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_IN).max_headers(MOST_HEADERS);
    http.max_buf_size(MOST_HEADER_BYTES);
    let answer = service_fn(move |request: Request<Incoming>| {
        let (service, visits) = (Arc::clone(&service), Arc::clone(&visits));
        async move { Ok::<_, Infallible>(answer(&service, &visits, request).await) }
    });
    // A client that vanishes harms nobody.
    drop(http.serve_connection(TokioIo::new(stream), answer).await);
}

async fn answer(service: &Service, visits: &Arc<Visits>, request: Request<Incoming>) -> Reply {
    match service {
        Service::Site(site) => site.answer(request, visits).await,
        Service::Metrics(metrics) => metrics.answer(&request).await,
    }
}
