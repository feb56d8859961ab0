//! The outbox: rows that other programs insert with SQL, in their own transactions, become events.
//!
//! The trigger in `schema.sql` checks each inserted row. The code here turns the rows into events, a
//! bounded number at a time; each row is removed in the same transaction that adds its event. Nothing is
//! lost: a row that cannot become an event stays, with the reason.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::model::event::{BODY_BYTES_MAX, NewEvent};
use crate::model::header::Header;
use crate::panics::catch_panic;
use crate::store::engine::Store;
use crate::store::engine::conn::{AppConnection, Conn, Row, params};
use crate::store::engine::in_progress::{self, WorkItem};
use crate::store::engine::job::Tx;
#[cfg(feature = "postgres")]
use crate::store::engine::postgres::app::Bound;
use crate::store::engine::value::{ToValue, Value};
use crate::store::intake::accept::{Prepared, accept};
use crate::time::FIRST_PLAUSIBLE;
use crate::time::Timestamp;

/// Maximum rows that become events in one transaction, and maximum bytes of their bodies.
const BATCH_ROWS: i64 = 128;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Maximum bytes of a row's headers, as in `schema.sql`: they must fit into the head of a request.
const HEADERS_BYTES_MAX: usize = 8 * 1024;

/// The result of reading the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Rows that became events, or were repeats of a known key.
    pub events: usize,
    /// Rows that could not become an event.
    pub problems: usize,
}

impl Taken {
    /// Whether there may be more rows.
    pub fn is_some(&self) -> bool {
        self.events + self.problems > 0
    }
}

/// The id of a row, and what distinguishes the row from a later one with the same id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct RowId {
    id: i64,
    mark: Vec<u8>,
}

/// A row of the outbox.
struct Waiting {
    row: RowId,
    event: NewEvent,
    source: Option<String>,
    headers: Option<String>,
    inserted: Timestamp,
}

/// The next rows. A row of SQLite may hold a text or bytes; one of PostgreSQL holds bytes, and says whether
/// they were given as a text.
const NEXT: &str =
    "select id, mark, type, body, typeof(body) = 'text' as is_text, key, source, content_type,
         headers, inserted_ms
     from hookbox_outbox_row
     where problem is null
     order by id
     limit :limit";

/// The same on a server. All that it finds is sent to us before the first row is looked at, so the server
/// counts the bytes.
const NEXT_ON_SERVER: &str =
    "select r.id, r.mark, r.type, r.body, r.is_text, r.key, r.source, r.content_type,
         r.headers, r.inserted_ms
     from hookbox_outbox_row as r
     join (
         select id, sum(length(body)) over (order by id) - length(body) as bytes_before
         from (
             select id, body from hookbox_outbox_row
             where problem is null
             order by id
             limit :limit
         ) as next
     ) as counted on counted.id = r.id
     where counted.bytes_before < :bytes
     order by r.id";

/// Adds an event to the outbox, in the caller's own transaction: it commits or rolls back with it.
///
/// The process that serves the file turns the row into an event within about 50 ms. If the key is known, it
/// is the same event and the row changes nothing.
///
/// The connection is `&` one of `rusqlite`, or `&mut` one of `postgres`, or a transaction of it. It must be open
/// to a database that has hookbox's tables
/// ([`Missing::CreateOrExtend`](crate::store::Missing::CreateOrExtend), or `schema.sql`); in PostgreSQL its
/// `search_path` must have their schema.
///
/// # Errors
/// [`Error::Misuse`] when the event is not valid; [`Error::NotFound`] when its source does not exist;
/// [`Error::Database`] when it cannot be written, or the tables do not exist. Nothing is added then. After an
/// [`Error::Database`] PostgreSQL takes nothing more in the transaction but its rollback.
///
/// ```
/// use hookbox::model::event::NewEvent;
/// use hookbox::rusqlite::Connection;
/// use hookbox::store::{Missing, Store};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("app.db");
/// let store = Store::open(&path, Missing::Create)?;
///
/// let mut app = Connection::open(&path)?;
/// app.execute_batch("create table orders (id integer primary key, total integer)")?;
/// let tx = app.transaction()?;
/// tx.execute("insert into orders (total) values (42)", [])?;
/// hookbox::enqueue(&tx, &NewEvent::new("order.paid", r#"{"total":42}"#))?;
/// tx.commit()?;
/// assert_eq!(store.stats()?.outbox, 1);
///
/// // What is rolled back never was.
/// let tx = app.transaction()?;
/// hookbox::enqueue(&tx, &NewEvent::new("order.paid", r#"{"total":43}"#))?;
/// tx.rollback()?;
/// assert_eq!(store.stats()?.outbox, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// On a server:
///
#[cfg_attr(feature = "postgres", doc = "```no_run")]
#[cfg_attr(not(feature = "postgres"), doc = "```ignore")]
/// use hookbox::model::event::NewEvent;
/// use hookbox::postgres::{Client, NoTls};
///
/// let mut app = Client::connect("postgres://localhost/app", NoTls)?;
/// let mut tx = app.transaction()?;
/// tx.execute("insert into orders (total) values (42)", &[])?;
/// hookbox::enqueue(&mut tx, &NewEvent::new("order.paid", r#"{"total":42}"#))?;
/// tx.commit()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn enqueue(connection: impl AppConnection, event: &NewEvent) -> Result<()> {
    check(event)?;
    connection.with_conn(|conn| insert(conn, event))
}

