//! The outbox: what other programs put in by SQL, in their own transactions, made into events.
//!
//! The trigger in `schema.sql` checks what is put in; here it is taken over, a bounded piece at a
//! time, each row in the transaction of its event. Nothing is lost on the way: what no event can be
//! made of stays, with the reason.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, named_params};
use serde_json::Value;

use super::Store;
use super::enqueue::{Prepared, accept};
use super::expire::FIRST_PLAUSIBLE;
use super::job::Tx;
use super::writer::expect_one;
use crate::error::{Error, Result};
use crate::model::event::NewEvent;
use crate::model::header::Header;
use crate::time::Timestamp;

/// Rows that are taken over in one transaction, and the bytes of their bodies.
const BATCH_ROWS: i64 = 128;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// What a look at the outbox came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Rows that were made into events, or were repeats of a known key.
    pub events: usize,
    /// Rows of which no event could be made.
    pub problems: usize,
}

impl Taken {
    /// Whether there may be more.
    pub fn is_some(&self) -> bool {
        self.events + self.problems > 0
    }
}

/// A row of the outbox.
struct Waiting {
    id: i64,
    event: NewEvent,
    source: Option<String>,
    headers: Option<String>,
    inserted: Timestamp,
}

const NEXT: &str = "select id, type, body, key, source, content_type, headers, inserted_ms
     from hookbox_outbox_row
     where problem is null
     order by id
     limit :limit";

/// Puts an event into the outbox, in a transaction of the caller's own: it commits, or rolls back,
/// with whatever else that does. Whoever serves the file makes it an event within some 50 ms; where
/// its key is known, it is the same event and this does nothing.
///
/// The connection must be one to a file that has hookbox's tables
/// ([`Missing::CreateOrExtend`](super::Missing::CreateOrExtend), or `schema.sql`).
///
/// # Errors
/// [`Error::Misuse`] when the event is not well formed; [`Error::Sqlite`] when it cannot be written,
/// or the tables are not there. Nothing is put in then.
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
pub fn enqueue(connection: &Connection, event: &NewEvent) -> Result<()> {
    event.check()?;
    if event.body.len() > crate::model::event::BODY_BYTES_MAX {
        return Err(Error::misuse(format!(
            "the body is {} bytes, limit is {}",
            event.body.len(),
            crate::model::event::BODY_BYTES_MAX
        )));
    }
    let headers = match event.headers.as_slice() {
        [] => None,
        headers => Some(serde_json::json!(headers).to_string()),
    };
    let inserted = connection
        .prepare_cached(
            "insert into hookbox_outbox_row (type, body, key, source, content_type, headers)
             values (
                 :type, :body, :key, (select name from hookbox_source where id = :source),
                 :content_type, :headers
             )",
        )?
        .execute(named_params! {
            ":type": event.event_type,
            ":body": event.body,
            ":key": event.key,
            ":source": event.source,
            ":content_type": event.content_type,
            ":headers": headers,
        })?;
    expect_one(inserted)
}

impl Store {
    /// Makes events of what waits in the outbox, a bounded piece of it.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when it cannot be read or written; then all of it waits on.
    pub fn take_outbox(&self, now: Timestamp) -> Result<Taken> {
        let waiting = self.read(read_batch)?;
        if waiting.is_empty() {
            return Ok(Taken::default());
        }
        let mut ready = Vec::new();
        let mut problems = BTreeMap::new();
        for row in waiting {
            let (id, at) = (row.id, moment(row.inserted, now));
            match self.made_ready(row) {
                Ok(prepared) => ready.push((id, prepared, at)),
                Err(error @ (Error::Misuse(_) | Error::NotFound(_))) => {
                    tracing::warn!(row = id, error = error.chain(), "outbox.problem");
                    problems.insert(id, error.chain());
                }
                Err(error) => return Err(error),
            }
        }
        self.inner.published.ask_for_keys();
        self.write(move |tx| {
            let mut taken = Taken::default();
            for (id, prepared, at) in &ready {
                taken.events += usize::from(take(tx, *id, prepared, *at)?);
            }
            for (id, problem) in &problems {
                taken.problems += set_problem(tx, *id, problem)?;
            }
            Ok(taken)
        })
    }

