//! Turns a response into an outcome: a result, or why there is none.

use super::agents::Needs;
use super::body::{compact_json, text};
use super::connection::CONNECT_TIMEOUT;
use super::fields::chosen;
use super::message::{interrupted, without_secrets};
use super::saved::PartFile;
use crate::measure::wall_clock;
use crate::model::{Failure, FailureKind, Outcome};
use crate::spec::Field;
use crate::task::shortage::shortage_of_files;
use crate::text::CUT;
use base64::Engine as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;
use std::io::{Read, Write};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::{Duration, Instant};
use ureq::Body;
use ureq::http::{HeaderMap, HeaderValue, Method, Response, Uri};

/// Maximum size of a body in a result, in bytes. `save_to` has no limit.
const MOST_BODY: u64 = 256 << 20;

/// Roughly the size of a result without its body, in bytes.
const ROOM_FOR_HEADERS: usize = 512;

/// How a request is sent, and where its response goes.
pub(super) struct Sending<'a> {
    pub(super) needs: Needs<'a>,
    /// The file to save the body to.
    pub(super) save_to: Option<&'a str>,
    /// When the first request for the item was sent.
    pub(super) started: Instant,
}

impl Sending<'_> {
    /// Whether there is time for another request.
    pub(super) fn may_go_on(&self) -> bool {
        self.started.elapsed() < self.needs.timeout && !self.needs.kill.is_fired()
    }

    /// What is left of the timeout.
    pub(super) fn left(&self) -> Duration {
        self.needs.timeout.saturating_sub(self.started.elapsed()).max(Duration::from_millis(1))
    }
}

/// Which responses are a success, and what the result has of them.
#[derive(Debug)]
pub(super) struct Wanted {
    /// `ok_statuses`
    pub(super) ok_statuses: Vec<RangeInclusive<u16>>,
    /// `fields`
    pub(super) fields: Vec<(String, Field)>,
}

impl Wanted {
    /// Whether the user has listed this status.
    pub(super) fn lists(&self, status: u16) -> bool {
        self.ok_statuses.iter().any(|range| range.contains(&status))
    }

    /// Whether a response with this status is a success.
    fn takes(&self, status: u16) -> bool {
        if self.ok_statuses.is_empty() { status < 400 } else { self.lists(status) }
    }
}

/// A request that was sent, and what to do with its response.
pub(super) struct SentRequest<'a> {
    /// The request.
    pub(super) target: Target,
    /// When it was sent, how long it may take, and where its body goes.
    pub(super) sending: &'a Sending<'a>,
    /// Which responses are a success.
    pub(super) wanted: &'a Wanted,
}

