//! Adding and removing sources and endpoints.

use rusqlite::{OptionalExtension, named_params};

use super::Store;
use super::columns::Millis;
use super::writer::{Tx, expect_one};
use crate::error::{Error, Result};
use crate::model::check_name;
use crate::model::delivery::State;
use crate::model::endpoint::NewEndpoint;
use crate::model::id::{EndpointId, SourceId};
use crate::model::source::NewSource;
use crate::time::Timestamp;

/// Deliveries cancelled in one transaction, so that nobody waits long for the writer.
const CANCEL_BATCH: i64 = 1_000;

impl Store {
    /// Adds a source. One that was removed is revived: its events and keys are still its own.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the name is not a name or is taken. Nothing is changed then.
    pub fn add_source(&self, source: NewSource, now: Timestamp) -> Result<SourceId> {
        check_name(&source.name)?;
        if let Some(secret) = &source.secret {
            source.kind.check_secret(secret)?;
        }
        self.write(move |tx| {
            if tx.directory.source(&source.name).is_some() {
                return Err(Error::misuse(format!(
                    "there is a source named {} already; choose another name, or remove that one",
                    source.name
                )));
            }
            let id = tx
                .connection
                .prepare_cached(
                    "insert into hookbox_source (name, kind, secret, on_repeat, created_ms)
                     values (:name, :kind, :secret, :on_repeat, :now)
                     on conflict (name) do update set
                         kind = :kind, secret = :secret, on_repeat = :on_repeat, removed_ms = null
                     returning id",
                )?
                .query_row(
                    named_params! {
                        ":name": source.name,
                        ":kind": source.kind,
                        ":secret": source.secret.as_ref().map(|secret| secret.expose()),
                        ":on_repeat": source.on_repeat.unwrap_or(source.kind.default_on_repeat()),
                        ":now": now,
                    },
                    |row| row.get(0),
                )?;
            tx.changes.configured();
            Ok(id)
        })
    }

    /// Removes a source: its path answers 404 from then on. Its events stay.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such source.
    pub fn remove_source(&self, name: &str, now: Timestamp) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| {
            let source = tx.directory.source(&name).ok_or_else(|| no_source(&name))?;
            let changed = tx.connection
                .prepare_cached(
                    "update hookbox_source set removed_ms = :now where id = :id and removed_ms is null",
                )?
                .execute(named_params! { ":now": now, ":id": source.id })?;
            tx.changes.configured();
            expect_one(changed)
        })
    }

    /// Counts requests that were refused at the door, so that a wrong secret is seen.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when it cannot be stored.
    pub fn count_refusals(&self, counts: Vec<(SourceId, i64)>) -> Result<()> {
        self.write(move |tx| count_refusals(tx, &counts))
    }

    /// As [`Store::count_refusals`], without waiting: `answer` is called after the commit, on the
    /// writer's thread.
    pub fn count_refusals_then(
        &self,
        counts: Vec<(SourceId, i64)>,
        answer: impl FnOnce(Result<()>) + Send + 'static,
    ) {
        self.submit(0, false, move |tx| count_refusals(tx, &counts), answer);
    }

    /// Adds an endpoint: events accepted from now on are owed to it. One that was removed is
    /// revived: its old deliveries can be replayed to where it is now.
    ///
    /// # Errors
    /// [`Error::Misuse`] when a part is out of its limits or the name is taken. Nothing is
    /// changed then.
    pub fn add_endpoint(&self, endpoint: NewEndpoint, now: Timestamp) -> Result<EndpointId> {
        endpoint.check()?;
        self.write(move |tx| {
            if tx.directory.endpoint(&endpoint.name).is_some() {
                return Err(Error::misuse(format!(
                    "there is an endpoint named {} already; choose another name, or remove that one",
                    endpoint.name
                )));
            }
            let id = tx
                .connection
                .prepare_cached(
                    "insert into hookbox_endpoint (
                         name, url, format, sign, secret, timeout_ms, concurrency, retry, created_ms
                     ) values (
                         :name, :url, :format, :sign, :secret, :timeout, :concurrency, :retry, :now
                     )
                     on conflict (name) do update set
                         url = :url, format = :format, sign = :sign, secret = :secret,
                         timeout_ms = :timeout, concurrency = :concurrency, retry = :retry,
                         removed_ms = null
                     returning id",
                )?
                .query_row(
                    named_params! {
                        ":name": endpoint.name,
                        ":url": endpoint.url.as_text(),
                        ":format": endpoint.format,
                        ":sign": endpoint.scheme,
                        ":secret": endpoint.secret.as_ref().map(|secret| secret.expose()),
                        ":timeout": Millis(endpoint.timeout),
                        ":concurrency": endpoint.concurrency,
                        ":retry": endpoint.retry.to_string(),
                        ":now": now,
                    },
                    |row| row.get(0),
                )?;
            tx.changes.configured();
            Ok(id)
        })
    }

    /// Removes an endpoint. Its deliveries stay to be looked at; pending ones are cancelled, with
    /// the reason, if `cancel_pending` allows it. Returns how many were.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such endpoint; [`Error::Misuse`] when deliveries are
    /// pending and may not be cancelled.
    pub fn remove_endpoint(&self, name: &str, cancel_pending: bool, now: Timestamp) -> Result<i64> {
        let mut cancelled = 0;
        loop {
            let name = name.to_owned();
            let (batch, done) =
                self.write(move |tx| remove_endpoint_batch(tx, &name, cancel_pending, now))?;
            cancelled += batch;
            if done {
                return Ok(cancelled);
            }
        }
    }
}

