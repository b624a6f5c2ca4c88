//! Connections that end as soon as the run is cancelled.
//!
//! Owns name resolution and sockets; HTTP and TLS are ureq's. Sockets are non-blocking, and each wait is one `poll` for the
//! socket, the kill latch and the timeout. ureq's own transport is not used because it blocks in `connect` and `read`, where a
//! cancelled run would have to wait for the timeout.
//!
//! A connection serves many items, one after another, and ureq tells it nothing of them. Each slot has its own thread, so the
//! item that a connection serves is the one of the thread that waits.

use super::contact::{self, Part, Watch};
use super::proxy::{Protocol, Proxies, Proxy};
use super::tunnel::{Destination, Proxied};
use crate::model::Indexes;
use crate::task::cancel::Latch;
use crate::task::wait::wait;
use crate::task::withdrawn::{Recall, Withdrawn};
use crossbeam_channel::{at, bounded, never, select};
use rustix::event::{PollFd, PollFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with, sockopt};
use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::http::Uri;
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, RustlsConnector, Transport,
};
use ureq::{Agent, Error, Timeout};

/// How long opening a connection may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An agent whose requests end after `timeout`, or when `kill` fires.
pub(super) fn agent((kill, timeout): (&Arc<Latch>, Duration), proxies: &Arc<Proxies>, tls: TlsConfig) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        // `redirect` follows them.
        .max_redirects(0)
        .allow_non_standard_methods(true)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(timeout))
        .max_idle_connections(1024)
        .max_idle_connections_per_host(256)
        .user_agent(concat!("batchmill/", env!("CARGO_PKG_VERSION")))
        // `Sockets` goes through them.
        .proxy(None)
        .tls_config(tls)
        .build();
    let sockets = Sockets { kill: Arc::clone(kill), proxies: Arc::clone(proxies), tls: RustlsConnector::default() };
    let chain = ().chain(sockets).chain(RustlsConnector::default()).chain(Watch);
    Agent::with_parts(config, chain, NoResolver)
}

/// Resolves nothing: ureq calls the resolver for every request, even if it has an open connection. [`Sockets`] resolves names
/// when it opens one.
#[derive(Debug)]
struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(&self, _: &Uri, _: &ureq::config::Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}

/// Opens sockets that listen to the kill latch, to the server or to a proxy that leads there.
#[derive(Debug)]
struct Sockets {
    kill: Arc<Latch>,
    proxies: Arc<Proxies>,
    /// TLS to a proxy.
    tls: RustlsConnector,
}

impl Connector for Sockets {
    type Out = Either<Socket, Proxied>;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Self::Out>, Error> {
        contact::timed(Part::Connect, || self.connected(details))
    }
}

