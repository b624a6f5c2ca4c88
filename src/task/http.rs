//! `http_request`: one request, its answer as the result.
//!
//! All slots of a step share one agent, so connections are kept alive. Whether a failure may be tried again is decided
//! here (connection trouble, 408, 429, 5xx); whether and when it is, by the step's retry policy. Nothing of a request but
//! its method and its address without user, password and query ever gets into a message.

use super::guard::Cell;
use super::item_lane::ItemTask;
use super::lane::Context;
use crate::model::{Failure, FailureKind, Outcome};
use crate::spec::{self, HttpTask};
use crate::template::{CompiledTree, ItemScope, Names, Template, TemplateError, compile_pairs};
use base64::Engine as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use ureq::http::{Method, Request, Response, Uri};
use ureq::{Agent, Body};

/// Without a `timeout`, a request may take this long.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// The most of a body that becomes a result, in bytes; `save_to` knows no limit.
const MOST_BODY: u64 = 256 << 20;

/// What a query keeps as it is: letters, digits and `-_.~` (RFC 3986, unreserved).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// An `http_request` task, compiled.
#[derive(Debug)]
pub struct Http {
    url: Template,
    method: Option<Template>,
    headers: Vec<(String, CompiledTree)>,
    params: Vec<(String, CompiledTree)>,
    json: Option<CompiledTree>,
    body: Option<Template>,
    auth: Option<Auth>,
    save_to: Option<Template>,
    pace: Option<Pace>,
    agent: Agent,
}

#[derive(Debug)]
enum Auth {
    Basic(Template, Template),
    Bearer(Template),
}

impl Auth {
    fn templates(&self) -> impl Iterator<Item = &Template> {
        match self {
            Self::Basic(username, password) => vec![username, password].into_iter(),
            Self::Bearer(token) => vec![token].into_iter(),
        }
    }
}

impl Http {
    pub(super) fn compile(task: &HttpTask) -> Result<Self, Vec<TemplateError>> {
        let one = |text: &crate::model::Text| Template::compile(text).map_err(|error| vec![error]);
        let auth = match &task.auth {
            Some(spec::Auth::Basic { username, password }) => Some(Auth::Basic(one(username)?, one(password)?)),
            Some(spec::Auth::Bearer(token)) => Some(Auth::Bearer(one(token)?)),
            None => None,
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_connect(Some(Duration::from_secs(10)))
            .max_idle_connections(1024)
            .max_idle_connections_per_host(256)
            .user_agent(concat!("batchmill/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self {
            url: one(&task.url)?,
            method: task.method.as_ref().map(one).transpose()?,
            headers: compile_pairs(&task.headers)?,
            params: compile_pairs(&task.params)?,
            json: task.json.as_ref().map(CompiledTree::compile).transpose()?,
            body: task.body.as_ref().map(one).transpose()?,
            auth,
            save_to: task.save_to.as_ref().map(one).transpose()?,
            pace: task.rate_limit.map(Pace::new),
            agent,
        })
    }

    pub(super) fn check(&self, names: &Names) -> Vec<TemplateError> {
        let single = [Some(&self.url), self.method.as_ref(), self.body.as_ref(), self.save_to.as_ref()];
        let single = single.into_iter().flatten().chain(self.auth.iter().flat_map(Auth::templates));
        let trees = self.headers.iter().chain(&self.params).map(|(_, tree)| tree).chain(&self.json);
        single.flat_map(|template| template.check(names)).chain(trees.flat_map(|tree| tree.check(names))).collect()
    }

    fn request(&self, scope: &Arc<ItemScope>) -> Result<Request<Vec<u8>>, Failure> {
        let uri = self.uri(scope)?;
        let body = match (&self.json, &self.body) {
            (Some(json), _) => Some(json.json(scope)?),
            (None, Some(body)) => Some(body.string(scope)?.into_bytes()),
            (None, None) => None,
        };
        let method = match &self.method {
            Some(method) => method.string(scope)?.to_uppercase(),
            None => if body.is_some() { "POST" } else { "GET" }.to_owned(),
        };
        let bad_method = |_| settings(format!("`{method}` is no HTTP method"));
        let mut request =
            Request::builder().method(Method::from_bytes(method.as_bytes()).map_err(bad_method)?).uri(uri);
        if self.json.is_some() {
            request = request.header("content-type", "application/json");
        }
        for (name, tree) in &self.headers {
            request = request.header(name, tree.string(scope)?);
        }
        match &self.auth {
            Some(Auth::Basic(username, password)) => {
                let pair = format!("{}:{}", username.string(scope)?, password.string(scope)?);
                let pair = base64::engine::general_purpose::STANDARD.encode(pair);
                request = request.header("authorization", format!("Basic {pair}"));
            }
            Some(Auth::Bearer(token)) => {
                request = request.header("authorization", format!("Bearer {}", token.string(scope)?));
            }
            None => {}
        }
        // The value of a bad header may be a secret, so only the fact is told.
        request
            .body(body.unwrap_or_default())
            .map_err(|_| settings("a header's name or value has a character that HTTP forbids"))
    }

    fn uri(&self, scope: &Arc<ItemScope>) -> Result<Uri, Failure> {
        let mut url = self.url.string(scope)?.trim().to_owned();
        let mut query = Vec::new();
        for (name, tree) in &self.params {
            let value = serde_json::from_slice(&tree.json(scope)?).unwrap_or_default();
            match value {
                serde_json::Value::Array(values) => query.extend(values.iter().map(|value| pair(name, value))),
                serde_json::Value::Null => {}
                value => query.push(pair(name, &value)),
            }
        }
        if !query.is_empty() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&query.join("&"));
        }
        let uri: Uri = url.parse().map_err(|error| {
            settings(format!(
                "`{}` is no URL ({error}); `{{{{ item | urlencode }}}}` encodes what an address cannot hold",
                shown(&url)
            ))
        })?;
        let port = uri.authority().and_then(|authority| authority.as_str().rsplit('@').next()?.rsplit_once(':'));
        if let Some((host, port)) = port
            && !host.ends_with('[')
            && !port.contains(']')
            && port.parse::<u16>().is_err()
        {
            return Err(settings(format!("`{}` is no URL: there is no port `{port}`", shown(&url))));
        }
        match uri.scheme_str() {
            Some("http" | "https") => Ok(uri),
            _ => Err(settings(format!("`{}` is no URL: it must begin with `http://` or `https://`", shown(&url)))),
        }
    }
}