fn count_refusals(tx: &mut Tx<'_>, counts: &[(SourceId, i64)]) -> Result<()> {
    for (source, count) in counts {
        tx.changes.refused(*source, *count);
    }
    Ok(())
}

/// Cancels one batch; when none is left, removes the endpoint in the same transaction.
fn remove_endpoint_batch(
    tx: &mut Tx<'_>,
    name: &str,
    cancel_pending: bool,
    now: Timestamp,
) -> Result<(i64, bool)> {
    let endpoint = tx
        .directory
        .endpoint(name)
        .ok_or_else(|| no_endpoint(name))?
        .clone();
    let pending: Option<i64> = tx
        .connection
        .prepare_cached(
            "select id from hookbox_delivery where endpoint_id = :endpoint and state = 'pending' limit 1",
        )?
        .query_row(named_params! { ":endpoint": endpoint.id }, |row| row.get(0))
        .optional()?;
    if pending.is_some() && !cancel_pending {
        return Err(Error::misuse(format!(
            "endpoint {name} has deliveries pending; to cancel them and remove it, add --cancel-pending"
        )));
    }
    let batch = tx
        .connection
        .prepare_cached(
            "update hookbox_delivery
             set state = 'cancelled', due_ms = null, settled_ms = :now, reason = 'the endpoint was removed'
             where state = 'pending' and id in (
                 select id from hookbox_delivery
                 where endpoint_id = :endpoint and state = 'pending'
                 limit :limit
             )",
        )?
        .execute(named_params! { ":now": now, ":endpoint": endpoint.id, ":limit": CANCEL_BATCH })?;
    let batch = i64::try_from(batch).unwrap_or(CANCEL_BATCH);
    if batch > 0 {
        tx.changes
            .deliveries_moved(endpoint.id, State::Pending, State::Cancelled, batch);
    }
    if batch == CANCEL_BATCH {
        return Ok((batch, false));
    }
    // Nobody waits for it any more.
    tx.connection
        .prepare_cached(
            "update hookbox_outage set ended_ms = :now where endpoint_id = :id and ended_ms is null",
        )?
        .execute(named_params! { ":now": now, ":id": endpoint.id })?;
    let changed = tx
        .connection
        .prepare_cached(
            "update hookbox_endpoint set removed_ms = :now where id = :id and removed_ms is null",
        )?
        .execute(named_params! { ":now": now, ":id": endpoint.id })?;
    expect_one(changed)?;
    tx.changes.configured();
    Ok((batch, true))
}

/// The error for a source that is not there.
pub(super) fn no_source(name: &str) -> Error {
    Error::not_found(format!(
        "no source named {name}; `hookbox source list` shows what there is"
    ))
}

/// The error for an endpoint that is not there.
pub(super) fn no_endpoint(name: &str) -> Error {
    Error::not_found(format!(
        "no endpoint named {name}; `hookbox endpoint list` shows what there is"
    ))
}
