//! Renders the request of an item.

use super::address::address;
use super::agents::{Agents, Needs};
use super::connection::Serving;
use super::contact;
use super::cookies::Jar;
use super::message::settings;
use super::payload::{BodyTemplates, Payload, values};
use super::rate_limit::RateLimit;
use super::response::{Sending, Wanted};
use super::saved::SavedPaths;
use super::send::Sender;
use crate::measure::SlotState;
use crate::model::{Failure, Outcome, RequestTimes, Text};
use crate::spec::{self, HttpTask};
use crate::task::context::StepContext;
use crate::task::item_lane::{ItemLane, ItemRun, ItemTask};
use crate::task::lane::Lane;
use crate::task::program::Task;
use crate::template::{CompiledTree, ItemScope, Names, Template, TemplateError, compile_pairs};
use base64::Engine as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE};
use ureq::http::request::Parts;
use ureq::http::{Method, Request};

/// The timeout of a request if the step sets none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// An `http_request` task, compiled.
#[derive(Debug)]
pub(in crate::task::kinds) struct Http {
    request: RequestTemplates,
    save_to: Option<Template>,
    rate_limit: Option<RateLimit>,
    /// Whose the files of `save_to` are.
    saved: SavedPaths,
    sender: Sender,
}

#[derive(Debug)]
struct RequestTemplates {
    url: Template,
    method: Option<Template>,
    headers: Vec<(String, CompiledTree)>,
    params: Vec<(String, CompiledTree)>,
    body: BodyTemplates,
    auth: Option<Auth>,
}

#[derive(Debug)]
enum Auth {
    Basic(Template, Template),
    Bearer(Template),
}

impl Auth {
    fn compile(auth: &spec::Auth) -> Result<Self, Vec<TemplateError>> {
        match auth {
            spec::Auth::Basic { username, password } => match (compile(username), compile(password)) {
                (Ok(username), Ok(password)) => Ok(Self::Basic(username, password)),
                (username, password) => Err([username.err(), password.err()].into_iter().flatten().flatten().collect()),
            },
            spec::Auth::Bearer(token) => Ok(Self::Bearer(compile(token)?)),
        }
    }

    fn templates(&self) -> impl Iterator<Item = &Template> {
        match self {
            Self::Basic(username, password) => vec![username, password].into_iter(),
            Self::Bearer(token) => vec![token].into_iter(),
        }
    }
}

fn compile(text: &Text) -> Result<Template, Vec<TemplateError>> {
    Template::compile(text).map_err(|error| vec![error])
}

/// The value, or none, with its errors noted.
fn noted<T>(compiled: Result<T, Vec<TemplateError>>, errors: &mut Vec<TemplateError>) -> Option<T> {
    compiled.map_err(|found| errors.extend(found)).ok()
}

impl Http {
    pub(in crate::task::kinds) fn compile(task: &HttpTask) -> Result<Self, Vec<TemplateError>> {
        let mut errors = Vec::new();
        let url = noted(compile(&task.url), &mut errors);
        let method = task.method.as_ref().and_then(|text| noted(compile(text), &mut errors));
        let headers = noted(compile_pairs(&task.headers), &mut errors).unwrap_or_default();
        let params = noted(compile_pairs(&task.params), &mut errors).unwrap_or_default();
        let body = noted(BodyTemplates::compile(&task.body), &mut errors).unwrap_or(BodyTemplates::None);
        let auth = task.auth.as_ref().and_then(|auth| noted(Auth::compile(auth), &mut errors));
        let save_to = task.response.save_to.as_ref().and_then(|text| noted(compile(text), &mut errors));
        let agents = Agents::compile(&task.tls, &mut errors);
        let (Some(url), true) = (url, errors.is_empty()) else { return Err(errors) };
        Ok(Self {
            request: RequestTemplates { url, method, headers, params, body, auth },
            save_to,
            rate_limit: task.rate_limit.map(RateLimit::new),
            saved: SavedPaths::default(),
            sender: Sender {
                agents,
                jar: task.cookies.then(Jar::default),
                forward_body: task.forward_body,
                wanted: Wanted { ok_statuses: task.response.ok_statuses.clone(), fields: task.response.fields.clone() },
            },
        })
    }
}

