//! Stored answers to requests that have an idempotency key.
//!
//! A repeated request gets the answer of the first one and changes nothing. That a request was done is
//! written in the same transaction as its changes. Its answer is written right after that transaction. If
//! the process ends in between, the answer to the repeat says only that the request was done.

use crate::error::Result;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::job::Tx;
use crate::time::Timestamp;

/// How many answers are kept, and for how long.
const KEPT_MAX: i64 = 10_000;
const KEPT_MS: i64 = 86_400_000;

/// A request with an idempotency key: it is done once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentRequest {
    /// The idempotency key.
    pub key: String,
    /// The hash of what the request asks for.
    pub request: String,
    /// When the request came.
    pub at: Timestamp,
}

/// What is known of an earlier request with this key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The hash of the request.
    pub request: String,
    /// The answer's status and body; `None` if the process ended after the request and before its answer
    /// was stored.
    pub answer: Option<(u16, Vec<u8>)>,
}

impl Store {
    /// Returns what was answered to a request with this key in the last day.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    #[doc(hidden)]
    pub fn stored_answer(&self, key: &str, now: Timestamp) -> Result<Option<StoredAnswer>> {
        self.read(|conn| {
            conn.maybe(
                "select request, status, body from hookbox_answer
                 where key = :key and made_ms > :now - :kept",
                params! { ":key": key, ":now": now, ":kept": KEPT_MS },
                |row| {
                    let status: Option<u16> = row.get(1)?;
                    let body: Option<Vec<u8>> = row.get(2)?;
                    Ok(StoredAnswer {
                        request: row.get(0)?,
                        answer: status.zip(body),
                    })
                },
            )
        })
    }

    /// Stores the answer to a request for a day, if the request was done.
    ///
    /// A rejected request changed nothing and may be sent again, so its answer is not stored. A request
    /// that is `fine` counts as done even if it had nothing to write.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when nothing can be written.
    #[doc(hidden)]
    pub fn store_answer(
        &self,
        once: IdempotentRequest,
        status: u16,
        body: Vec<u8>,
        fine: bool,
    ) -> Result<()> {
        self.write(move |tx| {
            if fine {
                mark(tx, &once)?;
            }
            tx.conn.run(
                "update hookbox_answer set status = :status, body = :body
                 where key = :key and request = :request and status is null",
                params! {
                    ":key": once.key, ":request": once.request, ":status": status, ":body": body,
                },
            )?;
            Ok(())
        })
    }
}

/// Records that a request was done, and deletes the records that are too old.
pub(crate) fn mark(tx: &Tx<'_>, once: &IdempotentRequest) -> Result<()> {
    tx.conn.run(
        "delete from hookbox_answer
         where id in (
             select id from hookbox_answer where made_ms <= :now - :kept limit 100
         )",
        params! { ":now": once.at, ":kept": KEPT_MS },
    )?;
    tx.conn.run(
        "delete from hookbox_answer
         where id <= (select max(id) - :count from hookbox_answer)
             or (key = :key and made_ms <= :now - :kept)",
        params! {
            ":count": KEPT_MAX, ":key": once.key, ":now": once.at, ":kept": KEPT_MS,
        },
    )?;
    tx.conn.run(
        "insert into hookbox_answer (key, request, made_ms)
         values (:key, :request, :now)
         on conflict (key) do nothing",
        params! {
            ":key": once.key, ":request": once.request, ":now": once.at,
        },
    )?;
    Ok(())
}
