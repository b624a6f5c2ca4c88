//! `cookies`: one jar for the requests of a step.
//!
//! Items run side by side, so a request has the cookies of the responses that came before it was sent, whichever items they
//! were for.

use cookie_store::{CookieStore, RawCookie};
use std::sync::{Mutex, PoisonError};
use ureq::http::header::{COOKIE, SET_COOKIE};
use ureq::http::{HeaderMap, HeaderValue, Uri};
use url::Url;

/// The most cookies of a jar (RFC 6265, 6.1).
const MOST: usize = 3000;

/// The most cookies of a request, as in browsers.
const MOST_OF_URL: usize = 180;

/// The most bytes of a cookie with its attributes (RFC 6265, 6.1).
const MOST_BYTES: usize = 4096;

/// A cookie jar.
#[derive(Debug, Default)]
pub(super) struct Jar(Mutex<CookieStore>);

impl Jar {
    /// Adds the cookies for a URL to those that the user has given.
    pub(super) fn add(&self, uri: &Uri, headers: &mut HeaderMap) {
        let Ok(url) = Url::parse(&uri.to_string()) else { return };
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cookies = store.get_request_values(&url).map(|(name, value)| format!("{name}={value}"));
        let given = headers.get(COOKIE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let all: Vec<String> = given.into_iter().chain(cookies).collect();
        if let (false, Ok(value)) = (all.is_empty(), HeaderValue::from_str(&all.join("; "))) {
            headers.insert(COOKIE, value);
        }
    }

    /// Keeps the cookies that a response sets, as far as there is room.
    pub(super) fn keep(&self, uri: &Uri, headers: &HeaderMap) {
        let mut set = headers.get_all(SET_COOKIE).iter().peekable();
        let (Some(_), Ok(url)) = (set.peek(), Url::parse(&uri.to_string())) else { return };
        let mut store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for text in set.filter_map(|value| value.to_str().ok()).filter(|text| text.len() <= MOST_BYTES) {
            let has_room = store.iter_any().count() < MOST && store.get_request_values(&url).count() < MOST_OF_URL;
            if let (true, Ok(cookie)) = (has_room, RawCookie::parse(text)) {
                // Some are for other servers, and are not taken.
                drop(store.insert_raw(&cookie, &url));
            }
        }
    }
}
