//! The address that is served, and the one that people type.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::str::FromStr;

/// Where to listen: `IP:PORT`, `IP`, `PORT`, or `localhost` in place of an IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(SocketAddr);

impl Default for Address {
    /// A free port that only this machine reaches.
    fn default() -> Self {
        Self(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let local = text.replacen("localhost", "127.0.0.1", usize::from(text.starts_with("localhost")));
        let ip = |ip: IpAddr| SocketAddr::new(ip, 0);
        let port = |port: u16| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        let address =
            local.parse().ok().or_else(|| local.parse().ok().map(ip)).or_else(|| local.parse().ok().map(port));
        address
            .map(Self)
            .ok_or_else(|| "expected an IP address and a port, such as `127.0.0.1:8700`, or one of both".to_owned())
    }
}

impl Address {
    /// Listens there.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn bind(self) -> io::Result<TcpListener> {
        TcpListener::bind(self.0)
    }

    /// The address of a listener.
    ///
    /// # Errors
    /// If it is none.
    pub fn of(listener: &TcpListener) -> io::Result<Self> {
        listener.local_addr().map(Self)
    }

    /// Its port.
    pub(super) fn port(self) -> u16 {
        self.0.port()
    }

    /// Whether other machines reach it.
    pub fn is_public(self) -> bool {
        !self.0.ip().is_loopback()
    }

    /// The address for a browser.
    pub fn url(self) -> String {
        if self.0.ip().is_unspecified() {
            return format!("http://{}:{}", host_name(), self.0.port());
        }
        format!("http://{}", self.0)
    }

    /// Whether a client that connects to it may call it by this name. A foreign name means that a page of someone else has
    /// made its own name lead here.
    pub(super) fn is_called(self, name: &str) -> bool {
        let own = self.0.ip();
        if let Ok(ip) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            // Whoever reaches it by a number has resolved no name.
            return ip == own || own.is_unspecified() || own.is_loopback() && ip.is_loopback();
        }
        let is_local = name.eq_ignore_ascii_case("localhost") && (own.is_loopback() || own.is_unspecified());
        is_local || self.is_public() && name.eq_ignore_ascii_case(&host_name())
    }
}

/// The name of this machine.
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_lack_one_of_its_parts() {
        for (text, expected) in [
            ("127.0.0.1:8700", "127.0.0.1:8700"),
            ("8700", "127.0.0.1:8700"),
            ("localhost:8700", "127.0.0.1:8700"),
            ("localhost", "127.0.0.1:0"),
            ("0.0.0.0", "0.0.0.0:0"),
            ("[::1]:80", "[::1]:80"),
            ("::1", "[::1]:0"),
        ] {
            assert_eq!(text.parse::<Address>().map(|it| it.to_string()), Ok(expected.to_owned()));
        }
        for text in ["", "70000", "example.com:80", "127.0.0.1:", ":80"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_its_own_names_call_it() {
        let called = |address: &str, name: &str| address.parse::<Address>().unwrap().is_called(name);
        for name in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "127.0.0.2"] {
            assert!(called("127.0.0.1:1", name), "{name}");
        }
        for name in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil.example", ""] {
            assert!(!called("127.0.0.1:1", name), "{name}");
        }
        assert!(called("0.0.0.0:1", "10.0.0.1") && called("0.0.0.0:1", &host_name()));
        assert!(!called("0.0.0.0:1", "evil.example"));
        assert!(called("10.0.0.1:1", "10.0.0.1") && !called("10.0.0.1:1", "localhost"));
    }
}
