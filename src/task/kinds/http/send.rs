//! Sends a request: wherever redirects lead to, and again if a connection turns out to be closed.

use super::agents::Agents;
use super::contact;
use super::cookies::Jar;
use super::payload::{Multipart, Payload};
use super::redirect::{self, Refusal};
use super::response::{Sending, SentRequest, Target, Wanted};
use crate::model::{Failure, FailureKind, Outcome};
use ureq::http::header::CONTENT_TYPE;
use ureq::http::request::Parts;
use ureq::http::{HeaderValue, Method, Request, Response};
use ureq::{Agent, AsSendBody, Body, Error};

/// What sends the requests of a step.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) agents: Agents,
    /// `cookies`
    pub(super) jar: Option<Jar>,
    /// Whether a redirect may send the body to another server.
    pub(super) forward_body: bool,
    pub(super) wanted: Wanted,
}

/// Whether a request is the first for its item, and has all of the timeout.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    Later,
}

impl Sender {
    /// Sends a request, wherever redirects lead to.
    pub(super) fn send(&self, (mut parts, mut payload): (Parts, Payload), sending: &Sending<'_>) -> Outcome {
        let mut turn = Turn::First;
        for _ in 0..=redirect::MOST {
            let response = self.exchange(&parts, &payload, (sending, turn))?;
            let target = Target { method: parts.method.clone(), uri: parts.uri.clone() };
            let sent = SentRequest { target, sending, wanted: &self.wanted };
            if let (Some(jar), Ok(response)) = (&self.jar, &response) {
                jar.keep(&parts.uri, response.headers());
            }
            let leads_on = |status: u16| redirect::is_redirect(status) && !self.wanted.lists(status);
            let response = match response {
                Ok(response) if leads_on(response.status().as_u16()) => response,
                other => return sent.outcome(other),
            };
            let status = response.status();
            let next = redirect::next(&parts, status, response.headers());
            let followed = next.and_then(|next| {
                if next.sends_body && payload.is_some() && next.is_elsewhere && !self.forward_body {
                    return Err(Refusal::BodyElsewhere(next.uri));
                }
                if !next.sends_body {
                    payload.clear();
                }
                next.apply(&mut parts);
                Ok(())
            });
            followed.map_err(|why| {
                let message = format!("{} returned {status} {why}", sent.target);
                let failure = Failure::new(FailureKind::HttpStatus, "HttpStatus", message);
                failure.with_code(Some(i32::from(status.as_u16()))).permanent()
            })?;
            turn = Turn::Later;
        }
        let target = Target { method: parts.method, uri: parts.uri };
        let message = format!("{target} failed: more than {} redirects", redirect::MOST);
        Err(Failure::new(FailureKind::Connection, "ConnectionError", message).permanent())
    }

    /// Sends one request and waits for the head of its response. A connection that was kept open, and that the server has closed
    /// meanwhile, is replaced by another one: sooner or later, that is a fresh one.
    fn exchange(
        &self,
        parts: &Parts,
        payload: &Payload,
        (sending, mut turn): (&Sending<'_>, Turn),
    ) -> Result<Result<Response<Body>, Error>, Failure> {
        let agent = self.agents.agent(&parts.uri, &sending.needs)?;
        loop {
            let mut parts = parts.clone();
            if let Some(jar) = &self.jar {
                jar.add(&parts.uri.clone(), &mut parts.headers);
            }
            contact::begin();
            let method = parts.method.clone();
            let response = match payload {
                // `Content-Length: 0` says that a body could have been: not with these methods (RFC 9110, 8.6).
                Payload::Bytes(bytes) if bytes.is_empty() && matches!(method, Method::GET | Method::HEAD) => {
                    run(&agent, Request::from_parts(parts, ()), (sending, turn))
                }
                Payload::Bytes(bytes) => run(&agent, Request::from_parts(parts, bytes.as_slice()), (sending, turn)),
                Payload::Multipart(multipart) => upload(&agent, multipart, parts, (sending, turn))?,
            };
            match &response {
                Err(error) if contact::may_repeat(&method, error) && sending.may_go_on() => {
                    turn = Turn::Later;
                }
                _ => return Ok(response),
            }
        }
    }
}

/// Sends a form with files, which are opened for this.
fn upload(
    agent: &Agent,
    multipart: &Multipart,
    mut parts: Parts,
    how: (&Sending<'_>, Turn),
) -> Result<Result<Response<Body>, Error>, Failure> {
    let form = multipart.form()?;
    let content_type = format!("multipart/form-data; boundary={}", form.boundary());
    let content_type = HeaderValue::try_from(content_type).expect("a boundary has letters, digits and `-`");
    parts.headers.entry(CONTENT_TYPE).or_insert(content_type);
    Ok(run(agent, Request::from_parts(parts, form), how))
}

fn run(
    agent: &Agent,
    request: Request<impl AsSendBody>,
    (sending, turn): (&Sending<'_>, Turn),
) -> Result<Response<Body>, Error> {
    let timeout = sending.needs.timeout;
    if turn == Turn::First && agent.config().timeouts().global == Some(timeout) {
        return agent.run(request);
    }
    // Another timeout, or less of it is left. This path is slower: configuring a single request costs more than sending it.
    let left = if turn == Turn::First { timeout } else { sending.left() };
    agent.run(agent.configure_request(request).timeout_global(Some(left)).build())
}