/// Checks what the table itself does not.
fn check(event: &NewEvent) -> Result<()> {
    event.check()?;
    if event.body.len() > BODY_BYTES_MAX {
        return Err(Error::misuse(format!(
            "the body is {} bytes, limit is {BODY_BYTES_MAX}",
            event.body.len()
        )));
    }
    if event.original_type.is_some() || event.replay_of.is_some() {
        return Err(Error::misuse(
            "what is put into the outbox is a new event: it has no original type, and is no copy",
        ));
    }
    check_headers(&event.headers)?;
    match headers_as_json(event) {
        Some(text) if text.len() > HEADERS_BYTES_MAX => Err(Error::misuse(format!(
            "the headers are longer than {HEADERS_BYTES_MAX} bytes"
        ))),
        _ => Ok(()),
    }
}

fn headers_as_json(event: &NewEvent) -> Option<String> {
    match event.headers.as_slice() {
        [] => None,
        headers => Some(serde_json::json!(headers).to_string()),
    }
}

/// As [`enqueue`], for an application that waits for its database without blocking: a client or transaction of
/// `tokio_postgres`. A pool may wrap them in types of its own, which lead to them (`&*tx`).
///
/// # Errors
/// As [`enqueue`].
///
/// ```no_run
/// # async fn ordered() -> Result<(), Box<dyn std::error::Error>> {
/// use hookbox::model::event::NewEvent;
/// use hookbox::tokio_postgres::{NoTls, connect};
///
/// let (mut app, connection) = connect("postgres://localhost/app", NoTls).await?;
/// tokio::spawn(connection);
/// let tx = app.transaction().await?;
/// tx.execute("insert into orders (total) values (42)", &[]).await?;
/// hookbox::enqueue_async(&tx, &NewEvent::new("order.paid", r#"{"total":42}"#)).await?;
/// tx.commit().await?;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "postgres")]
pub async fn enqueue_async(
    connection: &impl tokio_postgres::GenericClient,
    event: &NewEvent,
) -> Result<()> {
    check(event)?;
    let source = match event.source {
        None => None,
        Some(id) => {
            let query = Bound::new(SOURCE_NAME, params! { ":id": id })?;
            match query.query(connection).await?.first() {
                Some(row) => Some(row.try_get::<_, String>(0)?),
                None => return Err(no_source()),
            }
        }
    };
    let row = OutboxRow::new(event, source);
    let insert = Bound::new(INSERT, &row.params())?;
    insert.change_one(connection).await
}

const SOURCE_NAME: &str = "select name from hookbox_source where id = :id and removed_ms is null";

const INSERT: &str =
    "insert into hookbox_outbox_row (type, body, key, source, content_type, headers)
     values (:type, :body, :key, :source, :content_type, :headers)";

fn no_source() -> Error {
    Error::not_found("the event's source is not there")
}

/// An event in the columns of the outbox.
struct OutboxRow<'e> {
    event: &'e NewEvent,
    source: Option<String>,
    headers: Option<String>,
}

impl OutboxRow<'_> {
    fn new(event: &NewEvent, source: Option<String>) -> OutboxRow<'_> {
        OutboxRow {
            event,
            source,
            headers: headers_as_json(event),
        }
    }

    fn params(&self) -> [(&str, &dyn ToValue); 6] {
        [
            (":type", &self.event.event_type),
            (":body", &self.event.body),
            (":key", &self.event.key),
            (":source", &self.source),
            (":content_type", &self.event.content_type),
            (":headers", &self.headers),
        ]
    }
}

