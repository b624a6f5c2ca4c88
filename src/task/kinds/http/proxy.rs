//! Which proxy a request goes through: what the variables of the environment say, by the rules of curl.

use super::address::basic;
use super::message::without_secrets;
use crate::model::{Failure, FailureKind};
use ipnet::IpNet;
use std::net::IpAddr;
use ureq::http::Uri;

/// The proxies of a run.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    /// For `http://`.
    http: Option<Proxy>,
    /// For `https://`.
    https: Option<Proxy>,
    /// What is reached without them.
    except: Exceptions,
}

/// A proxy.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    /// How to talk to it.
    pub(super) protocol: Protocol,
    /// Its address, without user and password.
    pub(super) uri: Uri,
    /// `user:password`, percent-encoded.
    pub(super) user: Option<String>,
}

/// How to talk to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// `http` and `https`
    Http,
    /// `socks5`: names are looked up here. `socks5h`: names are looked up by the proxy.
    Socks {
        /// Whether names are looked up by the proxy.
        remote_names: bool,
    },
}

impl Proxies {
    /// The proxies that these variables name.
    ///
    /// # Errors
    /// If a value is not the address of a proxy: a direct connection could go where none may.
    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        // An empty variable counts as unset.
        let given = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let first = |names: &[&'static str]| {
            let set = names.iter().find_map(|name| Some((*name, given(name)?)));
            set.map(|(name, value)| Proxy::parse(name, value.trim())).transpose()
        };
        // `HTTP_PROXY` is left out: a server passes a header `Proxy` to its CGI scripts under this name.
        let http = first(&["http_proxy", "all_proxy", "ALL_PROXY"])?;
        let https = first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?;
        let except = given("no_proxy").or_else(|| given("NO_PROXY")).unwrap_or_default();
        Ok(Self { http, https, except: Exceptions::parse(&except) })
    }

    /// The proxy for a URL, if it goes through one.
    pub(super) fn proxy(&self, uri: &Uri) -> Option<&Proxy> {
        let proxy = if uri.scheme_str() == Some("https") { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !self.except.has(uri))
    }
}

impl Proxy {
    fn parse(name: &str, value: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            let message = format!(
                "the environment variable `{name}` has `{}`, {why}; set it to an address such as `http://proxy.example.com:3128` \
                 or `socks5h://localhost:1080`, or unset it",
                without_secrets(value)
            );
            Err(Failure::new(FailureKind::Start, "ProxyError", message).permanent())
        };
        let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
        let protocol = match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => Protocol::Http,
            "socks5" => Protocol::Socks { remote_names: false },
            "socks5h" => Protocol::Socks { remote_names: true },
            _ => return wrong("whose scheme is not `http`, `https`, `socks5` or `socks5h`"),
        };
        let (user, host) = match rest.trim_end_matches('/').rsplit_once('@') {
            Some((user, host)) => (Some(user.to_owned()), host),
            None => (None, rest.trim_end_matches('/')),
        };
        // The scheme decides about TLS to the proxy.
        let scheme = if scheme.eq_ignore_ascii_case("https") { "https" } else { "http" };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let port = match (has_port, protocol, scheme) {
            (true, ..) => "",
            (false, Protocol::Http, "https") => ":443",
            // As curl has it.
            (false, ..) => ":1080",
        };
        match format!("{scheme}://{host}{port}/").parse::<Uri>() {
            Ok(uri)
                if uri.host().is_some_and(|host| !host.is_empty()) && uri.port_u16().is_some_and(|port| port > 0) =>
            {
                Ok(Self { protocol, uri, user })
            }
            _ => wrong("which is not the address of a proxy"),
        }
    }

    /// Whether the connection to the proxy is encrypted.
    pub(super) fn is_tls(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// The value of `Proxy-Authorization`.
    pub(super) fn authorization(&self) -> Option<String> {
        self.user.as_deref().map(basic)
    }
}

/// What `no_proxy` lists.
#[derive(Debug, Default)]
struct Exceptions {
    all: bool,
    networks: Vec<IpNet>,
    /// Names of hosts and domains, with a port if one is given.
    names: Vec<(String, Option<u16>)>,
}