    /// Lets those be tried again of which no event could be made: what was in their way may be gone.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when it cannot be written.
    pub fn retry_outbox(&self) -> Result<()> {
        let has_some = self.read(|connection| {
            let some: bool = connection
                .prepare_cached(
                    "select exists (select 1 from hookbox_outbox_row where problem is not null)",
                )?
                .query_row([], |row| row.get(0))?;
            Ok(some)
        })?;
        if !has_some {
            return Ok(());
        }
        self.write(|tx| {
            tx.connection
                .prepare_cached(
                    "update hookbox_outbox_row set problem = null where problem is not null",
                )?
                .execute([])?;
            Ok(())
        })
    }

    fn made_ready(&self, row: Waiting) -> Result<Prepared> {
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
        // The same key again is the same event, whatever a source's senders mean by it.
        prepared.may_replay = false;
        Ok(prepared)
    }
}

/// When it was put in, unless a clock was wrong then.
fn moment(inserted: Timestamp, now: Timestamp) -> Timestamp {
    if (FIRST_PLAUSIBLE..=now).contains(&inserted) {
        inserted
    } else {
        now
    }
}

fn read_batch(connection: &Connection) -> Result<Vec<Waiting>> {
    let mut next = connection.prepare_cached(NEXT)?;
    let mut rows = next.query(named_params! { ":limit": BATCH_ROWS })?;
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let row = read_row(row)?;
        bytes += row.event.body.len();
        waiting.push(row);
        if bytes >= BATCH_BYTES {
            break;
        }
    }
    Ok(waiting)
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    let (body, is_text) = match row.get_ref("body")? {
        ValueRef::Text(text) => (text.to_vec(), true),
        other => (other.as_blob()?.to_vec(), false),
    };
    let content_type: Option<String> = row.get("content_type")?;
    let usual = || match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        Ok(_) => "application/json",
        Err(_) if is_text => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    };
    let content_type = content_type.unwrap_or_else(|| usual().to_owned());
    Ok(Waiting {
        id: row.get("id")?,
        source: row.get("source")?,
        headers: row.get("headers")?,
        inserted: row.get("inserted_ms")?,
        event: NewEvent {
            key: row.get("key")?,
            content_type: Some(content_type),
            ..NewEvent::new(row.get::<_, String>("type")?, body)
        },
    })
}

/// Headers as they were put in: an object, or an array of pairs.
fn read_headers(stored: Option<&str>) -> Result<Vec<Header>> {
    let Some(stored) = stored else {
        return Ok(Vec::new());
    };
    let bad = || Error::misuse("its headers are no JSON object of texts");
    let value: Value = serde_json::from_str(stored).map_err(|_| bad())?;
    let pair = |name: &str, value: &Value| Some((name.to_owned(), value.as_str()?.to_owned()));
    let headers: Option<Vec<Header>> = match &value {
        Value::Object(object) => object
            .iter()
            .map(|(name, value)| pair(name, value))
            .collect(),
        Value::Array(pairs) => pairs
            .iter()
            .map(|one| pair(one[0].as_str()?, &one[1]))
            .collect(),
        _ => None,
    };
    let headers = headers.ok_or_else(bad)?;
    let fits = |(name, value): &Header| {
        http::HeaderName::try_from(name).is_ok() && http::HeaderValue::try_from(value).is_ok()
    };
    if headers.iter().all(fits) {
        Ok(headers)
    } else {
        Err(bad())
    }
}

/// Makes the event of a row; false where another process did.
fn take(tx: &mut Tx<'_>, id: i64, prepared: &Prepared, at: Timestamp) -> Result<bool> {
    let removed = tx
        .connection
        .prepare_cached("delete from hookbox_outbox_row where id = :id and problem is null")?
        .execute(named_params! { ":id": id })?;
    if removed == 0 {
        return Ok(false);
    }
    accept(tx, prepared, at)?;
    Ok(true)
}

fn set_problem(tx: &Tx<'_>, id: i64, problem: &str) -> Result<usize> {
    let changed = tx
        .connection
        .prepare_cached(
            "update hookbox_outbox_row set problem = :problem where id = :id and problem is null",
        )?
        .execute(named_params! { ":id": id, ":problem": problem })?;
    Ok(changed)
}