impl Sockets {
    fn connected(&self, details: &ConnectionDetails<'_>) -> Result<Option<Either<Socket, Proxied>>, Error> {
        let deadline = details.timeout.not_zero().map(|left| Instant::now() + *left);
        let limits = Limits { kill: &self.kill, deadline, reason: details.timeout.reason };
        let Some(proxy) = self.proxies.proxy(details.uri) else {
            return Ok(Some(Either::A(self.socket(details.uri, details, &limits)?)));
        };
        let destinations = match proxy.protocol {
            Protocol::Http => vec![None],
            Protocol::Socks { remote_names } => limits.destinations(details.uri, remote_names)?,
        };
        let mut left = destinations.len();
        let mut last_error = Error::HostNotFound;
        for destination in destinations {
            left -= 1;
            match self.proxied(proxy, details, (&limits.share(left), destination)) {
                Ok(proxied) => return Ok(Some(Either::B(proxied))),
                Err(error) if self.kill.is_fired() => return Err(error),
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    /// Connects to a proxy, and through it to one destination.
    fn proxied(
        &self,
        proxy: &Proxy,
        details: &ConnectionDetails<'_>,
        (limits, destination): (&Limits<'_>, Option<Destination>),
    ) -> Result<Proxied, Error> {
        let socket = self.socket(&proxy.uri, details, limits)?;
        let details = ConnectionDetails { timeout: limits.timeout(details.timeout), ..copy(details) };
        let transport: Box<dyn Transport> = if proxy.is_tls() {
            let to_proxy = ConnectionDetails { uri: &proxy.uri, ..copy(&details) };
            Box::new(self.tls.connect(&to_proxy, Some(socket))?.ok_or(Error::ConnectionFailed)?)
        } else {
            Box::new(socket)
        };
        Proxied::through(proxy, transport, &details, destination)
    }

    fn socket(&self, uri: &Uri, details: &ConnectionDetails<'_>, limits: &Limits<'_>) -> Result<Socket, Error> {
        let stream = self.open(uri, limits)?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Socket { stream, kill: Arc::clone(&self.kill), buffers })
    }

    /// Connects to the first address of the host that accepts.
    fn open(&self, uri: &Uri, limits: &Limits<'_>) -> Result<TcpStream, Error> {
        let addresses = limits.resolve(uri)?;
        let mut left = addresses.len();
        let mut last_error = Error::HostNotFound;
        for address in addresses {
            left -= 1;
            match open(address, &limits.share(left)) {
                Ok(stream) => return Ok(stream),
                Err(error) if self.kill.is_fired() => return Err(error),
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }
}

/// The same details, without the addresses that ureq does not look up here.
fn copy<'a>(details: &ConnectionDetails<'a>) -> ConnectionDetails<'a> {
    ConnectionDetails {
        addrs: details.resolver.empty(),
        current_time: Arc::clone(&details.current_time),
        run_connector: Arc::clone(&details.run_connector),
        register_shutdown: Arc::clone(&details.register_shutdown),
        ..*details
    }
}

/// Connects to one address.
fn open(address: SocketAddr, limits: &Limits<'_>) -> Result<TcpStream, Error> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP)).map_err(io::Error::from)?;
    match connect(&socket, &address) {
        Ok(()) => {}
        Err(rustix::io::Errno::INPROGRESS | rustix::io::Errno::INTR) => {
            limits.wait(&socket, PollFlags::OUT)?;
            sockopt::socket_error(&socket).map_err(io::Error::from)?.map_err(io::Error::from)?;
        }
        Err(error) => return Err(io::Error::from(error).into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

thread_local! {
    static SERVED: RefCell<Option<(Arc<Withdrawn>, u64)>> = const { RefCell::new(None) };
}

/// The item that the requests of this thread are for, until it is dropped.
pub(super) struct Serving;

impl Serving {
    /// From now on they are for this one.
    pub(super) fn begin(recall: Recall<'_>) -> Self {
        SERVED.set(Some((Arc::clone(recall.withdrawn), recall.indexes.get(0))));
        Self
    }

    /// What to wait for besides the kill; none without an item.
    ///
    /// # Errors
    /// If the user has taken the item out.
    fn call() -> io::Result<Option<Arc<Latch>>> {
        let call = |(withdrawn, index): &(Arc<Withdrawn>, u64)| {
            let indexes = Indexes::Range(*index..*index + 1);
            Recall { withdrawn, indexes: &indexes }.call().ok_or_else(ended)
        };
        SERVED.with_borrow(|served| served.as_ref().map(call).transpose())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        SERVED.set(None);
    }
}

/// What ends a wait.
struct Limits<'a> {
    kill: &'a Latch,
    deadline: Option<Instant>,
    reason: Timeout,
}

impl Limits<'_> {
    /// The same with half of the remaining time, to leave some for `others`; with all of it if there are none.
    fn share(&self, others: usize) -> Limits<'_> {
        let now = Instant::now();
        let half = self.deadline.map(|deadline| now + deadline.saturating_duration_since(now) / 2);
        Limits { deadline: if others == 0 { self.deadline } else { half }, ..*self }
    }

    /// Waits until the socket can be read or written.
    fn wait(&self, socket: impl AsFd, what: PollFlags) -> Result<(), Error> {
        loop {
            let call = Serving::call()?;
            // The latch comes first: once it has fired, nothing else matters.
            let mut fds = vec![PollFd::new(self.kill, PollFlags::IN), PollFd::new(&socket, what)];
            fds.extend(call.as_deref().map(|call| PollFd::new(call, PollFlags::IN)));
            match wait(&mut fds, self.deadline)? {
                None => return Err(Error::Timeout(self.reason)),
                Some(0) => return Err(ended().into()),
                Some(1) => return Ok(()),
                Some(_) => {}
            }
        }
    }

    /// The time that is left, where ureq has `whole`.
    fn timeout(&self, whole: NextTimeout) -> NextTimeout {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        NextTimeout { after: left.map_or(whole.after, Into::into), ..whole }
    }

    /// Where a SOCKS proxy is to connect to: the first of these that it reaches.
    fn destinations(&self, uri: &Uri, remote_names: bool) -> Result<Vec<Option<Destination>>, Error> {
        let (host, port) = host_and_port(uri)?;
        if remote_names && host.parse::<IpAddr>().is_err() {
            return Ok(vec![Some(Destination::Name(host.to_owned(), port))]);
        }
        Ok(self.resolve(uri)?.into_iter().map(Destination::Address).map(Some).collect())
    }

    /// The addresses of a host. A lookup cannot be interrupted, so it has its own thread. If the run or the timeout ends
    /// first, that thread is abandoned; it holds only its own strings.
    fn resolve(&self, uri: &Uri) -> Result<Vec<SocketAddr>, Error> {
        let (host, port) = host_and_port(uri)?;
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let (sender, addresses) = bounded(1);
        let name = (host.to_owned(), port);
        std::thread::Builder::new().name("resolver".to_owned()).spawn(move || {
            drop(sender.send(name.to_socket_addrs().map(Vec::from_iter)));
        })?;
        loop {
            let call = Serving::call()?;
            select! {
                recv(addresses) -> found => return Ok(found.map_err(|_| Error::HostNotFound)??),
                recv(self.kill.channel()) -> _ => return Err(ended().into()),
                recv(call.map_or_else(never, |call| call.channel().clone())) -> _ => {}
                recv(self.deadline.map_or_else(never, at)) -> _ => return Err(Error::Timeout(self.reason)),
            }
        }
    }
}

fn host_and_port(uri: &Uri) -> Result<(&str, u16), Error> {
    let host = uri.host().ok_or(Error::HostNotFound)?.trim_matches(['[', ']']);
    Ok((host, uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })))
}

fn ended() -> io::Error {
    io::Error::other("the run was cancelled")
}

/// A connection.
struct Socket {
    stream: TcpStream,
    kill: Arc<Latch>,
    buffers: LazyBuffers,
}

impl Socket {
    fn limits(kill: &Latch, timeout: NextTimeout) -> Limits<'_> {
        Limits { kill, deadline: timeout.not_zero().map(|left| Instant::now() + *left), reason: timeout.reason }
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let limits = Self::limits(&self.kill, timeout);
        let mut output = &self.buffers.output()[..amount];
        while !output.is_empty() {
            match (&self.stream).write(output) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(written) => {
                    contact::sent();
                    output = &output[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => limits.wait(&self.stream, PollFlags::OUT)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let limits = Self::limits(&self.kill, timeout);
        let input = self.buffers.input_append_buf();
        let read = loop {
            limits.wait(&self.stream, PollFlags::IN)?;
            match (&self.stream).read(input) {
                Ok(read) => break read,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error.into()),
            }
        };
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    /// Whether the connection is idle and healthy. Unexpected bytes make it as useless as if it were closed.
    fn is_open(&mut self) -> bool {
        self.stream.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.stream).finish()
    }
}
