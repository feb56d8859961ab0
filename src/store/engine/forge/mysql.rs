//! A forge's database on a MySQL or MariaDB server, read by the client program that belongs to the server.
//!
//! A library for it would be a tenth of hookbox, for what few need once; the program is where such a forge is.

use std::fmt;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use http::Uri;
use percent_encoding::percent_decode_str;

use crate::error::{Error, Result};

/// The names of the client program: MariaDB's, and MySQL's.
const CLIENTS: [&str; 2] = ["mariadb", "mysql"];

/// What is written for a value that is null. No number in hex looks so.
const NULL: &str = "NULL";

/// A database on a server: `mysql://USER:PASSWORD@HOST:PORT/DATABASE`, perhaps with `?socket=PATH`. Printed, it
/// has no password.
#[derive(Clone)]
pub struct MysqlUrl {
    user: String,
    password: Option<String>,
    host: String,
    port: Option<u16>,
    socket: Option<String>,
    database: String,
}

impl MysqlUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is not of that form.
    pub(super) fn read(text: &str) -> Result<MysqlUrl> {
        let bad = || {
            // The text is not in the error: it may hold a password.
            Error::misuse(
                "this is no database of MySQL's: write mysql://USER:PASSWORD@HOST/DATABASE, with %40 for @ in the password",
            )
        };
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let authority = uri.authority().ok_or_else(bad)?;
        let (who, _) = authority.as_str().rsplit_once('@').ok_or_else(bad)?;
        let (user, password) = match who.split_once(':') {
            Some((user, password)) => (user, Some(decoded(password))),
            None => (who, None),
        };
        let database = decoded(uri.path().trim_matches('/'));
        if user.is_empty() || authority.host().is_empty() || database.is_empty() {
            return Err(bad());
        }
        let query = uri.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let socket = pairs.find(|(name, _)| name == "socket");
        Ok(MysqlUrl {
            user: decoded(user),
            password,
            host: authority.host().to_owned(),
            port: authority.port_u16(),
            socket: socket.map(|(_, path)| path.into_owned()),
            database,
        })
    }

    /// Runs one statement, which reads and asks for every value as hex; returns its rows.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no client program, or it fails.
    pub(super) fn rows(&self, statement: &str) -> Result<Vec<Vec<Option<String>>>> {
        for client in CLIENTS {
            let output = match self.command(client, statement).output() {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io(format!("run {client}"), error)),
                Ok(output) => output,
            };
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                let said = said.trim().lines().last().unwrap_or_default();
                return Err(Error::Refused(format!("cannot read {self}: {said}")));
            }
            let text = String::from_utf8_lossy(&output.stdout);
            return text.lines().map(read_row).collect();
        }
        Err(Error::Refused(format!(
            "to read {self} the program `mariadb` or `mysql` is needed, which is not here; on Debian it is in mariadb-client"
        )))
    }

    fn command(&self, client: &str, statement: &str) -> Command {
        let mut command = Command::new(client);
        // What the user's own files set would change the output.
        command.args(["--no-defaults", "--batch", "--raw", "--skip-column-names"]);
        command.args(["--default-character-set=utf8mb4", "--connect-timeout=5"]);
        command.arg(format!("--user={}", self.user));
        match &self.socket {
            Some(path) => command.arg(format!("--socket={path}")),
            None => command.arg(format!("--host={}", self.host)),
        };
        if let Some(port) = self.port {
            command.arg(format!("--port={port}"));
        }
        // Nothing is written, whatever the statement is.
        command.arg("--init-command=set session transaction read only");
        command.arg(format!("--execute={statement}"));
        command.arg(&self.database);
        if let Some(password) = &self.password {
            command.env("MYSQL_PWD", password);
        }
        command.stdin(Stdio::null());
        command
    }
}

fn read_row(line: &str) -> Result<Vec<Option<String>>> {
    let values = line.split('\t').map(|value| match value {
        NULL => Ok(None),
        hex => match hex::decode(hex) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(_) => Err(Error::Refused(
                "the client program of MySQL wrote what was not asked for".to_owned(),
            )),
        },
    });
    values.collect()
}

impl fmt::Display for MysqlUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mysql://{}@{}", self.user, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", self.database)
    }
}

impl fmt::Debug for MysqlUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_its_password_is_shown_nowhere() {
        let url =
            MysqlUrl::read("mysql://gogs:p%40ss@db.example.org:3307/gogs?socket=/run/my.sock");
        let url = url.unwrap();
        assert_eq!(url.password.as_deref(), Some("p@ss"));
        assert_eq!(url.socket.as_deref(), Some("/run/my.sock"));
        assert_eq!(url.to_string(), "mysql://gogs@db.example.org:3307/gogs");
        assert!(!format!("{url:?}").contains("ss@"));
        for bad in [
            "mysql://h/db",
            "mysql://u:hunter2@/db",
            "mysql://u:hunter2@h",
            "mysql:x",
        ] {
            let error = MysqlUrl::read(bad).unwrap_err().to_string();
            assert!(
                error.contains("mysql://USER") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_row_is_read_as_it_is_written() {
        let row = read_row("7075736800\tNULL\t").unwrap();
        assert_eq!(row, [Some("push\0".to_owned()), None, Some(String::new())]);
        assert!(read_row("warning: x").is_err());
    }
}
