//! `http_request`: what the keys of a request say.

use super::field::Field;
use crate::model::{Text, Tree};
use std::ops::RangeInclusive;

/// `http_request`
#[derive(Debug, Clone)]
pub struct HttpTask {
    /// `url`
    pub url: Text,
    /// `method`, in upper case. Default: `POST` with a body, else `GET`.
    pub method: Option<Text>,
    /// `headers`
    pub headers: Vec<(String, Tree)>,
    /// `params`: the query. A list repeats the name.
    pub params: Vec<(String, Tree)>,
    /// `json`, `body`, `form` and `files`
    pub body: RequestBody,
    /// `auth`
    pub auth: Option<Auth>,
    /// `rate_limit`: requests per second and host, for all slots together.
    pub rate_limit: Option<f64>,
    /// What becomes of the response.
    pub response: ResponseUse,
    /// How servers are identified, and how this client is.
    pub tls: TlsFiles,
    /// `cookies`: whether the requests of the step share a cookie jar.
    pub cookies: bool,
    /// `forward_body`: whether a redirect may send the body to another server.
    pub forward_body: bool,
}

/// What a request sends.
#[derive(Debug, Clone)]
pub enum RequestBody {
    /// Nothing.
    None,
    /// `json`: any value.
    Json(Tree),
    /// `body`: text.
    Text(Text),
    /// `form` without `files`: names and values, in the form of a query.
    Form(Vec<(String, Tree)>),
    /// `files`, and `form` for the fields that are not files.
    Multipart {
        /// `form`
        fields: Vec<(String, Tree)>,
        /// `files`: paths, or lists of them.
        files: Vec<(String, Tree)>,
    },
}

/// What becomes of a response.
#[derive(Debug, Clone, Default)]
pub struct ResponseUse {
    /// `save_to`: a file for the body.
    pub save_to: Option<Text>,
    /// `ok_statuses`: the statuses of a success. Empty: all below 400.
    pub ok_statuses: Vec<RangeInclusive<u16>>,
    /// `fields`: the names of the result, and what they stand for. Empty: the whole response.
    pub fields: Vec<(String, Field)>,
}

/// `ca_file`, `verify`, `client_cert` and `client_key`
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// `ca_file`: certificates to trust, in place of those of the system.
    pub ca_file: Option<Text>,
    /// `verify`: whether the certificates of servers are checked.
    pub verify: bool,
    /// `client_cert`: the certificate of this client.
    pub client_cert: Option<Text>,
    /// `client_key`: its key. Default: in the file of the certificate.
    pub client_key: Option<Text>,
}

impl Default for TlsFiles {
    fn default() -> Self {
        Self { ca_file: None, verify: true, client_cert: None, client_key: None }
    }
}

/// `auth` of an HTTP request.
#[derive(Debug, Clone)]
pub enum Auth {
    /// `{username:, password:}`
    Basic {
        /// `username`
        username: Text,
        /// `password`
        password: Text,
    },
    /// `{bearer:}`
    Bearer(Text),
}
