//! Where a request goes: its URL with the query, in the characters that HTTP allows, and the credentials in it.

use super::message::{settings, without_secrets};
use crate::model::Failure;
use base64::Engine as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use ureq::http::{HeaderValue, Uri};

/// What is not escaped in a query: letters, digits and `-_.~` (RFC 3986, unreserved).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The URL of a request with these query parameters, and the `Authorization` that user and password in it ask for.
pub(super) fn address(url: &str, query: &[(String, String)]) -> Result<(Uri, Option<HeaderValue>), Failure> {
    // A fragment is never sent; what is behind it would be part of it.
    let mut url = url.split('#').next().unwrap_or_default().trim().to_owned();
    if !url.is_ascii() {
        url = encoded(&url);
    }
    if !query.is_empty() {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&pairs(query));
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
        Some("http" | "https") => Ok(without_credentials(uri)),
        _ => {
            let message = "is not a URL: it must start with `http://` or `https://`";
            Err(settings(format!("`{}` {message}", without_secrets(&url))))
        }
    }
}

/// Names and values as a query writes them.
pub(super) fn pairs(query: &[(String, String)]) -> String {
    let pair = |(name, value): &(String, String)| {
        format!("{}={}", utf8_percent_encode(name, QUERY), utf8_percent_encode(value, QUERY))
    };
    query.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// A name with each of its values as text: a list repeats the name, and null leaves it out.
pub(super) fn values_of(name: &str, value: Value) -> Vec<(String, String)> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let values = match value {
        Value::Array(values) => values,
        single => vec![single],
    };
    values.into_iter().filter(|value| !value.is_null()).map(|value| (name.to_owned(), text(value))).collect()
}

/// A URL without user and password, and the `Authorization` that they ask for. Each is percent-decoded.
pub(super) fn without_credentials(uri: Uri) -> (Uri, Option<HeaderValue>) {
    let split = uri.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
    let Some((user, host)) = split.map(|(user, host)| (user.to_owned(), host.to_owned())) else {
        return (uri, None);
    };
    let mut parts = uri.clone().into_parts();
    parts.authority = host.parse().ok();
    let Ok(bare) = Uri::from_parts(parts) else { return (uri, None) };
    (bare, HeaderValue::from_str(&basic(&user)).ok())
}

/// The `Authorization` of `user:password`, both percent-encoded.
pub(super) fn basic(user: &str) -> String {
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let decoded = |text| percent_decode_str(text).collect::<Vec<u8>>();
    let pair = [decoded(user), b":".to_vec(), decoded(password)].concat();
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// A URL in ASCII: the host by IDNA, all else percent-encoded. Characters of ASCII stay as they are.
fn encoded(url: &str) -> String {
    let escaped = |text: &str| utf8_percent_encode(text, &AsciiSet::EMPTY).to_string();
    let Some((scheme, rest)) = url.split_once("://") else { return escaped(url) };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
    let (name, port) = host.rsplit_once(':').map_or((host, ""), |(name, _)| (name, &host[name.len()..]));
    let name = match url::Host::parse(name) {
        Ok(url::Host::Domain(ascii)) if !name.is_ascii() => ascii,
        _ => name.to_owned(),
    };
    let at = if authority.contains('@') { "@" } else { "" };
    format!("{scheme}://{}{at}{name}{port}{}", escaped(user), escaped(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn characters_outside_of_ascii_are_encoded_where_they_are() {
        for (url, expected) in [
            ("http://h/ü?q=ä#ö", "http://h/%C3%BC?q=%C3%A4"),
            ("http://bücher.example:81/a%20b", "http://bücher.example:81/a%20b"),
            ("http://h/%C3%BC?a=%20", "http://h/%C3%BC?a=%20"),
        ] {
            let (uri, _) = address(url, &[]).unwrap();
            assert_eq!(uri.to_string(), expected.replace("bücher", "xn--bcher-kva"), "{url}");
        }
    }

    #[test]
    fn user_and_password_are_decoded_and_taken_out() {
        for (url, expected) in
            [("http://user:p%40w@h/x", "user:p@w"), ("http://us%3Aer@h/x", "us:er:"), ("http://ü:%C3%BC@h/x", "ü:ü")]
        {
            let (uri, authorization) = address(url, &[]).unwrap();
            assert_eq!(uri.to_string(), "http://h/x");
            let expected = base64::engine::general_purpose::STANDARD.encode(expected);
            assert_eq!(authorization.unwrap(), format!("Basic {expected}"));
        }
        assert!(address("http://h/a@b", &[]).unwrap().1.is_none());
    }

    #[test]
    fn a_query_comes_before_the_fragment() {
        let query = [values_of("q", json!([1, null, "a b"])), values_of("none", json!(null))].concat();
        assert_eq!(address("http://h/x?y=1#f", &query).unwrap().0.to_string(), "http://h/x?y=1&q=1&q=a%20b");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_address_or_an_error_without_its_password(text in ".*", host in "[a-zü:.\\[\\]]{0,8}") {
            drop(address(&text, &[]));
            drop(address(&format!("http://{text}"), &[]));
            if let Err(failure) = address(&format!("http://me:PassWord@{host}:99999999"), &[]) {
                assert!(!failure.message.contains("PassWord"), "{}", failure.message);
            }
        }
    }
}
