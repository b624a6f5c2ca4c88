//! TLS: which authorities are trusted, and the certificate of this client.
//!
//! Nothing is read before the first request that needs it: the authorities of a system are a quarter of a megabyte.

use crate::model::{Failure, FailureKind};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};
use std::path::Path;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// The files of an item's request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct TlsPaths {
    pub(super) ca_file: Option<String>,
    pub(super) client_cert: Option<String>,
    pub(super) client_key: Option<String>,
}

/// The settings of TLS that these files ask for. `variable` looks up a variable of the environment.
pub(super) fn config(
    paths: &TlsPaths,
    verify: bool,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<TlsConfig, Failure> {
    let builder = TlsConfig::builder().disable_verification(!verify);
    let builder = match &paths.client_cert {
        None => builder,
        Some(cert) => builder.client_cert(Some(client_cert(cert, paths.client_key.as_deref().unwrap_or(cert))?)),
    };
    let roots = match &paths.ca_file {
        _ if !verify => RootCerts::WebPki,
        Some(path) => RootCerts::new_with_certs(&certificates("ca_file", path)?),
        None => system_roots(variable)?,
    };
    Ok(builder.root_certs(roots).build())
}

/// The authorities that the system trusts, or those in `SSL_CERT_FILE` and `SSL_CERT_DIR`. A system without any, such as a
/// small container, gets those of Mozilla.
fn system_roots(variable: &dyn Fn(&str) -> Option<String>) -> Result<RootCerts, Failure> {
    let file = variable("SSL_CERT_FILE").filter(|file| !file.is_empty());
    let dirs = variable("SSL_CERT_DIR").filter(|dirs| !dirs.is_empty());
    let mut found = CertificateResult::default();
    if let Some(file) = &file {
        found = load_certs_from_paths(Some(Path::new(file)), None);
    }
    for dir in dirs.iter().flat_map(|dirs| std::env::split_paths(dirs)) {
        let more = load_certs_from_paths(None, Some(&dir));
        found.certs.extend(more.certs);
        found.errors.extend(more.errors);
    }
    let is_set = file.is_some() || dirs.is_some();
    if !is_set {
        found = system_certificates();
    }
    if found.certs.is_empty() && is_set {
        let why = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
        let place = file.map_or("SSL_CERT_DIR", |_| "SSL_CERT_FILE");
        return Err(failure(format!("cannot read certificates from `{place}`: {why}")));
    }
    if found.certs.is_empty() {
        return Ok(RootCerts::WebPki);
    }
    let certs = found.certs.iter().map(|cert| Certificate::from_der(cert).to_owned());
    Ok(RootCerts::from(certs))
}

/// The certificates of the system. The library takes a variable that is empty for the name of a file.
fn system_certificates() -> CertificateResult {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if is_set("SSL_CERT_FILE") || is_set("SSL_CERT_DIR") {
        return load_native_certs();
    }
    let system = openssl_probe::probe();
    let mut found = load_certs_from_paths(system.cert_file.as_deref(), None);
    for dir in system.cert_dir {
        found.certs.extend(load_certs_from_paths(None, Some(&dir)).certs);
    }
    found.certs.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
    found.certs.dedup();
    found
}

/// The certificates in a file.
fn certificates(key: &str, path: &str) -> Result<Vec<Certificate<'static>>, Failure> {
    let items = parse_pem(&read(key, path)?).collect::<Result<Vec<_>, _>>();
    let items = items.map_err(|error| failure(format!("`{key}`: `{path}` is not valid PEM: {error}")))?;
    let certs = items.into_iter().filter_map(|item| match item {
        PemItem::Certificate(cert) => Some(cert),
        _ => None,
    });
    let certs: Vec<_> = certs.collect();
    if certs.is_empty() {
        let help = "it must be PEM, with a line `-----BEGIN CERTIFICATE-----`";
        return Err(failure(format!("`{key}`: `{path}` has no certificate; {help}")));
    }
    Ok(certs)
}

/// The certificate of this client and its key, if they belong together.
fn client_cert(cert: &str, key: &str) -> Result<ClientCert, Failure> {
    let chain = certificates("client_cert", cert)?;
    let place = if key == cert { "client_cert" } else { "client_key" };
    let pem = read(place, key)?;
    let (Ok(private), Ok(der)) = (PrivateKey::from_pem(&pem), PrivateKeyDer::from_pem_slice(&pem)) else {
        let help = if key == cert { "name its file in `client_key`" } else { "an encrypted key cannot be used" };
        return Err(failure(format!("`{place}`: `{key}` has no private key in PEM; {help}")));
    };
    let ders = chain.iter().map(|cert| cert.der().to_vec().into()).collect();
    CertifiedKey::from_der(ders, der, &default_provider()).map_err(|error| {
        failure(format!("`{place}`: the key in `{key}` does not fit the certificate in `{cert}`: {error}"))
    })?;
    Ok(ClientCert::new_with_certs(&chain, private))
}

fn read(key: &str, path: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| failure(format!("`{key}`: cannot read `{path}`: {error}")))
}

fn failure(message: String) -> Failure {
    Failure::new(FailureKind::Start, "TlsError", message).permanent()
}
