//! Who may ask: the token, and what browsers tell of the page that sent a request.

use super::address::Address;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::uri::Authority;
use std::io;
use subtle::ConstantTimeEq;

/// What a browser says of the site of the page that sent a request.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Random bytes of a token.
const SIZE: usize = 24;

/// The secret that opens the pages.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; SIZE];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// One that another process has made.
    pub fn known(text: String) -> Option<Self> {
        (text.len() == SIZE / 3 * 4).then_some(Self(text))
    }

    /// Its text.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Takes the same time for all texts of its length.
    fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It came by a name that is not ours.
    Host,
    /// It has no token, or a wrong one.
    Token,
    /// A page of someone else sent it.
    Origin,
    /// It is not JSON.
    Content,
}

/// How a request has shown the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// In the address.
    Query,
    /// In a cookie, which a browser sends by itself.
    Cookie,
    /// In a header that only a program sends.
    Header,
}

/// Checks requests to an address.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) address: Address,
    pub(super) token: Token,
}

impl Access {
    /// The name of the cookie. Cookies of a machine are shared by its ports.
    pub(super) fn cookie(&self) -> String {
        format!("batchmill-{}", self.address.port())
    }

    /// Looks for the token.
    pub(super) fn proof(&self, headers: &HeaderMap, query: Option<&str>) -> Result<Proof, Refusal> {
        let name = self.cookie();
        let of_query = query.into_iter().flat_map(|query| query.split('&')).filter_map(|pair| pair.split_once('='));
        let of_query = of_query.filter(|(name, _)| *name == "token").map(|(_, value)| (Proof::Query, value));
        let texts = |header: HeaderName| headers.get_all(header).into_iter().filter_map(|value| value.to_str().ok());
        let of_header = texts(AUTHORIZATION).filter_map(|text| Some((Proof::Header, text.strip_prefix("Bearer ")?)));
        let of_cookie = texts(COOKIE).flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let of_cookie = of_cookie.filter(|(given, _)| *given == name).map(|(_, value)| (Proof::Cookie, value));
        let mut all = of_query.chain(of_header).chain(of_cookie);
        all.find(|(_, value)| self.token.is(value)).map(|(proof, _)| proof).ok_or(Refusal::Token)
    }

    /// Checks that a request which changes something comes from a page of ours, or from a program.
    pub(super) fn may_change(&self, headers: &HeaderMap, proof: Proof) -> Result<(), Refusal> {
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        match text(ORIGIN) {
            Some(origin) => {
                let own = text(HOST).map(|host| format!("http://{host}"));
                if own.as_deref() != Some(origin) {
                    return Err(Refusal::Origin);
                }
            }
            // Browsers say where a POST comes from.
            None if proof != Proof::Header => return Err(Refusal::Origin),
            None => {}
        }
        if text(FETCH_SITE).is_some_and(|site| site != "same-origin") {
            return Err(Refusal::Origin);
        }
        // Forms of other pages cannot send it.
        let json = text(CONTENT_TYPE).is_some_and(|kind| kind.split(';').next() == Some("application/json"));
        if json { Ok(()) } else { Err(Refusal::Content) }
    }
}

/// Checks that a request calls this address by a name of its own.
pub(super) fn check_host(address: Address, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(HOST).into_iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Refusal::Host) };
    let authority = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    // The port may be that of a tunnel.
    let is_own = authority.is_some_and(|it| !it.as_str().contains('@') && address.is_called(it.host()));
    if is_own { Ok(()) } else { Err(Refusal::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let pair = |(name, value): &(HeaderName, &str)| (name.clone(), HeaderValue::from_str(value).unwrap());
        pairs.iter().map(pair).collect()
    }

    fn access() -> Access {
        Access { address: "127.0.0.1:8700".parse().unwrap(), token: Token("s3cret".to_owned()) }
    }

    #[test]
    fn a_token_is_found_where_it_may_be_and_nowhere_else() {
        let proof = |pairs: &[_], query| access().proof(&headers(pairs), query);
        assert_eq!(proof(&[], Some("a=b&token=s3cret")), Ok(Proof::Query));
        assert_eq!(proof(&[(AUTHORIZATION, "Bearer s3cret")], None), Ok(Proof::Header));
        assert_eq!(proof(&[(COOKIE, "x=y; batchmill-8700=s3cret")], None), Ok(Proof::Cookie));
        assert_eq!(
            proof(&[(COOKIE, "batchmill-8701=s3cret; s3cret")], Some("token=s3cre&Token=s3cret")),
            Err(Refusal::Token)
        );
        assert_eq!(proof(&[(AUTHORIZATION, "s3cret")], Some("token=")), Err(Refusal::Token));
        assert_ne!(Token::random().unwrap().reveal(), Token::random().unwrap().reveal());
    }

    #[test]
    fn a_foreign_page_changes_nothing() {
        let json = (CONTENT_TYPE, "application/json");
        let host = (HOST, "localhost:9000");
        let change = |pairs: &[_], proof| access().may_change(&headers(pairs), proof);
        let own = [json.clone(), host.clone(), (ORIGIN, "http://localhost:9000"), (FETCH_SITE, "same-origin")];
        assert_eq!(change(&own, Proof::Cookie), Ok(()));
        assert_eq!(change(&[json.clone(), host.clone()], Proof::Header), Ok(()));
        assert_eq!(change(&[json.clone(), host.clone()], Proof::Cookie), Err(Refusal::Origin));
        for origin in ["http://localhost:9001", "null", "https://localhost:9000", "http://evil.example", ""] {
            let pairs = [json.clone(), host.clone(), (ORIGIN, origin)];
            assert_eq!(change(&pairs, Proof::Cookie), Err(Refusal::Origin), "{origin}");
            assert_eq!(change(&pairs, Proof::Header), Err(Refusal::Origin), "{origin}");
        }
        for site in ["cross-site", "same-site", "none"] {
            let pairs = [json.clone(), host.clone(), (ORIGIN, "http://localhost:9000"), (FETCH_SITE, site)];
            assert_eq!(change(&pairs, Proof::Cookie), Err(Refusal::Origin), "{site}");
        }
        assert_eq!(change(&[host, (CONTENT_TYPE, "text/plain")], Proof::Header), Err(Refusal::Content));
    }

    #[test]
    fn a_foreign_name_is_no_name() {
        let check = |pairs: &[_]| check_host(access().address, &headers(pairs));
        assert_eq!(check(&[(HOST, "127.0.0.1:8700")]), Ok(()));
        assert_eq!(check(&[(HOST, "localhost")]), Ok(()));
        for host in
            ["evil.example:8700", "127.0.0.1@evil.example", "evil.example@127.0.0.1", "", "::", "127.0.0.1:8700:1"]
        {
            assert_eq!(check(&[(HOST, host)]), Err(Refusal::Host), "{host}");
        }
        assert_eq!(check(&[]), Err(Refusal::Host));
        assert_eq!(check(&[(HOST, "localhost"), (HOST, "localhost")]), Err(Refusal::Host));
    }
}