fn pair(name: &str, value: &serde_json::Value) -> String {
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("{}={}", utf8_percent_encode(name, QUERY), utf8_percent_encode(&value, QUERY))
}

fn settings(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Template, "RequestError", message)
}

/// An address without what may be secret in it: user, password and query.
fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

impl ItemTask for Http {
    fn run(&self, scope: &Arc<ItemScope>, context: &Context, _guard: Option<&Cell>) -> Outcome {
        let request = self.request(scope)?;
        let asked = format!("{} {}", request.method(), shown(&request.uri().to_string()));
        if let Some(pace) = &self.pace {
            pace.wait(request.uri().authority().map_or("", |authority| authority.as_str()), context)?;
        }
        let save_to = self.save_to.as_ref().map(|template| template.string(scope)).transpose()?;
        let timeout = context.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let request = self.agent.configure_request(request).timeout_global(Some(timeout)).build();
        let started = Instant::now();
        let response = self.agent.run(request).map_err(|error| connection_failure(&asked, &error, timeout))?;
        let answer = Answer { asked: &asked, started, timeout, save_to: save_to.as_deref() };
        answer.outcome(response)
    }
}

/// What is needed to make an outcome of a response.
struct Answer<'a> {
    asked: &'a str,
    started: Instant,
    timeout: Duration,
    save_to: Option<&'a str>,
}

impl Answer<'_> {
    fn outcome(&self, mut response: Response<Body>) -> Outcome {
        let status = response.status().as_u16();
        if status >= 400 {
            return Err(self.status_failure(response));
        }
        let headers = headers(&response);
        let is_json =
            response.body().mime_type().is_some_and(|mime| mime == "application/json" || mime.ends_with("+json"));
        let (body, json) = match self.save_to {
            Some(path) => {
                self.save(response.body_mut(), Path::new(path))?;
                (None, None)
            }
            None => {
                let body = response.body_mut().with_config().limit(MOST_BODY).read_to_vec();
                let body = body.map_err(|error| connection_failure(self.asked, &error, self.timeout))?;
                let json = is_json.then(|| compact_json(&body)).flatten();
                (Some(String::from_utf8_lossy(&body).into_owned()), json)
            }
        };
        let value = ResponseValue {
            status,
            headers,
            body,
            json,
            elapsed: (self.started.elapsed().as_secs_f64() * 1e6).round() / 1e6,
            saved_to: self.save_to,
        };
        Ok(serde_json::to_vec(&value).expect("strings, numbers and checked JSON can always be written"))
    }

    fn status_failure(&self, mut response: Response<Body>) -> Failure {
        let status = response.status();
        let message = format!("{} answered {status}", self.asked);
        let retry_after = response.headers().get("retry-after").and_then(|value| retry_after(value.to_str().ok()?));
        let body =
            response.body_mut().with_config().limit(64 << 10).lossy_utf8(true).read_to_string().unwrap_or_default();
        let mut failure = Failure::new(FailureKind::HttpStatus, "HttpStatus", message);
        failure = failure
            .with_detail(body.chars().take(4096).collect::<String>())
            .with_code(Some(i32::from(status.as_u16())));
        failure.retryable = matches!(status.as_u16(), 408 | 429 | 500..=599);
        failure.retry_after = retry_after;
        failure
    }

    /// Writes the body beside its place and moves it there when it is whole.
    fn save(&self, body: &mut Body, path: &Path) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            let message = format!("cannot save the answer to `{}`: {error}", path.display());
            Failure::new(FailureKind::Start, "SaveError", message)
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let part = path.with_added_extension(format!("part{}", std::process::id()));
        let mut file = std::fs::File::create(&part).map_err(failed)?;
        let mut reader = body.with_config().limit(u64::MAX).reader();
        let mut chunk = vec![0; 64 << 10];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => file.write_all(&chunk[..read]).map_err(failed)?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    drop(std::fs::remove_file(&part));
                    return Err(connection_failure(self.asked, &ureq::Error::from(error), self.timeout));
                }
            }
        }
        std::fs::rename(&part, path).map_err(failed)
    }
}

