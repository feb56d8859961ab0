//! The database of a Gogs, Gitea or Forgejo, as far as it says which webhooks were tried: `hook_task` and
//! `webhook`. It is only read, a statement at a time: a reader keeps Gogs from committing.

mod mysql;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::model::header::Header;
use crate::store::engine::conn::{Conn, Row, params};
use crate::store::engine::location::Location;
#[cfg(feature = "postgres")]
use crate::store::engine::postgres::{client::PgConnection, open::Server};
use crate::time::Timestamp;
pub use mysql::MysqlUrl;

/// How long a read waits for a commit of the forge.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Rows that are looked at in one read.
const PAGE: i64 = 500;

/// Where a forge's database is.
#[derive(Debug, Clone)]
pub enum ForgeLocation {
    /// In a file, or on a PostgreSQL server.
    Own(Location),
    /// On a MySQL or MariaDB server.
    Mysql(MysqlUrl),
}

impl ForgeLocation {
    /// Reads what a person wrote.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a URL that is of none of these.
    pub fn read(given: OsString) -> Result<ForgeLocation> {
        let text = given.to_string_lossy();
        let is_mysql = ["mysql://", "mariadb://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        match is_mysql {
            true => MysqlUrl::read(&text).map(ForgeLocation::Mysql),
            false => Location::read(given).map(ForgeLocation::Own),
        }
    }
}

impl fmt::Display for ForgeLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForgeLocation::Own(location) => location.fmt(f),
            ForgeLocation::Mysql(url) => url.fmt(f),
        }
    }
}

/// A connection to a forge's database.
pub struct Forge {
    connection: Database,
    columns: Columns,
}

/// The forge's own database, which is only read.
enum Database {
    File(Connection),
    #[cfg(feature = "postgres")]
    Server(Box<PgConnection>),
    Mysql(MysqlUrl),
}

/// By what a database is asked.
enum Asked<'f> {
    Conn(Conn<'f>),
    /// A statement at a time, each value as hex.
    Client(&'f MysqlUrl),
}

/// Which of the columns there are: versions differ.
struct Columns {
    url: bool,
    signature: bool,
    content_type: bool,
}

/// What a forge says of one webhook without its body.
#[derive(Debug, Clone)]
pub struct HookTask {
    /// Its row; rows are made in this order.
    pub id: i64,
    /// The delivery id that its request had.
    pub uuid: String,
    /// Where it was sent.
    pub url: String,
    /// When it was last tried; `None` if it waits in the forge, which sends it by itself.
    pub tried: Option<Timestamp>,
}

/// The request of a webhook.
#[derive(Debug, Clone)]
pub struct HookRequest {
    /// The forge's name of the event.
    pub event_type: String,
    /// As hex, over the body.
    pub signature: Option<String>,
    /// Whether the body is a form.
    pub is_form: bool,
    /// As they were sent, by name.
    pub headers: Vec<Header>,
    /// The exact bytes.
    pub body: Vec<u8>,
}

/// What newer versions keep of a request, as JSON.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Kept {
    headers: BTreeMap<String, String>,
    body: String,
}

impl Forge {
    /// Opens the database read-only.
    ///
    /// # Errors
    /// [`Error::Io`] when there is no such file; [`Error::Misuse`] when it is not a forge's database;
    /// [`Error::Database`] when it cannot be read.
    pub fn open(at: &ForgeLocation) -> Result<Forge> {
        let connection = match at {
            ForgeLocation::Own(Location::File(path)) => Database::File(open_file(path)?),
            #[cfg(feature = "postgres")]
            ForgeLocation::Own(Location::Server(url)) => {
                Database::Server(Box::new(Server::new(url)?.connect_read_only()?))
            }
            ForgeLocation::Mysql(url) => Database::Mysql(url.clone()),
        };
        let columns = connection.columns().map_err(|error| match error {
            damaged if damaged.is_damage() => not_a_forge(at),
            other => other,
        })?;
        let has = |column: &str| columns.iter().any(|one| one == column);
        for column in ["uuid", "payload_content", "event_type", "request_content"] {
            if !has(column) {
                return Err(not_a_forge(at));
            }
        }
        let columns = Columns {
            url: has("url"),
            signature: has("signature"),
            content_type: has("content_type"),
        };
        Ok(Forge {
            connection,
            columns,
        })
    }

    /// Some webhooks before this row, the newest first; none when there are no more.
    ///
    /// # Errors
    /// [`Error::Database`] when the database cannot be read now.
    pub fn tasks_before(&self, before: i64) -> Result<Vec<HookTask>> {
        let (url, join) = match self.columns.url {
            true => ("t.url", ""),
            false => ("w.url", "left join webhook as w on w.id = t.hook_id"),
        };
        // Each engine has types of its own for these columns.
        let query = format!(
            "select t.id, cast(t.uuid as text), coalesce(cast({url} as text), ''),
                 cast(cast(t.is_delivered as integer) as bigint), t.delivered
             from hook_task as t {join}
             where t.id < :before
             order by t.id desc
             limit :limit"
        );
        let conn = match self.connection.asked() {
            Asked::Conn(conn) => conn,
            Asked::Client(server) => {
                let url = format!("coalesce({url}, '')");
                let columns = ["t.id", "t.uuid", &url, "t.is_delivered", "t.delivered"];
                let query = format!(
                    "select {} from hook_task as t {join}
                     where t.id < {before} order by t.id desc limit {PAGE}",
                    in_hex(&columns)
                );
                return server
                    .rows(&query)?
                    .iter()
                    .map(|row| task_of(row))
                    .collect();
            }
        };
        let parameters = params! { ":before": before, ":limit": PAGE };
        conn.all(&query, parameters, read_task)
    }