fn insert(conn: Conn<'_>, event: &NewEvent) -> Result<()> {
    let source: Option<String> = match event.source {
        None => None,
        Some(id) => {
            let name = conn.maybe(SOURCE_NAME, params! { ":id": id }, |row| row.get(0))?;
            Some(name.ok_or_else(no_source)?)
        }
    };
    conn.change_one(INSERT, &OutboxRow::new(event, source).params())
}

impl Store {
    /// Turns waiting rows of the outbox into events, a bounded number of them.
    ///
    /// # Errors
    /// [`Error::Database`] when it cannot be read or written; then all rows continue to wait.
    #[doc(hidden)]
    pub fn take_outbox(&self, now: Timestamp) -> Result<Taken> {
        let waiting = self.read(read_batch)?;
        if waiting.is_empty() {
            return Ok(Taken::default());
        }
        let mut ready = Vec::new();
        let mut problems = BTreeMap::new();
        for found in waiting {
            let made = match found {
                Ok(waiting) => {
                    let (row, at) = (waiting.row.clone(), moment(waiting.inserted, now));
                    let made = catch_panic(|| self.made_ready(waiting));
                    match made.unwrap_or_else(|fault| Err(Error::misuse(fault))) {
                        Ok(prepared) => Ok((row, prepared, at)),
                        Err(error @ (Error::Misuse(_) | Error::NotFound(_))) => {
                            Err((row, error.chain()))
                        }
                        Err(error) => return Err(error),
                    }
                }
                Err(broken) => Err(broken),
            };
            match made {
                Ok(made) => ready.push(made),
                Err((row, problem)) => {
                    tracing::warn!(row = row.id, problem, "outbox.problem");
                    problems.insert(row, problem);
                }
            }
        }
        self.published().ask_for_keys();
        self.write(move |tx| {
            let mut taken = Taken::default();
            for (row, prepared, at) in &ready {
                taken.events += usize::from(take(tx, row, prepared, *at)?);
            }
            for (row, problem) in &problems {
                taken.problems += set_problem(tx, row, problem)?;
            }
            Ok(taken)
        })
    }

    /// Lets the rows that could not become events be tried again: the cause may be gone.
    ///
    /// # Errors
    /// [`Error::Database`] when it cannot be written.
    #[doc(hidden)]
    pub fn retry_outbox(&self) -> Result<()> {
        let has_some = self.read(|conn| {
            let some: bool = conn.one(
                "select exists (select 1 from hookbox_outbox_row where problem is not null)",
                &[],
                |row| row.get(0),
            )?;
            Ok(some)
        })?;
        if !has_some {
            return Ok(());
        }
        self.write(|tx| {
            tx.conn.run(
                "update hookbox_outbox_row set problem = null
                 where problem is not null and problem <> :aside",
                params! { ":aside": in_progress::REASON },
            )?;
            Ok(())
        })
    }

    /// Stores why a row is not turned into an event, so that it is not tried again.
    ///
    /// # Errors
    /// [`Error::Database`] when it cannot be written.
    pub(crate) fn set_row_aside(&self, id: i64, problem: &'static str) -> Result<()> {
        self.write(move |tx| {
            tx.conn.run(
                "update hookbox_outbox_row set problem = :problem
                 where id = :id and problem is null",
                params! { ":id": id, ":problem": problem },
            )?;
            Ok(())
        })
    }

    fn made_ready(&self, row: Waiting) -> Result<Prepared> {
        let _held = self.work_log().take(WorkItem::Row(row.row.id));
        let mut event = row.event;
        if let Some(name) = &row.source {
            let directory = self.fresh_directory()?;
            let source = directory.source(name).ok_or_else(|| {
                Error::not_found(format!(
                    "its source {name} was removed; add it again, or delete the row from hookbox_outbox"
                ))
            })?;
            event.source = Some(source.id);
        }
        event.headers = read_headers(row.headers.as_deref())?;
        let mut prepared = self.prepare(event)?;
        // In the outbox the same key always means the same event, whatever the source's setting for repeats
        // is.
        prepared.may_replay = false;
        Ok(prepared)
    }
}

/// The time of the insert; `now` if a clock was wrong at that time.
fn moment(inserted: Timestamp, now: Timestamp) -> Timestamp {
    if (FIRST_PLAUSIBLE..=now).contains(&inserted) {
        inserted
    } else {
        now
    }
}

