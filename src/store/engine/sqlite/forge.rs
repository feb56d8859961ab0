//! The database of a Gogs, Gitea or Forgejo, as far as it says which webhooks were tried: `hook_task` and
//! `webhook`. It is only read, a statement at a time: a reader keeps Gogs from committing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, named_params};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::model::header::Header;
use crate::time::Timestamp;

/// How long a read waits for a commit of the forge.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Rows that are looked at in one read.
const PAGE: i64 = 500;

/// A connection to a forge's database.
pub struct Forge {
    connection: Connection,
    path: PathBuf,
    columns: Columns,
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
    /// [`Error::Io`] when there is no such file; [`Error::Misuse`] when it is not a forge's SQLite database;
    /// [`Error::Database`] when it cannot be read.
    pub fn open(path: &Path) -> Result<Forge> {
        std::fs::metadata(path)
            .map_err(|error| Error::io_at("read the forge's database", path, error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let has = |column: &str| -> Result<bool> {
            let query =
                "select exists (select 1 from pragma_table_info('hook_task') where name = ?1)";
            connection
                .query_row(query, [column], |row| row.get(0))
                .map_err(|error| match error.sqlite_error_code() {
                    Some(rusqlite::ErrorCode::NotADatabase) => not_a_forge(path),
                    _ => Error::from(error),
                })
        };
        for column in ["uuid", "payload_content", "event_type", "request_content"] {
            if !has(column)? {
                return Err(not_a_forge(path));
            }
        }
        let columns = Columns {
            url: has("url")?,
            signature: has("signature")?,
            content_type: has("content_type")?,
        };
        Ok(Forge {
            connection,
            path: path.to_owned(),
            columns,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Some webhooks before this row, the newest first; none when there are no more.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read now.
    pub fn tasks_before(&self, before: i64) -> Result<Vec<HookTask>> {
        let (url, join) = match self.columns.url {
            true => ("t.url", ""),
            false => ("w.url", "left join webhook as w on w.id = t.hook_id"),
        };
        let query = format!(
            "select t.id, t.uuid, coalesce({url}, ''), t.is_delivered, t.delivered
             from hook_task as t {join}
             where t.id < :before
             order by t.id desc
             limit :limit"
        );
        let mut statement = self.connection.prepare_cached(&query)?;
        let tasks = statement.query_map(
            named_params! { ":before": before, ":limit": PAGE },
            read_task,
        )?;
        Ok(tasks.collect::<rusqlite::Result<_>>()?)
    }

    /// The request of a webhook; `None` if the forge removed it meanwhile.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read now.
    pub fn request(&self, id: i64) -> Result<Option<HookRequest>> {
        let or_null = |has: bool, column: &'static str| if has { column } else { "null" };
        let query = format!(
            "select event_type, {}, {}, request_content, payload_content
             from hook_task
             where id = :id",
            or_null(self.columns.signature, "signature"),
            or_null(self.columns.content_type, "content_type"),
        );
        let mut statement = self.connection.prepare_cached(&query)?;
        let found = statement.query_row(named_params! { ":id": id }, read_request);
        Ok(found.optional()?)
    }
}

fn read_task(row: &Row<'_>) -> rusqlite::Result<HookTask> {
    let (was_tried, nanos): (bool, Option<i64>) = (row.get(3)?, row.get(4)?);
    Ok(HookTask {
        id: row.get(0)?,
        uuid: row.get(1)?,
        url: row.get(2)?,
        tried: was_tried.then(|| Timestamp(nanos.unwrap_or_default() / 1_000_000)),
    })
}

fn read_request(row: &Row<'_>) -> rusqlite::Result<HookRequest> {
    /// Gogs's number of the content type of forms.
    const FORM: i64 = 2;
    let signature: Option<String> = row.get(1)?;
    let kind: Option<i64> = row.get(2)?;
    let kept: Option<String> = row.get(3)?;
    // What cannot be read there is made of the columns.
    let kept: Kept = kept
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    Ok(HookRequest {
        event_type: row.get(0)?,
        signature: signature.filter(|text| !text.is_empty()),
        is_form: kind == Some(FORM),
        headers: kept.headers.into_iter().collect(),
        body: match kept.body.is_empty() {
            true => row.get::<_, String>(4)?.into_bytes(),
            false => kept.body.into_bytes(),
        },
    })
}

fn not_a_forge(path: &Path) -> Error {
    Error::misuse(format!(
        "{} is no SQLite database of Gogs, Gitea or Forgejo: it has no table hook_task of theirs; their app.ini says where it is ([database] PATH)",
        path.display()
    ))
}