impl SentRequest<'_> {
    /// The outcome of the item.
    pub(super) fn outcome(&self, response: Result<Response<Body>, ureq::Error>) -> Outcome {
        let mut response = response.map_err(|error| self.failure(&error))?;
        let status = response.status().as_u16();
        if !self.wanted.takes(status) {
            return Err(self.status_failure(response));
        }
        self.check_encoding(response.headers())?;
        let content = match self.sending.save_to {
            Some(path) => {
                self.save(response.body_mut(), Path::new(path))?;
                Content::default()
            }
            None => self.content(response.body_mut())?,
        };
        let value = ResponseValue {
            status,
            headers: Headers(response.headers()),
            body: content.text,
            body_base64: content.base64,
            json: content.json,
            elapsed: (self.sending.started.elapsed().as_secs_f64() * 1e6).round() / 1e6,
            saved_to: self.sending.save_to,
        };
        let mut line = Vec::with_capacity(value.body.as_ref().map_or(0, String::len) + ROOM_FOR_HEADERS);
        serde_json::to_writer(&mut line, &value).expect("strings, numbers and checked JSON can always be written");
        if self.wanted.fields.is_empty() { Ok(line) } else { chosen(&line, &self.wanted.fields) }
    }

    /// A body in an encoding that nobody asked for would be kept as it is, and called a success.
    fn check_encoding(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let codings = headers.get_all("content-encoding").iter().map(|it| String::from_utf8_lossy(it.as_bytes()));
        let codings = codings.map(|coding| coding.trim().to_owned()).filter(|coding| !coding.is_empty());
        match codings.into_iter().find(|coding| !coding.eq_ignore_ascii_case("identity")) {
            None => Ok(()),
            Some(coding) => {
                let message =
                    format!("{} returned a body in the encoding `{coding}`; only `gzip` is supported", self.target);
                Err(Failure::new(FailureKind::HttpStatus, "BodyError", message).permanent())
            }
        }
    }

    /// Reads the body as what its type says.
    fn content(&self, body: &mut Body) -> Result<Content, Failure> {
        let bytes = self.read(body)?;
        let is_json = |mime: &str| mime == "application/json" || mime.ends_with("+json");
        let is_json = body.mime_type().is_some_and(is_json);
        match text(bytes, body.charset()) {
            Ok(text) if is_json => match compact_json(&text) {
                Ok(json) => Ok(Content { text: Some(text), json, base64: None }),
                Err(why) => Err(self.no_json(&why).with_detail(beginning(text.as_str()))),
            },
            Ok(text) => Ok(Content { text: Some(text), ..Content::default() }),
            Err(_) if is_json => Err(self.no_json("it is not text")),
            Err(bytes) => Ok(Content {
                base64: Some(base64::engine::general_purpose::STANDARD.encode(bytes)),
                ..Content::default()
            }),
        }
    }

    fn no_json(&self, why: &str) -> Failure {
        let message = format!("{} returned a body that is declared as JSON, but {why}", self.target);
        Failure::new(FailureKind::HttpStatus, "BodyError", message).permanent()
    }

    /// Reads the whole body.
    fn read(&self, body: &mut Body) -> Result<Vec<u8>, Failure> {
        // `Content-Length` is only a hint: it must not make us reserve any amount of memory.
        let announced = body.content_length().unwrap_or(0).min(1 << 20);
        let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or(0) + 1);
        let read = body.with_config().limit(MOST_BODY).reader().read_to_end(&mut bytes);
        read.map_err(|error| self.failure(&ureq::Error::from(error)))?;
        Ok(bytes)
    }

    fn status_failure(&self, mut response: Response<Body>) -> Failure {
        let status = response.status();
        let unlisted = if status.as_u16() < 400 { ", which is not among the `ok_statuses`" } else { "" };
        let message = format!("{} returned {status}{unlisted}", self.target);
        let retry_after = response.headers().get("retry-after").and_then(|value| retry_after(value.to_str().ok()?));
        let body = response.body_mut().with_config().limit(64 << 10).lossy_utf8(true).read_to_string();
        if body.is_err() && self.sending.needs.kill.is_fired() {
            return interrupted();
        }
        let body = body.unwrap_or_default();
        let mut failure = Failure::new(FailureKind::HttpStatus, "HttpStatus", message);
        failure = failure.with_detail(beginning(&body)).with_code(Some(i32::from(status.as_u16())));
        failure.retryable = matches!(status.as_u16(), 408 | 429 | 500..=599);
        failure.retry_after = retry_after;
        failure
    }

    /// Why there is no complete response. If the run was cancelled, the item counts as not run.
    fn failure(&self, error: &ureq::Error) -> Failure {
        let target = &self.target;
        match error {
            _ if self.sending.needs.kill.is_fired() => interrupted(),
            ureq::Error::Timeout(ureq::Timeout::Connect) => {
                let message = format!("{target}: no connection within {CONNECT_TIMEOUT:?}");
                Failure::new(FailureKind::Timeout, "Timeout", message)
            }
            ureq::Error::Timeout(_) => {
                let message = format!("{target} took longer than {:?}", self.sending.needs.timeout);
                Failure::new(FailureKind::Timeout, "Timeout", message)
            }
            ureq::Error::BodyExceedsLimit(_) => {
                let most = MOST_BODY >> 20;
                let message =
                    format!("{target} returned more than {most} MiB; use `save_to` to write the body to a file");
                Failure::new(FailureKind::Connection, "BodyTooLong", message).permanent()
            }
            ureq::Error::ConnectProxyFailed(why) => {
                Failure::new(FailureKind::Connection, "ProxyError", format!("{target} failed: {why}"))
            }
            error => {
                // Without a file for a connection, nothing was sent.
                let short = if let ureq::Error::Io(error) = error { shortage_of_files(error) } else { None };
                if let Some(short) = short {
                    return short.of(&target.to_string());
                }
                let why = error.to_string();
                let help = if why.contains("UnknownIssuer") {
                    "; if its certificate comes from a private authority, name the authority's in `ca_file`"
                } else {
                    ""
                };
                Failure::new(FailureKind::Connection, "ConnectionError", format!("{target} failed: {why}{help}"))
            }
        }
    }

    /// Writes the body to a temporary file in the same directory, and renames that once it is complete.
    fn save(&self, body: &mut Body, path: &Path) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            let message = format!("cannot save the response to `{}`: {error}", path.display());
            Failure::new(FailureKind::Start, "SaveError", message)
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut part = PartFile::create(path).map_err(failed)?;
        let mut reader = body.with_config().limit(u64::MAX).reader();
        let mut chunk = vec![0; 64 << 10];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => part.file.write_all(&chunk[..read]).map_err(failed)?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure(&ureq::Error::from(error))),
            }
        }
        part.keep(path).map_err(failed)
    }
}

/// What a result has of a body.
#[derive(Default)]
struct Content {
    text: Option<String>,
    json: Option<Box<RawValue>>,
    base64: Option<String>,
}

/// Method and URL of a request. It displays without the parts that may be secret.
pub(super) struct Target {
    /// The method.
    pub(super) method: Method,
    /// The URL.
    pub(super) uri: Uri,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, without_secrets(&self.uri.to_string()))
    }
}

#[derive(Serialize)]
struct ResponseValue<'a> {
    status: u16,
    headers: Headers<'a>,
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    json: Option<Box<RawValue>>,
    elapsed: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved_to: Option<&'a str>,
}

/// Headers by lower-case name. Repeated headers are joined with `, ` (RFC 9110, 5.3).
struct Headers<'a>(&'a HeaderMap);

impl<'a> Serialize for Headers<'a> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |value: &'a HeaderValue| String::from_utf8_lossy(value.as_bytes());
        serializer.collect_map(self.0.keys().map(|name| {
            let mut values = self.0.get_all(name).iter().map(text);
            let mut joined = values.next().unwrap_or_default();
            for value in values {
                joined = format!("{joined}, {value}").into();
            }
            (name.as_str(), joined)
        }))
    }
}

/// The delay in `Retry-After`, which is given in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value.trim()).ok()?;
    Duration::try_from(date.timestamp().duration_since(wall_clock())).ok()
}

/// The first 4,096 characters of a text, with a mark where it was cut.
fn beginning(text: &str) -> String {
    match text.char_indices().nth(4096) {
        Some((end, _)) => format!("{}{CUT}", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_takes_seconds_and_dates() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert!(retry_after("Tue, 31 Dec 2999 23:59:59 GMT").unwrap() > Duration::from_secs(1));
        assert_eq!(retry_after("soon"), None);
    }
}
