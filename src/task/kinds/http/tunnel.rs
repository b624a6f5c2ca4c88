//! Connections through a proxy: as requests with a whole URL (plain `http://`), by CONNECT (`https://`), or by SOCKS 5.
//!
//! The socket is that of a direct connection, so a proxy that does not answer is left as any server is.

use super::contact;
use super::proxy::{Protocol, Proxy};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use ureq::Error;
use ureq::http::Uri;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, NextTimeout, Transport, TransportAdapter};

/// The most bytes of a proxy's answer to CONNECT.
const MOST_ANSWER: usize = 16 << 10;

/// A connection to a server through a proxy.
pub(super) struct Proxied {
    transport: Box<dyn Transport>,
    /// What the first line of each request needs, if the proxy reads requests.
    forward: Option<Forward>,
}

/// How requests are written to a proxy that reads them.
struct Forward {
    /// Scheme and authority of the server.
    origin: String,
    /// `Proxy-Authorization`
    authorization: Option<String>,
}

/// Where a tunnel leads.
pub(super) enum Destination {
    /// An address.
    Address(SocketAddr),
    /// A name that the proxy looks up, and a port.
    Name(String, u16),
}

impl Proxied {
    /// Goes on from a connection to the proxy. `destination` is needed for SOCKS.
    pub(super) fn through(
        proxy: &Proxy,
        transport: Box<dyn Transport>,
        details: &ConnectionDetails<'_>,
        destination: Option<Destination>,
    ) -> Result<Self, Error> {
        let uri = details.uri;
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        if proxy.protocol == Protocol::Http && uri.scheme_str() == Some("http") {
            let forward = Forward { origin: format!("http://{authority}"), authorization: proxy.authorization() };
            return Ok(Self { transport, forward: Some(forward) });
        }
        let mut stream = TransportAdapter::new(transport, details.current_time.clone());
        stream.set_timeout(details.timeout);
        let done = match destination {
            Some(destination) => socks(&mut stream, proxy, &destination),
            None => connect(&mut stream, proxy, uri),
        };
        match done {
            Ok(()) => Ok(Self { transport: stream.into_inner(), forward: None }),
            // A time limit, or the end of the run, is not the proxy's doing.
            Err(error) if error.get_ref().is_some_and(|inner| inner.is::<Error>()) => Err(Error::from(error)),
            Err(error) => Err(Error::ConnectProxyFailed(format!("the proxy `{}`: {error}", proxy.uri))),
        }
    }
}

/// Asks a proxy for a tunnel (RFC 9110, 9.3.6).
fn connect(stream: &mut (impl Read + Write), proxy: &Proxy, uri: &Uri) -> io::Result<()> {
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(443);
    let mut head = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    head.push_str(concat!("User-Agent: batchmill/", env!("CARGO_PKG_VERSION"), "\r\n"));
    if let Some(authorization) = proxy.authorization() {
        head.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") && !answer.ends_with(b"\n\n") {
        // Byte by byte: what follows belongs to the server.
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 || answer.len() > MOST_ANSWER {
            return Err(io::Error::other("it did not answer CONNECT as HTTP does"));
        }
        answer.push(byte[0]);
    }
    let line = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split_once(' ')).map(|(_, status)| status.trim());
    match status {
        Some(status) if status.starts_with('2') => Ok(()),
        Some(status) => Err(io::Error::other(format!("it refused the connection with `{status}`"))),
        None => Err(io::Error::other("it did not answer CONNECT as HTTP does")),
    }
}

/// Asks a proxy for a connection by SOCKS 5 (RFC 1928), with user and password (RFC 1929) if it has them.
fn socks(stream: &mut (impl Read + Write), proxy: &Proxy, destination: &Destination) -> io::Result<()> {
    let user = proxy.user.as_deref();
    stream.write_all(if user.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] })?;
    stream.flush()?;
    let [version, method] = read(stream)?;
    match (version, method, user) {
        (5, 0, _) => {}
        (5, 2, Some(user)) => log_in(stream, user)?,
        (5, ..) => return Err(io::Error::other("it wants another way to log in")),
        _ => return Err(io::Error::other("it does not speak SOCKS 5")),
    }
    let mut request = vec![5, 1, 0];
    let port = match destination {
        Destination::Address(address) => {
            match address.ip() {
                IpAddr::V4(ip) => request.extend([&[1][..], &ip.octets()].concat()),
                IpAddr::V6(ip) => request.extend([&[4][..], &ip.octets()].concat()),
            }
            address.port()
        }
        Destination::Name(name, port) => {
            request.push(3);
            request.extend(short(name.as_bytes())?);
            *port
        }
    };
    request.extend(port.to_be_bytes());
    stream.write_all(&request)?;
    stream.flush()?;
    let [_, reply, _, kind] = read(stream)?;
    if reply != 0 {
        return Err(io::Error::other(refusal(reply)));
    }
    // The address that the proxy uses itself.
    let length = match kind {
        1 => 4,
        4 => 16,
        _ => usize::from(read::<1>(stream)?[0]),
    };
    stream.read_exact(&mut vec![0; length + 2])
}

fn log_in(stream: &mut (impl Read + Write), user: &str) -> io::Result<()> {
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let decoded = |text| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    stream.write_all(&[vec![1], short(&decoded(user))?, short(&decoded(password))?].concat())?;
    stream.flush()?;
    let [_, status] = read(stream)?;
    if status == 0 { Ok(()) } else { Err(io::Error::other("it refused user and password")) }
}

/// A text after its length in one byte.
fn short(text: &[u8]) -> io::Result<Vec<u8>> {
    let length = u8::try_from(text.len()).map_err(|_| io::Error::other("a name or password of more than 255 bytes"))?;
    Ok([&[length], text].concat())
}

fn read<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn refusal(reply: u8) -> &'static str {
    match reply {
        2 => "its rules forbid the connection",
        3 => "the network cannot be reached",
        4 => "the host cannot be reached",
        5 => "the server refused the connection",
        6 => "the server did not answer in time",
        _ => "it could not connect",
    }
}

impl Proxied {
    /// Writes the beginning of a request as a proxy reads it: with the whole URL (RFC 9112, 3.2.2).
    fn begin(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let Some(forward) = &self.forward else { return self.transport.transmit_output(amount, timeout) };
        let written = self.transport.buffers().output()[..amount].to_vec();
        let target = written.iter().position(|byte| *byte == b' ').map_or(0, |at| at + 1);
        let line = written.windows(2).position(|pair| pair == b"\r\n").map_or(written.len(), |at| at + 2);
        let header = forward.authorization.as_ref().map(|value| format!("Proxy-Authorization: {value}\r\n"));
        let parts = [&written[..target], forward.origin.as_bytes(), &written[target..line]];
        let begin = [&parts.concat(), header.unwrap_or_default().as_bytes(), &written[line..]].concat();
        let mut left = begin.as_slice();
        while !left.is_empty() {
            let output = self.transport.buffers().output();
            let fits = left.len().min(output.len());
            output[..fits].copy_from_slice(&left[..fits]);
            self.transport.transmit_output(fits, timeout)?;
            left = &left[fits..];
        }
        Ok(())
    }
}

impl Transport for Proxied {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.forward.is_some() && contact::takes_beginning() {
            return self.begin(amount, timeout);
        }
        self.transport.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.transport.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }

    /// TLS to the proxy is none to the server.
    fn is_tls(&self) -> bool {
        false
    }
}

impl fmt::Debug for Proxied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxied").field(&self.transport).finish()
    }
}
