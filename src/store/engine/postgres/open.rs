//! Connects to the server, and creates hookbox's tables there.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Error, Result};
use crate::model::id::BoxId;
use crate::store::engine::conn::Conn;
use crate::store::engine::location::{Missing, ServerUrl};
use crate::store::engine::moving::begun::{UNFINISHED_VERSION, unfinished};
use crate::store::engine::postgres::client::{PgConnection, Wire, outside_runtime};
use crate::store::engine::postgres::fault::at_server;
use crate::store::engine::postgres::tls;

/// The schema, run as it is written.
const SCHEMA: &str = include_str!("../../../../schema.postgres.sql");

/// The newest schema version that this program knows; the same number means the same tables as in SQLite.
pub(crate) const SCHEMA_VERSION: i64 = crate::store::engine::sqlite::schema::SCHEMA_VERSION;

/// The oldest schema that is brought up to this one, when it is opened.
const OLDEST: i64 = 9;

/// How long a connection attempt to one host may take, if the URL sets no `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings of every connection. A transaction that rests or waits longer than this is ended by the server:
/// a node that sleeps must not keep others waiting.
const SESSION: &str = "set synchronous_commit = on;
     set statement_timeout = '60s';
     set lock_timeout = '5s';
     set idle_in_transaction_session_timeout = '10s';
     set client_min_messages = warning";

/// Settings of a connection that moves a whole database: it works, or waits for the other side, for long.
const LONG_SESSION: &str = "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0";

/// A database on a server.
#[derive(Clone)]
pub(crate) struct Server {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    url: ServerUrl,
}

impl Server {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is not one of PostgreSQL's.
    pub(crate) fn new(url: &ServerUrl) -> Result<Server> {
        let parameters = tls::parameters(&url.0)?;
        let mut config = Config::from_str(&parameters.url).map_err(|error| {
            let cause = std::error::Error::source(&error);
            let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
            Error::misuse(format!(
                "bad URL of a database: {cause}; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
            ))
        })?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("hookbox");
        }
        let tls = parameters.connector(&config)?;
        if tls.is_some() {
            config.ssl_mode(SslMode::Require);
        }
        Ok(Server {
            config,
            tls,
            url: url.clone(),
        })
    }

    pub(crate) fn connect_writable(&self) -> Result<PgConnection> {
        let connection = self.connect()?;
        connection.batch(SESSION)?;
        Ok(connection)
    }

    pub(crate) fn connect_read_only(&self) -> Result<PgConnection> {
        let connection = self.connect()?;
        connection.batch(SESSION)?;
        connection.batch("set default_transaction_read_only = on")?;
        Ok(connection)
    }

    /// A connection for hours of work.
    pub(crate) fn connect_for_long(&self) -> Result<PgConnection> {
        let connection = self.connect_writable()?;
        connection.batch(LONG_SESSION)?;
        Ok(connection)
    }

    fn connect(&self) -> Result<PgConnection> {
        let wire = outside_runtime(|| match &self.tls {
            Some(tls) => Wire::open(self.config.connect(tls.clone())),
            None => Wire::open(self.config.connect(NoTls)),
        });
        let wire = wire.map_err(|error| at_server(error, &self.url))?;
        Ok(PgConnection::new(wire))
    }

    /// Checks the database, creates what is missing, and returns its box.
    pub(crate) fn prepare(&self, missing: Missing) -> Result<BoxId> {
        let connection = self.connect_writable()?;
        let conn = Conn::postgres(&connection);
        if !has_tables(conn)? {
            if missing == Missing::Refuse {
                return Err(Error::NoDatabase(self.to_string()));
            }
            // Another process may be creating them too; then the second try finds them.
            if let Err(error) = connection.batch(SCHEMA) {
                connection.batch("rollback")?;
                if !has_tables(conn)? {
                    return Err(error);
                }
            }
        }
        let found = version(conn)?;
        if (OLDEST..SCHEMA_VERSION).contains(&found) {
            connection.batch(SCHEMA)?;
            tracing::warn!(
                database = %self, from = found, to = SCHEMA_VERSION,
                "store.migrated"
            );
        }
        self.check_version(conn)?;
        let box_id: String = conn.one("select box from hookbox_meta where id = 1", &[], |row| {
            row.get(0)
        })?;
        Ok(BoxId::new(box_id))
    }

    /// Refuses tables that this program cannot use.
    pub(crate) fn check_version(&self, conn: Conn<'_>) -> Result<()> {
        match version(conn)? {
            SCHEMA_VERSION => Ok(()),
            UNFINISHED_VERSION => Err(unfinished(conn, self)),
            other => Err(Error::Refused(format!(
                "{self} has schema version {other}, this hookbox works with {SCHEMA_VERSION}; use the hookbox that made it"
            ))),
        }
    }
}

/// Begins a transaction and makes the tables in it, as far as they are not there.
pub(crate) fn begin_with_schema(connection: &PgConnection) -> Result<()> {
    let open = SCHEMA
        .trim_end()
        .strip_suffix("commit;")
        .expect("the schema is one transaction");
    connection.batch(open)
}

/// The version of the tables.
pub(crate) fn version(conn: Conn<'_>) -> Result<i64> {
    conn.one(
        "select schema_version from hookbox_meta where id = 1",
        &[],
        |row| row.get(0),
    )
}

/// Whether hookbox's tables are there.
pub(crate) fn has_tables(conn: Conn<'_>) -> Result<bool> {
    conn.one(
        "select to_regclass('hookbox_meta') is not null",
        &[],
        |row| row.get(0),
    )
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.url)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.url).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_url_is_refused_without_its_password() {
        let url = ServerUrl("postgres://mira:s3cret@h:x/d".to_owned());
        let error = Server::new(&url).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(!error.chain().contains("s3cret"), "{}", error.chain());
    }
}
