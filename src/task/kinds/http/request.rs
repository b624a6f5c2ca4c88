//! Renders the request of an item, and sends it.

use super::connection;
use super::message::without_secrets;
use super::rate_limit::RateLimit;
use super::response::{SentRequest, Target};
use crate::model::{Failure, FailureKind, Outcome};
use crate::spec::{self, HttpTask};
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
        // The value of a header may be secret, so it is not in the message.
        request
            .body(body.unwrap_or_default())
            .map_err(|_| settings("a header name or value contains a character that HTTP does not allow"))
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
        let target = Target { method: request.method().clone(), uri: request.uri().clone() };
        if let Some(limit) = &self.rate_limit {
            limit.wait(request.uri().authority().map_or("", |authority| authority.as_str()), kill)?;
        }
        let save_to = self.save_to.as_ref().map(|template| template.string(scope)).transpose()?;
        let timeout = item.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let agent = self.agent.get_or_init(|| connection::agent(kill, timeout));
        let sent = SentRequest { target, started: Instant::now(), timeout, kill, save_to: save_to.as_deref() };
        if agent.config().timeouts().global == Some(timeout) {
            return sent.outcome(agent.run(request));
        }
        // Less time is left for the batch. This path is slower: configuring a single request costs more than sending it.
        sent.outcome(agent.run(agent.configure_request(request).timeout_global(Some(timeout)).build()))
    }
}
