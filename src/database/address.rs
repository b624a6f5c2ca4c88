//! The address of a database: `url` of a source, `sql` of an output.

use super::error::DatabaseError;
use postgres::Config;
use postgres::config::Host;
use std::path::PathBuf;
use std::time::Duration;

/// A database.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgresql(Box<Config>),
}

/// How long to wait for a connection, unless the address says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

impl Database {
    /// Parses an address. The error contains no part of it that could be a password.
    ///
    /// # Errors
    /// If it is not the address of a supported database. `key` is what the workflow calls it.
    pub fn parse(key: &str, url: &str) -> Result<Self, DatabaseError> {
        const FORMS: &str = "write `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`";
        if let Some(path) = url.strip_prefix("sqlite:///").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if !url.starts_with("postgresql://") && !url.starts_with("postgres://") {
            return Err(
                DatabaseError::from(format!("`{key}` is not the address of a supported database")).with_help(FORMS)
            );
        }
        let unreadable = || {
            let encode = "encode special characters of the password: `@` as `%40`, `/` as `%2F`, `%` as `%25`";
            DatabaseError::from(format!("`{key}` is not a valid database address"))
                .with_help(format!("{FORMS}, and {encode}"))
        };
        // At most one `@`, and that before the host: otherwise a character of the password was taken for a separator, and
        // the rest of the password would be shown as the name of a host or a database.
        let (_, rest) = url.split_once("://").unwrap_or_default();
        let (before, after) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if before.matches('@').count() > 1 || after.contains('@') {
            return Err(unreadable());
        }
        let mut config: Config = url.parse().map_err(|_| unreadable())?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("batchmill");
        }
        Ok(Self::Postgresql(Box::new(config)))
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
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
        let name = |url| Database::parse("url", url).map(|database| database.name());
        assert_eq!(name("sqlite:///data/a.db").unwrap(), "`data/a.db`");
        assert_eq!(name("sqlite:////var/a.db").unwrap(), "`/var/a.db`");
        assert_eq!(name("postgres://ada:s3cret@db.example.com:5433/shop").unwrap(), "`shop` at `db.example.com`");
        assert_eq!(name("postgresql://ada@/shop?host=/run/pg&password=s3cret").unwrap(), "`shop` at `/run/pg`");
        for wrong in [
            "sqlite:///",
            "mysql://ada:s3cret@h/d",
            "postgres://ada:s3c?s3cret=@h",
            "postgres://ada:1234/s3cret@h/d",
            "postgres://ada:s3c/s3cret@h/d",
            "postgres://ada:12?s3cret@h/d",
            "postgres://ada@s3cret:s3cret@h/d@",
            "postgres://ada:pass@s3cret@h/d",
            "s3cret",
            "postgres://h/d?s3cret=1",
        ] {
            let error = name(wrong).expect_err(wrong);
            assert!(!format!("{error:?}").contains("s3c"), "{wrong}: {error:?}");
        }
    }
}
