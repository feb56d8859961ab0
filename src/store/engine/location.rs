//! Where a database is: in a file, or on a server.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where a database is. It is made of a path, or of a URL that begins with `postgres://` or `postgresql://`.
#[derive(Debug, Clone)]
pub enum Location {
    /// A SQLite file.
    File(PathBuf),
    /// A database on a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Server(ServerUrl),
}

/// The URL of a database on a server. Printed, it has no password.
#[cfg(feature = "postgres")]
#[derive(Clone)]
pub struct ServerUrl(pub(in crate::store::engine) String);

/// What to do if the tables do not exist yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Return an error: the caller reads from or adds to an existing store.
    Refuse,
    /// Create the file, readable only by its owner, and refuse a file of another program; or create the
    /// tables on the server.
    Create,
    /// As `Create`, and add the tables to another program's file.
    CreateOrExtend {
        /// Whether that file may be switched to WAL mode; the file then stays in this mode.
        may_set_wal: bool,
    },
}

impl Location {
    /// The file; `None` for a server.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Location::File(path) => Some(path),
            #[cfg(feature = "postgres")]
            Location::Server(_) => None,
        }
    }

    /// The file, for what can be done with a file only.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a server; the text says what to do `instead`.
    pub(crate) fn require_file(&self, instead: &str) -> Result<&Path> {
        self.file()
            .ok_or_else(|| Error::misuse(format!("{self} is no file: {instead}")))
    }
}

impl Location {
    /// Reads what a person wrote.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a URL that is not one of PostgreSQL's: nobody means a file by that.
    pub fn read(given: OsString) -> Result<Location> {
        let text = given.to_string_lossy();
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        let is_ours = cfg!(feature = "postgres")
            && matches!(scheme, "postgres" | "postgresql")
            && text.contains("://");
        let is_meant = scheme.to_ascii_lowercase().starts_with("postgres");
        if !is_ours && (is_meant || text.contains("://")) {
            return Err(Error::misuse(format!(
                "`{}` is no database that hookbox can use: write a path, or postgres://USER:PASSWORD@HOST/DATABASE",
                without_password(&text)
            )));
        }
        Ok(Location::from(given))
    }
}

impl From<String> for Location {
    fn from(text: String) -> Location {
        #[cfg(feature = "postgres")]
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Location::Server(ServerUrl(text));
        }
        Location::File(PathBuf::from(text))
    }
}

impl From<OsString> for Location {
    fn from(given: OsString) -> Location {
        match given.into_string() {
            Ok(text) => Location::from(text),
            Err(path) => Location::File(PathBuf::from(path)),
        }
    }
}

impl From<&str> for Location {
    fn from(text: &str) -> Location {
        Location::from(text.to_owned())
    }
}

impl From<&String> for Location {
    fn from(text: &String) -> Location {
        Location::from(text.clone())
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Location {
        Location::File(path)
    }
}

impl From<&PathBuf> for Location {
    fn from(path: &PathBuf) -> Location {
        Location::File(path.clone())
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Location {
        Location::File(path.to_owned())
    }
}

impl From<&Location> for Location {
    fn from(location: &Location) -> Location {
        location.clone()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::File(path) => write!(f, "{}", path.display()),
            #[cfg(feature = "postgres")]
            Location::Server(url) => write!(f, "{url}"),
        }
    }
}

#[cfg(feature = "postgres")]
impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.0))
    }
}

#[cfg(feature = "postgres")]
impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A URL as it may be shown.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let address = match address.rsplit_once('@') {
        Some((user, hosts)) => {
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{user}@{hosts}")
        }
        None => address.to_owned(),
    };
    let kept: Vec<&str> = parameters
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("password="))
        .collect();
    match kept.is_empty() {
        true => format!("{scheme}://{address}"),
        false => format!("{scheme}://{address}?{}", kept.join("&")),
    }
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://h/d", "postgres://h/d"),
            (
                "postgres://mira:s3cret@h1:5432,h2/d?target_session_attrs=read-write",
                "postgres://mira@h1:5432,h2/d?target_session_attrs=read-write",
            ),
            (
                "postgresql:///d?host=/run/postgresql&user=mira&password=s3cret",
                "postgresql:///d?host=/run/postgresql&user=mira",
            ),
            ("postgres://mira:p@ss:w@h/d", "postgres://mira@h/d"),
        ] {
            let location = Location::from(url);
            assert_eq!(location.to_string(), shown);
            assert!(!format!("{location:?}").contains("s3cret"));
        }
    }

    #[test]
    fn a_url_of_something_else_is_refused_and_no_file_of_that_name_made() {
        for text in [
            "mysql://mira:s3cret@h/d",
            "Postgres://mira:s3cret@h/d",
            "postgres:/h/d",
            "sqlite:///hookbox.db",
        ] {
            let error = Location::read(text.into()).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        for text in ["hookbox.db", "a:b.db", "postgres://h/d"] {
            assert!(Location::read(text.into()).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_server_is_a_path() {
        for path in [
            "hookbox.db",
            "postgres.db",
            "./postgres:/h",
            "/postgres://h",
        ] {
            assert_eq!(Location::from(path).file(), Some(Path::new(path)));
        }
        assert_eq!(Location::from("postgresql://h/d").file(), None);
    }
}