impl Exceptions {
    fn parse(list: &str) -> Self {
        let mut found = Self::default();
        for entry in list.split([',', ' ', '\t']).map(str::trim).filter(|entry| !entry.is_empty()) {
            let bare = entry.trim_matches(['[', ']']);
            if entry == "*" {
                found.all = true;
            } else if let Ok(network) = bare.parse::<IpNet>() {
                found.networks.push(network);
            } else if let Ok(address) = bare.parse::<IpAddr>() {
                found.networks.push(address.into());
            } else {
                let (name, port) = match entry.rsplit_once(':') {
                    Some((name, port)) if port.parse::<u16>().is_ok() => (name, port.parse().ok()),
                    _ => (entry, None),
                };
                let name = name.trim_matches(['[', ']']).trim_start_matches("*.").trim_start_matches('.');
                found.names.push((name.trim_end_matches('.').to_ascii_lowercase(), port));
            }
        }
        found
    }

    fn has(&self, uri: &Uri) -> bool {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let is_within = |name: &str| {
            host.strip_suffix(name)
                .is_some_and(|before| !name.is_empty() && (before.is_empty() || before.ends_with('.')))
        };
        let address = host.parse::<IpAddr>();
        self.all
            || address.as_ref().is_ok_and(|address| self.networks.iter().any(|network| network.contains(address)))
            || self.names.iter().any(|(name, of)| match address {
                Ok(_) => *name == host && of.is_none_or(|of| of == port),
                Err(_) => is_within(name) && of.is_none_or(|of| of == port),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_lists_domains_addresses_and_networks() {
        let has = |list: &str, url: &str| Exceptions::parse(list).has(&url.parse().unwrap());
        for (list, url) in [
            ("*", "http://anything/"),
            ("example.com", "http://example.com/"),
            ("example.com", "http://a.b.Example.COM./"),
            (".example.com", "http://example.com:81/"),
            ("*.example.com", "http://a.example.com/"),
            ("example", "http://a.b.example/"),
            ("other, 10.0.0.0/8", "http://10.1.2.3/"),
            ("127.0.0.1 ::1", "http://[::1]:8080/"),
            ("[::1]", "http://[::1]/"),
            ("fd00::/8", "https://[fd12::1]/"),
            ("h:81", "http://h:81/"),
            ("h:443", "https://h/"),
        ] {
            assert!(has(list, url), "{list} {url}");
        }
        for (list, url) in [
            ("", "http://h/"),
            ("example.com", "http://notexample.com/"),
            ("example.com", "http://example.com.evil/"),
            ("10.0.0.0/8", "http://11.0.0.1/"),
            ("0.0.1", "http://127.0.0.1/"),
            ("h:81", "http://h/"),
            ("10.0.0.0/99", "http://10.0.0.1/"),
        ] {
            assert!(!has(list, url), "{list} {url}");
        }
    }

    #[test]
    fn each_scheme_has_its_variables() {
        let proxies = |set: &[(&str, &str)], url: &str| {
            let variable = |name: &str| Some(set.iter().find(|(key, _)| *key == name)?.1.to_owned());
            let proxies = Proxies::of(variable).unwrap();
            proxies.proxy(&url.parse().unwrap()).map(|proxy| proxy.uri.to_string())
        };
        let (http, https) = ("http://h/", "https://h/");
        assert_eq!(proxies(&[("http_proxy", "p:1")], http).as_deref(), Some("http://p:1/"));
        assert_eq!(proxies(&[("http_proxy", "p:1")], https), None);
        assert_eq!(proxies(&[("HTTP_PROXY", "p:1")], http), None);
        assert_eq!(proxies(&[("HTTPS_PROXY", "https://p")], https).as_deref(), Some("https://p:443/"));
        assert_eq!(proxies(&[("https_proxy", ""), ("all_proxy", "p:1")], https).as_deref(), Some("http://p:1/"));
        assert_eq!(proxies(&[("https_proxy", "")], https), None);
        assert_eq!(proxies(&[("ALL_PROXY", "socks5://u:p@[::1]")], http).as_deref(), Some("http://[::1]:1080/"));
    }

    #[test]
    fn what_is_not_the_address_of_a_proxy_is_an_error_without_its_password() {
        for value in
            ["socks4://u:secret@h", "http://", "ftp://h", "http://u:secret@h:port", "h:99999", "http://a b", "h:0"]
        {
            let error = Proxies::of(|name| (name == "http_proxy").then(|| value.to_owned())).unwrap_err();
            assert!(
                error.message.contains("`http_proxy` has `") && !error.message.contains("secret"),
                "{}",
                error.message
            );
        }
    }
}
