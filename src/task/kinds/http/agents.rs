//! The agents of a step: one for plain `http://`, and one for each set of files that TLS needs.
//!
//! All slots share them, so connections stay open between requests.

use super::connection;
use super::proxy::Proxies;
use super::tls::{self, TlsPaths};
use crate::model::Failure;
use crate::spec::TlsFiles;
use crate::task::cancel::Latch;
use crate::task::context::StepContext;
use crate::template::{ItemScope, Names, Template, TemplateError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::TlsConfig;

/// The agents of a step. Each is created with its first request, because its connections need the latch of the run.
#[derive(Debug)]
pub(super) struct Agents {
    ca_file: Option<Template>,
    client_cert: Option<Template>,
    client_key: Option<Template>,
    verify: bool,
    proxies: OnceLock<Result<Arc<Proxies>, Failure>>,
    plain: OnceLock<Agent>,
    secure: Mutex<HashMap<TlsPaths, Agent>>,
}

/// What the connections of a request need.
pub(super) struct Needs<'a> {
    pub(super) context: &'a StepContext,
    pub(super) scope: &'a Arc<ItemScope>,
    pub(super) kill: &'a Arc<Latch>,
    /// The timeout of a request. If it is another one, the request sets it.
    pub(super) timeout: Duration,
}

impl Needs<'_> {
    /// A variable of the environment, as child processes would see it.
    fn variable(&self, name: &str) -> Option<String> {
        let set = self.context.host.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        set.or_else(|| std::env::var(name).ok())
    }
}

impl Agents {
    pub(super) fn compile(files: &TlsFiles, errors: &mut Vec<TemplateError>) -> Self {
        let mut one = |text: &Option<crate::model::Text>| {
            let compiled = text.as_ref().map(Template::compile)?;
            compiled.map_err(|error| errors.push(error)).ok()
        };
        Self {
            ca_file: one(&files.ca_file),
            client_cert: one(&files.client_cert),
            client_key: one(&files.client_key),
            verify: files.verify,
            proxies: OnceLock::new(),
            plain: OnceLock::new(),
            secure: Mutex::default(),
        }
    }

    pub(super) fn check(&self, names: &Names) -> Vec<TemplateError> {
        let templates = [&self.ca_file, &self.client_cert, &self.client_key];
        templates.into_iter().flatten().flat_map(|template| template.check(names)).collect()
    }

    /// The agent for a URL.
    pub(super) fn agent(&self, uri: &Uri, needs: &Needs<'_>) -> Result<Agent, Failure> {
        let proxies = self.proxies.get_or_init(|| Proxies::of(|name| needs.variable(name)).map(Arc::new));
        let proxies = proxies.as_ref().map_err(Clone::clone)?;
        let limits = (needs.kill, needs.timeout);
        let is_secure = uri.scheme_str() == Some("https") || proxies.proxy(uri).is_some_and(|proxy| proxy.is_tls());
        if !is_secure {
            return Ok(self
                .plain
                .get_or_init(|| connection::agent(limits, proxies, TlsConfig::builder().build()))
                .clone());
        }
        let path = |template: &Option<Template>| template.as_ref().map(|it| it.string(needs.scope)).transpose();
        let paths = TlsPaths {
            ca_file: path(&self.ca_file)?,
            client_cert: path(&self.client_cert)?,
            client_key: path(&self.client_key)?,
        };
        let mut secure = self.secure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = secure.get(&paths) {
            return Ok(agent.clone());
        }
        let config = tls::config(&paths, self.verify, &|name| needs.variable(name))?;
        let agent = connection::agent(limits, proxies, config);
        secure.insert(paths, agent.clone());
        Ok(agent)
    }
}