impl RequestTemplates {
    fn render(&self, scope: &Arc<ItemScope>) -> Result<(Parts, Payload), Failure> {
        let (uri, authorization) = address(&self.url.string(scope)?, &values("params", &self.params, scope)?)?;
        let body = self.body.render(scope)?;
        let method = match &self.method {
            Some(method) => method.string(scope)?.to_uppercase(),
            None => if self.body.is_some() { "POST" } else { "GET" }.to_owned(),
        };
        let bad_method = |_| settings(format!("`{method}` is not an HTTP method"));
        let mut request =
            Request::builder().method(Method::from_bytes(method.as_bytes()).map_err(bad_method)?).uri(uri);
        for (name, tree) in &self.headers {
            request = request.header(name, tree.string(scope)?);
        }
        // A header of the user replaces ours.
        let given = |name: &str| self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        if let Some(content_type) = self.body.content_type().filter(|_| !given("content-type")) {
            request = request.header(CONTENT_TYPE, content_type);
        }
        match (&self.auth, authorization) {
            _ if given("authorization") => {}
            (Some(Auth::Basic(username, password)), _) => {
                let pair = format!("{}:{}", username.string(scope)?, password.string(scope)?);
                let pair = base64::engine::general_purpose::STANDARD.encode(pair);
                request = request.header(AUTHORIZATION, format!("Basic {pair}"));
            }
            (Some(Auth::Bearer(token)), _) => {
                request = request.header(AUTHORIZATION, format!("Bearer {}", token.string(scope)?));
            }
            (None, Some(authorization)) => request = request.header(AUTHORIZATION, authorization),
            (None, None) => {}
        }
        // The value of a header may be secret, so it is not in the message.
        let request = request.body(());
        let request =
            request.map_err(|_| settings("a header name or value contains a character that HTTP does not allow"))?;
        Ok((request.into_parts().0, body))
    }

    fn check(&self, names: &Names) -> Vec<TemplateError> {
        let single = [Some(&self.url), self.method.as_ref()];
        let single = single.into_iter().flatten().chain(self.auth.iter().flat_map(Auth::templates));
        let trees = self.headers.iter().chain(&self.params).map(|(_, tree)| tree);
        let found = single.flat_map(|template| template.check(names)).chain(trees.flat_map(|tree| tree.check(names)));
        found.chain(self.body.check(names)).collect()
    }
}

impl Task for Http {
    fn type_name(&self) -> &'static str {
        "http_request"
    }

    fn check(&self, names: &Names) -> Vec<TemplateError> {
        let save_to = self.save_to.iter().flat_map(|template| template.check(names));
        self.request.check(names).into_iter().chain(save_to).chain(self.sender.agents.check(names)).collect()
    }

    fn lane(self: Arc<Self>, context: StepContext, slot: usize) -> Box<dyn Lane> {
        Box::new(ItemLane::new(self, context, slot))
    }
}

impl ItemTask for Http {
    fn take_request_times(&self) -> RequestTimes {
        contact::take_times()
    }

    fn run(&self, item: &ItemRun<'_>) -> Outcome {
        let (scope, kill) = (item.scope, &item.context.cancel.kill);
        let (parts, payload) = self.request.render(scope)?;
        let _serving = Serving::begin(item.recall);
        if let Some(limit) = &self.rate_limit {
            let host = parts.uri.authority().map_or("", |authority| authority.as_str());
            item.clock.during(SlotState::RateLimited, || limit.wait(host, (kill, item.recall)))?;
        }
        let save_to = self.save_to.as_ref().map(|template| template.string(scope)).transpose()?;
        let save_to = save_to.as_deref();
        if let Some(path) = save_to {
            self.saved.claim(path.as_ref(), scope.index)?;
        }
        let timeout = item.timeout.unwrap_or(DEFAULT_TIMEOUT);
        item.clock.enter(SlotState::Task);
        let needs = Needs { context: item.context, scope, kill, timeout };
        let outcome = self.sender.send((parts, payload), &Sending { needs, save_to, started: Instant::now() });
        item.clock.enter(SlotState::Receive);
        if let (Err(_), Some(path)) = (&outcome, save_to) {
            self.saved.release(path.as_ref());
        }
        outcome
    }
}
