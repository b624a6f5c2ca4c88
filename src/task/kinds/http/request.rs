//! Renders the request of an item, and sends it.

use super::connection::{self, Serving};
use super::message::without_secrets;
use super::rate_limit::RateLimit;
use super::redirect;
use super::response::{SentRequest, Target};
use super::saved::SavedPaths;
use crate::measure::SlotState;
use crate::model::{Failure, FailureKind, Outcome};
use crate::spec::{self, HttpTask};
use crate::task::cancel::Latch;
use crate::task::context::StepContext;
use crate::task::item_lane::{ItemLane, ItemRun, ItemTask};
use crate::task::lane::Lane;
use crate::task::program::Task;
use crate::template::{CompiledTree, ItemScope, Names, Template, TemplateError, compile_pairs};
use base64::Engine as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::http::{Method, Request, Uri};

/// The timeout of a request if the step sets none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// What is not escaped in a query: letters, digits and `-_.~` (RFC 3986, unreserved).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// An `http_request` task, compiled.
#[derive(Debug)]
pub(in crate::task::kinds) struct Http {
    url: Template,
    method: Option<Template>,
    headers: Vec<(String, CompiledTree)>,
    params: Vec<(String, CompiledTree)>,
    json: Option<CompiledTree>,
    body: Option<Template>,
    auth: Option<Auth>,
    save_to: Option<Template>,
    rate_limit: Option<RateLimit>,
    /// Whose the files of `save_to` are.
    saved: SavedPaths,
    /// Created with the first request, because its connections need the latch of the run.
    agent: OnceLock<Agent>,
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
    pub(in crate::task::kinds) fn compile(task: &HttpTask) -> Result<Self, Vec<TemplateError>> {
        let one = |text: &crate::model::Text| Template::compile(text).map_err(|error| vec![error]);
        let auth = match &task.auth {
            Some(spec::Auth::Basic { username, password }) => Some(Auth::Basic(one(username)?, one(password)?)),
            Some(spec::Auth::Bearer(token)) => Some(Auth::Bearer(one(token)?)),
            None => None,
        };
        Ok(Self {
            url: one(&task.url)?,
            method: task.method.as_ref().map(one).transpose()?,
            headers: compile_pairs(&task.headers)?,
            params: compile_pairs(&task.params)?,
            json: task.json.as_ref().map(CompiledTree::compile).transpose()?,
            body: task.body.as_ref().map(one).transpose()?,
            auth,
            save_to: task.save_to.as_ref().map(one).transpose()?,
            rate_limit: task.rate_limit.map(RateLimit::new),
            saved: SavedPaths::default(),
            agent: OnceLock::new(),
        })
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
        let bad_method = |_| settings(format!("`{method}` is not an HTTP method"));
        let mut request =
            Request::builder().method(Method::from_bytes(method.as_bytes()).map_err(bad_method)?).uri(uri);
        for (name, tree) in &self.headers {
            request = request.header(name, tree.string(scope)?);
        }
        // A header of the user replaces ours.
        let given = |name: &str| self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        if self.json.is_some() && !given("content-type") {
            request = request.header("content-type", "application/json");
        }
        match &self.auth {
            Some(_) if given("authorization") => {}
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
        // The value of a header may be secret, so it is not in the message.
        request
            .body(body.unwrap_or_default())
            .map_err(|_| settings("a header name or value contains a character that HTTP does not allow"))
    }

    fn uri(&self, scope: &Arc<ItemScope>) -> Result<Uri, Failure> {
        let url = self.url.string(scope)?;
        // A fragment is never sent; what is behind it would be part of it.
        let mut url = url.split('#').next().unwrap_or_default().trim().to_owned();
        let mut query = Vec::new();
        for (name, tree) in &self.params {
            let value = serde_json::from_slice(&tree.json(scope)?);
            match value.map_err(|error| settings(format!("`params.{name}` cannot be read: {error}")))? {
                serde_json::Value::Array(values) => {
                    query.extend(values.iter().filter(|value| !value.is_null()).map(|value| pair(name, value)));
                }
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
                "`{}` is not a URL ({error}); `{{{{ item | urlencode }}}}` escapes characters that a URL cannot contain",
                without_secrets(&url)
            ))
        })?;
        let port = uri.authority().and_then(|authority| authority.as_str().rsplit('@').next()?.rsplit_once(':'));
        if let Some((host, port)) = port
            && !host.ends_with('[')
            && !port.contains(']')
            && port.parse::<u16>().is_err()
        {
            return Err(settings(format!("`{}` is not a URL: invalid port `{port}`", without_secrets(&url))));
        }
        match uri.scheme_str() {
            Some("http" | "https") => Ok(uri),
            _ => Err(settings(format!(
                "`{}` is not a URL: it must start with `http://` or `https://`",
                without_secrets(&url)
            ))),
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

impl Task for Http {
    fn type_name(&self) -> &'static str {
        "http_request"
    }

    fn check(&self, names: &Names) -> Vec<TemplateError> {
        let single = [Some(&self.url), self.method.as_ref(), self.body.as_ref(), self.save_to.as_ref()];
        let single = single.into_iter().flatten().chain(self.auth.iter().flat_map(Auth::templates));
        let trees = self.headers.iter().chain(&self.params).map(|(_, tree)| tree).chain(&self.json);
        single.flat_map(|template| template.check(names)).chain(trees.flat_map(|tree| tree.check(names))).collect()
    }

    fn lane(self: Arc<Self>, context: StepContext, slot: usize) -> Box<dyn Lane> {
        Box::new(ItemLane::new(self, context, slot))
    }
}

impl ItemTask for Http {
    fn run(&self, item: &ItemRun<'_>) -> Outcome {
        let (scope, kill) = (item.scope, &item.context.cancel.kill);
        let request = self.request(scope)?;
        let _serving = Serving::begin(item.recall);
        if let Some(limit) = &self.rate_limit {
            let host = request.uri().authority().map_or("", |authority| authority.as_str());
            item.clock.during(SlotState::RateLimited, || limit.wait(host, (kill, item.recall)))?;
        }
        let save_to = self.save_to.as_ref().map(|template| template.string(scope)).transpose()?;
        let save_to = save_to.as_deref();
        if let Some(path) = save_to {
            self.saved.claim(path.as_ref(), scope.index)?;
        }
        let timeout = item.timeout.unwrap_or(DEFAULT_TIMEOUT);
        item.clock.enter(SlotState::Task);
        let outcome = self.send(request, &Sending { timeout, kill, save_to });
        item.clock.enter(SlotState::Receive);
        if let (Err(_), Some(path)) = (&outcome, save_to) {
            self.saved.release(path.as_ref());
        }
        outcome
    }
}

impl Http {
    /// Sends a request, wherever redirects lead to.
    fn send(&self, request: Request<Vec<u8>>, sending: &Sending<'_>) -> Outcome {
        let (timeout, started) = (sending.timeout, Instant::now());
        let agent = self.agent.get_or_init(|| connection::agent(sending.kill, timeout));
        let (mut parts, mut body) = request.into_parts();
        for _ in 0..=redirect::MOST {
            let left = timeout.saturating_sub(started.elapsed());
            let first = parts.extensions.get::<Redirected>().is_none();
            let request = Request::from_parts(parts.clone(), body.as_slice());
            let response = if first && agent.config().timeouts().global == Some(timeout) {
                agent.run(request)
            } else {
                // Less time is left. This path is slower: configuring a single request costs more than sending it.
                let left = if first { timeout } else { left.max(Duration::from_millis(1)) };
                agent.run(agent.configure_request(request).timeout_global(Some(left)).build())
            };
            let target = Target { method: parts.method.clone(), uri: parts.uri.clone() };
            let sent = SentRequest { target, started, timeout, kill: sending.kill, save_to: sending.save_to };
            let response = match response {
                Ok(response) if redirect::is_redirect(response.status()) => response,
                other => return sent.outcome(other),
            };
            let status = response.status();
            redirect::follow(&mut parts, &mut body, status, response.headers()).map_err(|why| {
                let message = format!("{} returned {status} {why}", sent.target);
                let failure = Failure::new(FailureKind::HttpStatus, "HttpStatus", message);
                failure.with_code(Some(i32::from(status.as_u16()))).permanent()
            })?;
            parts.extensions.insert(Redirected);
        }
        let target = Target { method: parts.method, uri: parts.uri };
        let message = format!("{target} failed: more than {} redirects", redirect::MOST);
        Err(Failure::new(FailureKind::Connection, "ConnectionError", message).permanent())
    }
}

/// How a request is sent, and where its response goes.
struct Sending<'a> {
    timeout: Duration,
    kill: &'a Arc<Latch>,
    save_to: Option<&'a str>,
}

/// Marks a request that a redirect has led elsewhere.
#[derive(Clone)]
struct Redirected;
