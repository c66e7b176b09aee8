use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The most hosts of one URL: the most members of a replication group.
const HOSTS_MAX: usize = 9;

/// Where the database is: `sqlite:PATH`, `mysql://user:password@host:port/database`, or the same with
/// several hosts, `mysql://user:password@host:port,host:port,host:port/database`, of which the server
/// that takes writes is found.
///
/// `Debug` and `Display` never show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(pub(crate) Location);

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Location {
    Sqlite(PathBuf),
    MySql {
        /// One for each host.
        urls: Vec<String>,
        shown: String,
    },
}

/// The text is not a database URL that this program understands. Never shows the text, which may
/// hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// Neither `sqlite:` nor `mysql://`.
    #[error("a database URL starts with sqlite: or mysql://")]
    Scheme,
    /// `sqlite:` without a path, or one of SQLite's special names (`:memory:` would be a new
    /// database for each connection).
    #[error("sqlite: needs the path of a file, as in sqlite:data/payments.db")]
    SqlitePath,
    /// Something of `mysql://user:password@host:port/database` is missing or malformed.
    #[error("a MySQL URL looks like mysql://user:password@host:3306/database: {0}")]
    MySql(&'static str),
}

impl DatabaseUrl {
    /// Understands `sqlite:PATH`, `sqlite://PATH` (relative, or absolute when the path begins with
    /// `/`) and `mysql://user[:password]@host[:port]/database`, in which special characters of user
    /// and password are percent-encoded. Up to nine hosts are separated by commas. Parameters
    /// (`?…`) are not supported.
    pub fn parse(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        if let Some(rest) = text.strip_prefix("mysql://") {
            return my_sql(rest).map(Self);
        }
        let path = text
            .strip_prefix("sqlite:")
            .ok_or(InvalidDatabaseUrl::Scheme)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.starts_with(':') || path.contains('\0') {
            return Err(InvalidDatabaseUrl::SqlitePath);
        }
        Ok(Self::sqlite(Path::new(path)))
    }

    /// The SQLite file at this path.
    pub fn sqlite(path: &Path) -> Self {
        Self(Location::Sqlite(path.to_owned()))
    }

    /// Whether this names a SQLite file.
    pub fn is_sqlite(&self) -> bool {
        matches!(self.0, Location::Sqlite(_))
    }
}

/// Understands what follows `mysql://`.
fn my_sql(rest: &str) -> Result<Location, InvalidDatabaseUrl> {
    let wrong = InvalidDatabaseUrl::MySql;
    if rest.contains(['?', '#']) {
        return Err(wrong("parameters are not supported"));
    }
    let (authority, database) = rest
        .split_once('/')
        .ok_or(wrong("the database is missing"))?;
    if database.is_empty() || database.contains('/') {
        return Err(wrong("the database is missing"));
    }
    let (account, hosts) = authority
        .rsplit_once('@')
        .ok_or(wrong("the user is missing"))?;
    let user = account.split_once(':').map_or(account, |(user, _)| user);
    if user.is_empty() {
        return Err(wrong("the user is missing"));
    }
    let hosts: Vec<&str> = hosts.split(',').collect();
    if hosts.len() > HOSTS_MAX {
        return Err(wrong("there are too many hosts"));
    }
    for host in &hosts {
        check_host(host)?;
    }
    let shown = format!("mysql://{user}:***@{}/{database}", hosts.join(","));
    let urls = hosts.iter();
    let urls = urls.map(|host| format!("mysql://{account}@{host}/{database}"));
    Ok(Location::MySql {
        urls: urls.collect(),
        shown,
    })
}

fn check_host(host: &str) -> Result<(), InvalidDatabaseUrl> {
    let wrong = InvalidDatabaseUrl::MySql;
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        Some(_) | None => (host, None),
    };
    if name.is_empty() {
        return Err(wrong("the host is missing"));
    }
    if port.is_some_and(|port| !matches!(port.parse::<u16>(), Ok(1..))) {
        return Err(wrong("the port must be from 1 to 65535"));
    }
    Ok(())
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        Self::parse(text)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Location::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Location::MySql { shown, .. } => f.write_str(shown),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_paths_are_relative_or_absolute() {
        for (text, path) in [
            ("sqlite:data/payments.db", "data/payments.db"),
            ("sqlite:/var/lib/p.db", "/var/lib/p.db"),
            ("sqlite://data/p.db", "data/p.db"),
            ("sqlite:///var/lib/p.db", "/var/lib/p.db"),
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert!(
                matches!(&url.0, Location::Sqlite(found) if found == Path::new(path)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_shown_url_has_no_password() {
        for text in [
            "mysql://shop:p%40ss@db.example:3306/pay",
            "mysql://shop:p@s:s@[::1]/pay",
            "mysql://shop:p@s:s@a,b:3307,[::1]:3308/pay",
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            for shown in [url.to_string(), format!("{url:?}")] {
                assert!(shown.contains("mysql://shop:***@"), "{shown}");
                assert!(!shown.contains("ss"), "{shown}");
            }
        }
    }

    #[test]
    fn each_host_has_a_url_of_its_own() {
        let url = DatabaseUrl::parse("mysql://shop:pw@a,b:3307,[::1]:3308/pay").unwrap();
        let Location::MySql { urls, .. } = &url.0 else {
            panic!("{url}");
        };
        let expected = ["a", "b:3307", "[::1]:3308"];
        assert_eq!(
            *urls,
            expected.map(|host| format!("mysql://shop:pw@{host}/pay"))
        );
        assert_eq!(url.to_string(), "mysql://shop:***@a,b:3307,[::1]:3308/pay");
    }

    #[test]
    fn everything_else_is_refused_with_a_reason() {
        for text in [
            "",
            "postgres://a@b/c",
            "sqlite:",
            "sqlite::memory:",
            "mysql://",
            "mysql://host/db",
            "mysql://u@host",
            "mysql://u@host/",
            "mysql://u@/db",
            "mysql://u@host:0/db",
            "mysql://u@host:99999/db",
            "mysql://u@host/db?require_ssl=true",
            "mysql://:p@host/db",
            "mysql://u@a,,b/db",
            "mysql://u@a,b:0/db",
            "mysql://u@a,b,c,d,e,f,g,h,i,j/db",
        ] {
            assert!(DatabaseUrl::parse(text).is_err(), "{text}");
        }
    }
}
