//! Answers to requests that came with an idempotency key, so that a repeat is answered as the first
//! was, and does nothing.

use rusqlite::{OptionalExtension, named_params};

use super::Store;
use crate::error::Result;
use crate::time::Timestamp;

/// How many are kept, and for how long.
const KEPT_MAX: i64 = 10_000;
const KEPT_MS: i64 = 86_400_000;

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The hash of the request.
    pub request: String,
    /// The answer's status.
    pub status: u16,
    /// The answer's body.
    pub body: Vec<u8>,
}

impl Store {
    /// The answer that was given to a request with this key in the last day.
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
                        Ok(KeptAnswer {
                            request: row.get(0)?,
                            status: row.get(1)?,
                            body: row.get(2)?,
                        })
                    },
                )
                .optional()?;
            Ok(kept)
        })
    }

    /// Keeps the answer to a request with this key for a day.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when nothing can be written.
    pub fn keep_answer(&self, key: &str, answer: KeptAnswer, now: Timestamp) -> Result<()> {
        let key = key.to_owned();
        self.write(move |tx| {
            tx.connection
                .prepare_cached(
                    "delete from hookbox_answer
                     where id in (
                         select id from hookbox_answer where made_ms <= :now - :kept limit 100
                     )",
                )?
                .execute(named_params! { ":now": now, ":kept": KEPT_MS })?;
            tx.connection
                .prepare_cached(
                    "delete from hookbox_answer
                     where id <= (select max(id) - :count from hookbox_answer)",
                )?
                .execute(named_params! { ":count": KEPT_MAX })?;
            tx.connection
                .prepare_cached(
                    "insert into hookbox_answer (key, request, status, body, made_ms)
                     values (:key, :request, :status, :body, :now)
                     on conflict (key) do nothing",
                )?
                .execute(named_params! {
                    ":key": key,
                    ":request": answer.request,
                    ":status": answer.status,
                    ":body": answer.body,
                    ":now": now,
                })?;
            Ok(())
        })
    }
}
