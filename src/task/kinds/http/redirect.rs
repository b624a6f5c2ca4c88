//! Where a redirect leads, and what of the request goes there.
//!
//! ureq would turn PUT, PATCH and DELETE into GET, so redirects are followed here. Each request is sent again as it was, except
//! that a POST becomes a GET after 301 and 302, as does all but HEAD after 303. Any header may be a credential, so only those that
//! say what is asked for, and what is sent, go along to another origin; and a body only if the user says so.

use super::address::without_credentials;
use super::message::without_secrets;
use std::fmt;
use ureq::http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION, RANGE, TRANSFER_ENCODING,
    USER_AGENT,
};
use ureq::http::request::Parts;
use ureq::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

/// The most redirects of one request.
pub(super) const MOST: usize = 10;

/// Whether an answer with this status sends the client elsewhere.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads, and how.
pub(super) struct Next {
    /// The URL.
    pub(super) uri: Uri,
    /// Whether that is another server than the one that redirects.
    pub(super) is_elsewhere: bool,
    /// Whether the method stays, and the body with it.
    pub(super) sends_body: bool,
    /// The credentials in the new URL.
    authorization: Option<HeaderValue>,
}

/// Why a redirect is not followed, in words that continue after the status.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The response has no usable `Location`.
    NoLocation(&'static str),
    /// The body would go to a server that the user has not named.
    BodyElsewhere(Uri),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLocation(why) => f.write_str(why),
            Self::BodyElsewhere(uri) => {
                let uri = without_secrets(&uri.to_string());
                write!(
                    f,
                    "to another server, `{uri}`, which does not get the body; request that URL, or set `forward_body: true`"
                )
            }
        }
    }
}

/// The request that a redirect asks for.
///
/// # Errors
/// If the answer does not say where to go.
pub(super) fn next(parts: &Parts, status: StatusCode, headers: &HeaderMap) -> Result<Next, Refusal> {
    let location = headers.get(LOCATION).ok_or(Refusal::NoLocation("without a `location`"))?;
    let location = std::str::from_utf8(location.as_bytes());
    let location = location.map_err(|_| Refusal::NoLocation("with a `location` that is not UTF-8"))?;
    let next = join(&parts.uri, location);
    let next = next.ok_or(Refusal::NoLocation("with a `location` that is not an HTTP address"))?;
    let (uri, authorization) = without_credentials(next);
    let becomes_get = match status.as_u16() {
        301 | 302 => parts.method == Method::POST,
        303 => parts.method != Method::HEAD,
        _ => false,
    };
    Ok(Next { is_elsewhere: !is_same_server(&parts.uri, &uri), uri, sends_body: !becomes_get, authorization })
}

impl Next {
    /// Changes the request to the one that the redirect asks for.
    pub(super) fn apply(self, parts: &mut Parts) {
        if !self.sends_body {
            parts.method = Method::GET;
            for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING] {
                parts.headers.remove(name);
            }
        }
        if self.is_elsewhere {
            let names: Vec<HeaderName> = parts.headers.keys().filter(|name| !goes_along(name)).cloned().collect();
            names.iter().for_each(|name| drop(parts.headers.remove(name)));
        }
        if let Some(authorization) = self.authorization {
            parts.headers.insert(AUTHORIZATION, authorization);
        }
        parts.uri = self.uri;
    }
}

/// Whether a header goes along to another origin.
fn goes_along(name: &HeaderName) -> bool {
    let text = name.as_str();
    text == "accept"
        || ["accept-", "content-"].iter().any(|begin| text.starts_with(begin))
        || [RANGE, USER_AGENT].contains(name)
}

/// Whether a redirect stays with the server that the user has named: within its origin, or from HTTP to HTTPS on the usual ports.
fn is_same_server(from: &Uri, to: &Uri) -> bool {
    let (before, after) = (origin(from), origin(to));
    let is_upgrade = (before.0, before.2, after.0, after.2) == (Some("http"), 80, Some("https"), 443);
    before == after || is_upgrade && before.1 == after.1
}

/// Scheme, host and port.
fn origin(uri: &Uri) -> (Option<&str>, Option<String>, u16) {
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    (uri.scheme_str(), uri.host().map(str::to_ascii_lowercase), port)
}

/// A reference relative to a URL (RFC 3986, 5.2), without its fragment.
fn join(base: &Uri, reference: &str) -> Option<Uri> {
    let reference = reference.split('#').next().unwrap_or_default().trim();
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    let joined = match reference {
        _ if has_scheme(reference) => reference.to_owned(),
        _ if reference.starts_with("//") => format!("{scheme}:{reference}"),
        "" => base.to_string(),
        _ if reference.starts_with('?') => format!("{scheme}://{authority}{}{reference}", base.path()),
        _ => {
            let (path, query) = reference.split_at(reference.find('?').unwrap_or(reference.len()));
            let folder = if path.starts_with('/') { "" } else { base.path().rsplit_once('/').map_or("", |(it, _)| it) };
            let path = if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
            format!("{scheme}://{authority}{}{query}", without_dots(&path))
        }
    };
    let uri: Uri = joined.parse().ok()?;
    (matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()).then_some(uri)
}

fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

/// A path without `.` and `..` (RFC 3986, 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." => kept.extend(last.then_some("")),
            ".." => {
                kept.pop();
                kept.extend(last.then_some(""));
            }
            part => kept.push(part),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_leave_the_server_only_if_they_say_what_is_asked_for() {
        let away = |from: &str, to: &str| !is_same_server(&from.parse().unwrap(), &to.parse().unwrap());
        for (from, to) in
            [("http://h/", "http://h:80/x"), ("http://h/", "https://H/x"), ("https://h:1/a", "https://h:1/b")]
        {
            assert!(!away(from, to), "{from} {to}");
        }
        for (from, to) in [
            ("http://h/", "http://g/"),
            ("http://h/", "http://h:81/"),
            ("https://h/", "http://h/"),
            ("http://h:81/", "https://h/"),
            ("http://h/", "https://h:444/"),
            ("http://h/", "http://h.g/"),
        ] {
            assert!(away(from, to), "{from} {to}");
        }
        let goes = |name: &str| goes_along(&name.parse().unwrap());
        assert!(["accept", "accept-language", "content-type", "range", "user-agent"].into_iter().all(goes));
        let stay = ["authorization", "proxy-authorization", "cookie", "x-api-key", "host", "acceptance", "referer"];
        assert!(!stay.into_iter().any(goes));
    }

    #[test]
    fn locations_are_resolved_like_links() {
        let base: Uri = "http://u:p@h:1/a/b/c?x=1".parse().unwrap();
        for (location, expected) in [
            ("/z?y#f", "http://u:p@h:1/z?y"),
            ("d", "http://u:p@h:1/a/b/d"),
            ("../d/./e", "http://u:p@h:1/a/d/e"),
            ("..", "http://u:p@h:1/a/"),
            ("?q=a:b", "http://u:p@h:1/a/b/c?q=a:b"),
            ("//other/x", "http://other/x"),
            ("https://h/x", "https://h/x"),
            ("", "http://u:p@h:1/a/b/c?x=1"),
        ] {
            assert_eq!(join(&base, location).unwrap().to_string(), expected, "{location}");
        }
        assert!(join(&base, "mailto:a@b").is_none() && join(&base, "ftp://h/").is_none());
    }
}
