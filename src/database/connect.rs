//! A connection to a PostgreSQL server, and what the server says.

use super::error::{DatabaseError, with_position};
use postgres::config::{Host, SslMode};
use postgres::error::ErrorPosition;
use postgres::tls::{MakeTlsConnect, TlsConnect};
use postgres::{Client, Config, Error, NoTls, Socket};
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::load_certs_from_paths;
use std::error::Error as _;
use tokio_postgres_rustls::MakeRustlsConnect;

const TLS_HELP: &str =
    "set `SSL_CERT_FILE` to a file of trusted certificates, or connect without encryption: `sslmode=disable` in `url`";

/// Cancels the query that runs on a connection.
type Cancel = Box<dyn Fn() + Send + Sync>;

/// Connects, with encryption if the address or the server asks for it. `connected` gets what cancels a query, and says whether
/// the connection is still wanted; none if not.
///
/// # Errors
/// If the server cannot be reached, or refuses.
pub fn connect(config: &Config, connected: impl FnOnce(Cancel) -> bool) -> Result<Option<Client>, Error> {
    let remote = config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)));
    if remote && config.get_ssl_mode() != SslMode::Disable {
        // A machine without certificates connects without encryption if the address allows it.
        if let Some(tls) = tls() {
            return connect_with(config, connected, tls);
        }
    }
    connect_with(config, connected, NoTls)
}

/// Encryption with the authorities of the system, or those that the environment names.
fn tls() -> Option<MakeRustlsConnect> {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if is_set("SSL_CERT_FILE") || is_set("SSL_CERT_DIR") {
        return MakeRustlsConnect::with_native_certs().ok().map(|(tls, _)| tls);
    }
    // The library takes a variable that is empty for the name of a file.
    let system = openssl_probe::probe();
    let files = load_certs_from_paths(system.cert_file.as_deref(), None).certs;
    let folders = system.cert_dir.iter().flat_map(|folder| load_certs_from_paths(None, Some(folder)).certs);
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(files.into_iter().chain(folders));
    let config = || ClientConfig::builder().with_root_certificates(roots.clone()).with_no_client_auth();
    (!roots.is_empty()).then(|| MakeRustlsConnect::new(config()))
}

fn connect_with<T>(config: &Config, connected: impl FnOnce(Cancel) -> bool, tls: T) -> Result<Option<Client>, Error>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::TlsConnect: Send,
    T::Stream: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let client = config.connect(tls.clone())?;
    let cancel = client.cancel_token();
    // A server that cannot cancel the query notices that the connection is closed.
    let wanted = connected(Box::new(move || drop(cancel.cancel_query(tls.clone()))));
    Ok(wanted.then_some(client))
}

/// The server's message, with the position in `sql` that it is about if it names one.
pub fn describe(error: &Error, sql: &str) -> DatabaseError {
    let Some(answer) = error.as_db_error() else {
        let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
        let is_tls = cause.contains("certificate") || cause.contains("TLS");
        let text = DatabaseError::from(format!("{error}{cause}"));
        return if is_tls { text.with_help(TLS_HELP) } else { text };
    };
    let more = |text: Option<&str>| text.map_or(String::new(), |text| format!("; {text}"));
    let message = format!("{}{}{}", answer.message(), more(answer.detail()), more(answer.hint()));
    match answer.position() {
        Some(ErrorPosition::Original(position)) if !sql.is_empty() => {
            let before: String = sql.chars().take((*position as usize).saturating_sub(1)).collect();
            with_position(&message, &before).into()
        }
        _ => message.into(),
    }
}
