//! The pages: who may see them, and which request is for what.

use super::access::{Access, Proof, check_host};
use super::feed::{Feeds, Subscription};
use super::pages::{run_page, trouble_page};
use super::reply::{Reply, html, welcome, whole, wrong_method};
use super::route::Route;
use super::runs::RunList;
use super::steer::steer;
use super::stream::stream;
use super::until::Visits;
use crate::ledger::{RunFolder, StateFolder};
use crate::model::RunId;
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use std::sync::Arc;

/// The pages about the runs of a state folder.
pub(super) struct Site {
    state: StateFolder,
    access: Access,
    feeds: Feeds,
    list: RunList,
    home: Option<RunId>,
}

impl Site {
    pub(super) fn new(state: StateFolder, access: Access, home: Option<RunId>) -> Self {
        let list = RunList::new(state.clone());
        Self { state, access, feeds: Feeds::default(), list, home }
    }

    /// Answers a request. Whoever has no token learns nothing.
    pub(super) async fn answer(&self, request: Request<Incoming>, visits: &Arc<Visits>) -> Reply {
        let headers = request.headers();
        let checked = check_host(self.access.address, headers);
        let proof = match checked.and_then(|()| self.access.proof(headers, request.uri().query())) {
            Ok(proof) => proof,
            Err(refusal) => return refusal.reply(),
        };
        visits.note();
        let Some(route) = Route::of(request.uri().path(), self.home.as_ref()) else {
            return not_found("page not found");
        };
        let allowed = if matches!(route, Route::Command(_)) { "POST" } else { "GET" };
        let method = if *request.method() == Method::HEAD { &Method::GET } else { request.method() };
        if method.as_str() != allowed {
            return wrong_method(allowed);
        }
        if proof == Proof::Query && allowed == "GET" {
            // The address with the token must stay in no history, and on no screen.
            let cookie = format!("{}={}", self.access.cookie(), self.access.token.reveal());
            return welcome(&route.path(), &cookie);
        }
        self.route(route, request, (proof, visits)).await
    }

    async fn route(&self, route: Route, request: Request<Incoming>, (proof, visits): (Proof, &Arc<Visits>)) -> Reply {
        match route {
            Route::Runs => self.list.reply().await,
            Route::Asset(asset) => whole(StatusCode::OK, asset.kind, asset.text),
            Route::Run(run) => match self.look(run) {
                Some(mut subscription) => run_page(&subscription.first().await),
                None => no_such_run(),
            },
            Route::Events(run) => match self.look(run) {
                Some(subscription) => stream(subscription, Arc::clone(visits)),
                None => no_such_run(),
            },
            Route::Command(run) => {
                if let Err(refusal) = self.access.may_change(request.headers(), proof) {
                    return refusal.reply();
                }
                let Some(folder) = self.folder(run) else { return no_such_run() };
                let reply = steer(folder.clone(), request.into_body()).await;
                self.feeds.hurry(&folder);
                reply
            }
        }
    }

    /// Joins those who look at a run, if there is one of this name.
    fn look(&self, run: RunId) -> Option<Subscription> {
        self.folder(run).map(|folder| self.feeds.join(folder))
    }

    fn folder(&self, run: RunId) -> Option<RunFolder> {
        let folder = self.state.run(run);
        folder.database().exists().then_some(folder)
    }
}

fn no_such_run() -> Reply {
    not_found("run not found")
}

fn not_found(what: &str) -> Reply {
    html(StatusCode::NOT_FOUND, trouble_page(what))
}
