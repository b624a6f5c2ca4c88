//! What a `url` says: which kind of database, and where it is.

use postgres::Config;
use postgres::config::Host;
use std::path::PathBuf;
use std::time::Duration;

/// A database.
pub(super) enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgresql(Box<Config>),
}

/// A server that does not take a connection in this time will not, unless the address says otherwise.
const CONNECT: Duration = Duration::from_secs(30);

impl Database {
    /// Reads an address. The error has nothing of it in it that could be a password.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        const FORMS: &str = "write `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`";
        if let Some(path) = url.strip_prefix("sqlite:///").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if !url.starts_with("postgresql://") && !url.starts_with("postgres://") {
            return Err(format!("`url` is no address of a database that is known here; {FORMS}"));
        }
        let mut config: Config = url.parse().map_err(|_| {
            format!("`url` cannot be read; {FORMS}, and letters such as `@`, `/` or `%` in a password as `%40`, `%2F` or `%25`")
        })?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_application_name().is_none() {
            config.application_name("batchmill");
        }
        Ok(Self::Postgresql(Box::new(config)))
    }

    /// What messages call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("`{}`", path.display()),
            Self::Postgresql(config) => {
                let name = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
                let host = match config.get_hosts().first() {
                    Some(Host::Tcp(host)) => host.clone(),
                    Some(Host::Unix(path)) => path.display().to_string(),
                    None => return format!("`{name}`"),
                };
                format!("`{name}` at `{host}`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_their_names_have_no_password() {
        let name = |url| Database::parse(url).map(|database| database.name());
        assert_eq!(name("sqlite:///data/a.db").unwrap(), "`data/a.db`");
        assert_eq!(name("sqlite:////var/a.db").unwrap(), "`/var/a.db`");
        assert_eq!(name("postgres://ada:s3cret@db.example.com:5433/shop").unwrap(), "`shop` at `db.example.com`");
        assert_eq!(name("postgresql://ada@/shop?host=/run/pg&password=s3cret").unwrap(), "`shop` at `/run/pg`");
        for wrong in [
            "sqlite:///",
            "mysql://ada:s3cret@h/d",
            "postgres://ada:s3c?s3cret=@h",
            "s3cret",
            "postgres://a:s3cret@h:x/d",
        ] {
            assert!(!name(wrong).unwrap_err().contains("s3c"), "{wrong}");
        }
    }
}
