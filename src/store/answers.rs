//! Answers to requests that came with an idempotency key, so that a repeat is answered as the first
//! was, and does nothing.
//!
//! That a request was done is written in the transaction that does it. Its answer is made of what that
//! left, and written right behind it: where the process ended in between, the repeat is told just that.

use std::sync::Arc;

use rusqlite::{OptionalExtension, named_params};

use super::Store;
use super::job::Tx;
use crate::error::Result;
use crate::time::Timestamp;

/// How many are kept, and for how long.
const KEPT_MAX: i64 = 10_000;
const KEPT_MS: i64 = 86_400_000;

/// A request that is done once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Its key.
    pub key: String,
    /// The hash of what it asks for.
    pub request: String,
    /// When it came.
    pub at: Timestamp,
}

/// What is known of an earlier request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The hash of the request.
    pub request: String,
    /// The answer's status and body; `None` where it was done and the process ended before that was kept.
    pub answer: Option<(u16, Vec<u8>)>,
}

impl Store {
    /// A handle whose writes are those of one request: with the first of them it is known to be done.
    pub fn once(&self, once: Once) -> Store {
        Store {
            inner: self.inner.clone(),
            once: Some(Arc::new(once)),
        }
    }

    /// What was answered to a request with this key in the last day.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub fn kept_answer(&self, key: &str, now: Timestamp) -> Result<Option<KeptAnswer>> {
        self.read(|connection| {
            let kept = connection
                .prepare_cached(
                    "select request, status, body from hookbox_answer
                     where key = :key and made_ms > :now - :kept",
                )?
                .query_row(
                    named_params! { ":key": key, ":now": now, ":kept": KEPT_MS },
                    |row| {
                        let status: Option<u16> = row.get(1)?;
                        let body: Option<Vec<u8>> = row.get(2)?;
                        Ok(KeptAnswer {
                            request: row.get(0)?,
                            answer: status.zip(body),
                        })
                    },
                )
                .optional()?;
            Ok(kept)
        })
    }

    /// Keeps the answer to a request for a day, where it was done: what was refused changed nothing, and
    /// may be asked again. One that is `fine` was done though nothing had to be written.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when nothing can be written.
    pub fn keep_answer(&self, once: Once, status: u16, body: Vec<u8>, fine: bool) -> Result<()> {
        self.write(move |tx| {
            if fine {
                mark(tx, &once)?;
            }
            tx.connection
                .prepare_cached(
                    "update hookbox_answer set status = :status, body = :body
                     where key = :key and request = :request and status is null",
                )?
                .execute(named_params! {
                    ":key": once.key, ":request": once.request, ":status": status, ":body": body,
                })?;
            Ok(())
        })
    }
}

/// Notes that a request was done; what is too old is forgotten.
pub(super) fn mark(tx: &Tx<'_>, once: &Once) -> Result<()> {
    tx.connection
        .prepare_cached(
            "delete from hookbox_answer
             where id in (
                 select id from hookbox_answer where made_ms <= :now - :kept limit 100
             )",
        )?
        .execute(named_params! { ":now": once.at, ":kept": KEPT_MS })?;
    tx.connection
        .prepare_cached(
            "delete from hookbox_answer
             where id <= (select max(id) - :count from hookbox_answer)
                 or (key = :key and made_ms <= :now - :kept)",
        )?
        .execute(named_params! {
            ":count": KEPT_MAX, ":key": once.key, ":now": once.at, ":kept": KEPT_MS,
        })?;
    tx.connection
        .prepare_cached(
            "insert into hookbox_answer (key, request, made_ms)
             values (:key, :request, :now)
             on conflict (key) do nothing",
        )?
        .execute(named_params! {
            ":key": once.key, ":request": once.request, ":now": once.at,
        })?;
    Ok(())
}
