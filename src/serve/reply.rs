//! Responses. Each has the headers that keep browsers from doing more than asked.

use super::access::Refusal;
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use http_body_util::{Either, Full};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};
use std::convert::Infallible;

/// A body that is there, or one that goes on.
pub(super) type Body = Either<Full<Bytes>, Channel<Bytes, Infallible>>;

/// A response.
pub(super) type Reply = Response<Body>;

/// Where the rest of a response comes from.
pub(super) type Rest = Sender<Bytes, Infallible>;

const HTML: &str = "text/html; charset=utf-8";

/// Scripts and styles are files of ours; bars have their widths in attributes. Nothing is loaded from elsewhere, and no other page may
/// show this one.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

fn reply(status: StatusCode, kind: &'static str, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    reply
}

/// A whole response of this media type.
pub(super) fn whole(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Reply {
    reply(status, kind, Either::Left(Full::new(text.into())))
}

/// A page.
pub(super) fn html(status: StatusCode, text: String) -> Reply {
    whole(status, HTML, text)
}

/// A short text.
pub(super) fn plain(status: StatusCode, text: &str) -> Reply {
    whole(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

/// Server-sent events, and where they are put. At most one waits to be sent.
pub(super) fn events() -> (Reply, Rest) {
    let (rest, body) = Channel::new(1);
    (reply(StatusCode::OK, "text/event-stream", Either::Right(body)), rest)
}

/// Leads to another path, with a cookie that holds the token.
pub(super) fn welcome(path: &str, cookie: &str) -> Reply {
    let mut reply = plain(StatusCode::SEE_OTHER, "go on without the token in the address");
    let cookie = format!("{cookie}; Path=/; HttpOnly; SameSite=Strict");
    for (name, value) in [(LOCATION, path), (SET_COOKIE, &cookie)] {
        // Both consist of letters, digits and marks of URLs.
        let value = HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static("/"));
        reply.headers_mut().insert(name, value);
    }
    reply
}

/// Another method is needed.
pub(super) fn wrong_method(allowed: &'static str) -> Reply {
    let mut reply = plain(StatusCode::METHOD_NOT_ALLOWED, &format!("use {allowed}"));
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

impl Refusal {
    pub(super) fn reply(self) -> Reply {
        let (status, text) = match self {
            Self::Host => {
                (StatusCode::MISDIRECTED_REQUEST, "this address is not one of batchmill's; use the one that it printed")
            }
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "the token is missing or wrong; open the whole address that batchmill printed, with its token",
            ),
            Self::Origin => (StatusCode::FORBIDDEN, "only the page itself may do this"),
            Self::Content => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "send JSON, as application/json"),
        };
        plain(status, text)
    }
}