#[derive(serde::Serialize)]
struct ResponseValue<'a> {
    status: u16,
    headers: serde_json::Map<String, serde_json::Value>,
    body: Option<String>,
    json: Option<Box<RawValue>>,
    elapsed: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved_to: Option<&'a str>,
}

/// Headers by lower-case name; those that come several times are joined by `, ` (RFC 9110, 5.3).
fn headers(response: &Response<Body>) -> serde_json::Map<String, serde_json::Value> {
    let mut headers = serde_json::Map::new();
    for name in response.headers().keys() {
        let values = response.headers().get_all(name).iter();
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        headers.insert(name.as_str().to_owned(), values.join(", ").into());
    }
    headers
}

/// The same JSON on one line, digits untouched; none if it is no JSON.
fn compact_json(body: &[u8]) -> Option<Box<RawValue>> {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).ok()?;
    let text = std::str::from_utf8(body).ok()?;
    let mut compact = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        if in_string || !c.is_ascii_whitespace() {
            compact.push(c);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
    }
    RawValue::from_string(compact).ok()
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value.trim()).ok()?;
    Duration::try_from(date.timestamp().duration_since(jiff::Timestamp::now())).ok()
}

fn connection_failure(asked: &str, error: &ureq::Error, timeout: Duration) -> Failure {
    match error {
        ureq::Error::Timeout(_) => {
            Failure::new(FailureKind::Timeout, "Timeout", format!("{asked} took longer than {timeout:?}"))
        }
        ureq::Error::BodyExceedsLimit(_) => {
            let most = MOST_BODY >> 20;
            let message = format!("{asked} answered more than {most} MiB; give `save_to` to write it to a file");
            Failure::new(FailureKind::Connection, "BodyTooLong", message).permanent()
        }
        error => Failure::new(FailureKind::Connection, "ConnectionError", format!("{asked} failed: {error}")),
    }
}

/// Requests per second and host, over all slots: each request takes the next free time of its host.
#[derive(Debug)]
struct Pace {
    interval: Duration,
    next: Mutex<HashMap<String, Instant>>,
}

impl Pace {
    fn new(per_second: f64) -> Self {
        Self { interval: Duration::from_secs_f64(1.0 / per_second), next: Mutex::default() }
    }

    fn wait(&self, host: &str, context: &Context) -> Result<(), Failure> {
        let now = Instant::now();
        let due = {
            let mut next = self.next.lock().expect("nothing panics while it holds this lock");
            let due = next.get(host).map_or(now, |due| (*due).max(now));
            next.insert(host.to_owned(), due + self.interval);
            due
        };
        // The latch never receives: it times out when the request is due, or disconnects when the run is cancelled.
        match context.cancel.kill.channel().recv_deadline(due) {
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => Ok(()),
            _ => Err(Failure::new(FailureKind::Cancelled, "Cancelled", "the run was cancelled")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        assert_eq!(shown("https://me:pass@host:1/a/b?key=1#x"), "https://host:1/a/b");
        assert_eq!(shown("nonsense?key=1"), "nonsense");
    }

    #[test]
    fn json_is_put_on_one_line_with_its_digits() {
        let compact = compact_json(b"{\n \"a b\" : [1, 12345678901234567890123],\n \"q\\\" \": 1.10}").unwrap();
        assert_eq!(compact.get(), "{\"a b\":[1,12345678901234567890123],\"q\\\" \":1.10}");
        assert!(compact_json(b"{").is_none());
    }

    #[test]
    fn retry_after_takes_seconds_and_dates() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert!(retry_after("Tue, 31 Dec 2999 23:59:59 GMT").unwrap() > Duration::from_secs(1));
        assert_eq!(retry_after("soon"), None);
    }
}