    /// The request of a webhook; `None` if the forge removed it meanwhile.
    ///
    /// # Errors
    /// [`Error::Database`] when the database cannot be read now.
    pub fn request(&self, id: i64) -> Result<Option<HookRequest>> {
        let or_null = |has: bool, column: &'static str| if has { column } else { "null" };
        let conn = match self.connection.asked() {
            Asked::Conn(conn) => conn,
            Asked::Client(server) => {
                let columns = [
                    "event_type",
                    or_null(self.columns.signature, "signature"),
                    or_null(self.columns.content_type, "content_type"),
                    "request_content",
                    "payload_content",
                ];
                let query = format!("select {} from hook_task where id = {id}", in_hex(&columns));
                return Ok(server.rows(&query)?.into_iter().next().map(request_of));
            }
        };
        let query = format!(
            "select cast(event_type as text), cast({} as text), cast({} as bigint),
                 cast(request_content as text), cast(payload_content as text)
             from hook_task
             where id = :id",
            or_null(self.columns.signature, "signature"),
            or_null(self.columns.content_type, "content_type"),
        );
        conn.maybe(&query, params! { ":id": id }, read_request)
    }
}

impl Database {
    fn asked(&self) -> Asked<'_> {
        match self {
            Database::File(connection) => Asked::Conn(Conn::sqlite(connection)),
            #[cfg(feature = "postgres")]
            Database::Server(connection) => Asked::Conn(Conn::postgres(connection.as_ref())),
            Database::Mysql(server) => Asked::Client(server),
        }
    }

    /// The columns of the table of webhooks that were tried.
    fn columns(&self) -> Result<Vec<String>> {
        let query = match self {
            Database::File(_) => "select name from pragma_table_info('hook_task')",
            #[cfg(feature = "postgres")]
            Database::Server(_) => {
                "select cast(column_name as text) from information_schema.columns
                 where table_name = 'hook_task' and table_schema = any (current_schemas(false))"
            }
            Database::Mysql(_) => {
                "select hex(column_name) from information_schema.columns
                 where table_name = 'hook_task' and table_schema = database()"
            }
        };
        match self.asked() {
            Asked::Conn(conn) => conn.all(query, &[], |row| row.get(0)),
            Asked::Client(server) => Ok(server
                .rows(query)?
                .into_iter()
                .flatten()
                .flatten()
                .collect()),
        }
    }
}

/// The columns as texts in hex, which no character set and no line feed can change.
fn in_hex(columns: &[&str]) -> String {
    let columns = columns
        .iter()
        .map(|column| format!("hex(cast({column} as char character set utf8mb4))"));
    columns.collect::<Vec<String>>().join(", ")
}

/// What a client wrote of one webhook.
fn task_of(row: &[Option<String>]) -> Result<HookTask> {
    let text = |index: usize| row.get(index).cloned().flatten();
    let number = |index: usize| text(index).and_then(|text| text.parse::<i64>().ok());
    let id = number(0).ok_or_else(|| Error::Refused("a row of hook_task has no id".to_owned()))?;
    let nanos = number(4).unwrap_or_default();
    Ok(HookTask {
        id,
        uuid: text(1).unwrap_or_default(),
        url: text(2).unwrap_or_default(),
        tried: (number(3) == Some(1)).then_some(Timestamp(nanos / 1_000_000)),
    })
}

/// What a client wrote of the request of a webhook.
fn request_of(row: Vec<Option<String>>) -> HookRequest {
    let mut values = row.into_iter();
    let mut next = || values.next().flatten();
    let event_type = next().unwrap_or_default();
    let (signature, kind) = (next(), next().and_then(|text| text.parse().ok()));
    let kept = next();
    let payload = next().unwrap_or_default();
    made(event_type, signature, kind, kept, payload)
}

fn open_file(path: &Path) -> Result<Connection> {
    std::fs::metadata(path)
        .map_err(|error| Error::io_at("read the forge's database", path, error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

fn read_task(row: &Row<'_>) -> Result<HookTask> {
    let (was_tried, nanos): (bool, Option<i64>) = (row.get(3)?, row.get(4)?);
    Ok(HookTask {
        id: row.get(0)?,
        uuid: row.get(1)?,
        url: row.get(2)?,
        tried: was_tried.then(|| Timestamp(nanos.unwrap_or_default() / 1_000_000)),
    })
}

fn read_request(row: &Row<'_>) -> Result<HookRequest> {
    let (event_type, payload) = (row.get(0)?, row.get(4)?);
    Ok(made(
        event_type,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        payload,
    ))
}

fn made(
    event_type: String,
    signature: Option<String>,
    kind: Option<i64>,
    kept: Option<String>,
    payload: String,
) -> HookRequest {
    /// Gogs's number of the content type of forms.
    const FORM: i64 = 2;
    // What cannot be read there is made of the columns.
    let kept: Kept = kept
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    HookRequest {
        event_type,
        signature: signature.filter(|text| !text.is_empty()),
        is_form: kind == Some(FORM),
        headers: kept.headers.into_iter().collect(),
        body: match kept.body.is_empty() {
            true => payload.into_bytes(),
            false => kept.body.into_bytes(),
        },
    }
}

fn not_a_forge(at: &ForgeLocation) -> Error {
    Error::misuse(format!(
        "{at} is no database of Gogs, Gitea or Forgejo: it has no table hook_task of theirs; their app.ini says where it is ([database])"
    ))
}