/// A row that can be read, or one that cannot be read, with the reason.
type Found = std::result::Result<Waiting, (RowId, String)>;

fn read_batch(conn: Conn<'_>) -> Result<Vec<Found>> {
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    let take = |row: &Row<'_>| {
        let found = read_row(row)?;
        bytes += found.as_ref().map_or(0, |row| row.event.body.len());
        waiting.push(found);
        Ok(match bytes >= BATCH_BYTES {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    };
    match conn.is_file() {
        true => conn.each(NEXT, params! { ":limit": BATCH_ROWS }, take)?,
        false => conn.each(
            NEXT_ON_SERVER,
            params! { ":limit": BATCH_ROWS, ":bytes": BATCH_BYTES },
            take,
        )?,
    }
    Ok(waiting)
}

fn read_row(row: &Row<'_>) -> Result<Found> {
    let id = RowId {
        id: row.get("id")?,
        mark: row.get("mark")?,
    };
    // SQLite stores any bytes that a client calls a text.
    let mut broken = None;
    let mut text = |name: &'static str| -> Result<Option<String>> {
        Ok(match row.value(name)? {
            Value::Text(bytes) => match String::from_utf8(bytes.into_owned()) {
                Ok(text) => Some(text),
                Err(_) => {
                    broken = Some(format!("its {name} is not UTF-8"));
                    None
                }
            },
            _ => None,
        })
    };
    let event_type = text("type")?;
    let (key, source) = (text("key")?, text("source")?);
    let (content_type, headers) = (text("content_type")?, text("headers")?);
    if let Some(problem) = broken {
        return Ok(Err((id, problem)));
    }
    let is_text: bool = row.get("is_text")?;
    let body = match row.value("body")? {
        Value::Text(text) => text.into_owned(),
        _ => row.get("body")?,
    };
    let usual = || match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        Ok(_) => "application/json",
        Err(_) if is_text => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    };
    let content_type = content_type.unwrap_or_else(|| usual().to_owned());
    Ok(Ok(Waiting {
        row: id,
        source,
        headers,
        inserted: row.get("inserted_ms")?,
        event: NewEvent {
            key,
            content_type: Some(content_type),
            ..NewEvent::new(event_type.unwrap_or_default(), body)
        },
    }))
}

/// The headers as they were inserted: an object, or an array of pairs.
fn read_headers(stored: Option<&str>) -> Result<Vec<Header>> {
    let Some(stored) = stored else {
        return Ok(Vec::new());
    };
    let bad = || Error::misuse("its headers are no JSON object of texts");
    let value: Json = serde_json::from_str(stored).map_err(|_| bad())?;
    let pair = |name: &str, value: &Json| Some((name.to_owned(), value.as_str()?.to_owned()));
    let headers: Option<Vec<Header>> = match &value {
        Json::Object(object) => object
            .iter()
            .map(|(name, value)| pair(name, value))
            .collect(),
        Json::Array(pairs) => pairs
            .iter()
            .map(|one| pair(one[0].as_str()?, &one[1]))
            .collect(),
        _ => None,
    };
    let headers = headers.ok_or_else(bad)?;
    check_headers(&headers)?;
    Ok(headers)
}

/// Checks that these can be sent as headers.
fn check_headers(headers: &[Header]) -> Result<()> {
    let fits = |(name, value): &&Header| {
        http::HeaderName::try_from(name.as_str()).is_ok()
            && http::HeaderValue::try_from(value.as_str()).is_ok()
    };
    match headers.iter().find(|header| !fits(header)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::misuse(format!(
            "`{name}` cannot be a header, or its value cannot be one's; write letters, digits and dashes, and no control characters"
        ))),
    }
}

/// Adds the event of a row; returns false if another process did, or the row was deleted.
fn take(tx: &mut Tx<'_>, row: &RowId, prepared: &Prepared, at: Timestamp) -> Result<bool> {
    let removed = tx.conn.run(
        "delete from hookbox_outbox_row where id = :id and mark = :mark and problem is null",
        params! { ":id": row.id, ":mark": row.mark },
    )?;
    if removed == 0 {
        return Ok(false);
    }
    accept(tx, prepared, at)?;
    Ok(true)
}

fn set_problem(tx: &Tx<'_>, row: &RowId, problem: &str) -> Result<usize> {
    tx.conn.run(
        "update hookbox_outbox_row set problem = :problem
         where id = :id and mark = :mark and problem is null",
        params! { ":id": row.id, ":mark": row.mark, ":problem": problem },
    )
}
