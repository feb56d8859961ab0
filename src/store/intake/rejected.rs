//! Rejected requests: they are counted, and the latest are kept.

use crate::error::Result;
use crate::model::id::SourceId;
use crate::model::rejected::{REJECTED_KEPT, RejectedRequest};
use crate::store::engine::Store;
use crate::store::engine::columns::{Headers, HeadersRef};
use crate::store::engine::conn::{Row, params};
use crate::store::engine::job::{Outline, Tx};

/// The requests that a source rejected since the last write.
#[derive(Debug, Clone)]
pub struct SourceRejections {
    /// The source.
    pub source: SourceId,
    /// How many were rejected.
    pub count: i64,
    /// The latest of them, oldest first.
    pub latest: Vec<RejectedRequest>,
}

impl Store {
    /// Writes rejected requests to the store, so that a wrong secret is noticed.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when they cannot be stored.
    #[doc(hidden)]
    pub fn record_rejected(&self, refusals: Vec<SourceRejections>) -> Result<()> {
        self.write(move |tx| note(tx, &refusals))
    }

    /// As [`Store::record_rejected`], without waiting: `answer` is called after the commit, on the
    /// writer's thread.
    #[doc(hidden)]
    pub fn record_rejected_then(
        &self,
        refusals: Vec<SourceRejections>,
        answer: impl FnOnce(Result<()>) + Send + 'static,
    ) {
        self.submit(Outline::default(), move |tx| note(tx, &refusals), answer);
    }

    /// The latest requests that a source rejected, newest first; a hundred at most.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such source.
    pub fn refusals(&self, source: &str) -> Result<Vec<RejectedRequest>> {
        let directory = self.fresh_directory()?;
        let source = directory.require_source(source)?.id;
        self.read(|conn| {
            conn.all::<RejectedRequest>(
                "select at_ms, count, address, status, reason, headers
                 from hookbox_rejected_request
                 where source_id = :source
                 order by number desc",
                params! { ":source": source },
                read_refusal,
            )
        })
    }
}

fn note(tx: &mut Tx<'_>, refusals: &[SourceRejections]) -> Result<()> {
    for of_source in refusals {
        tx.tally.rejected(of_source.source, of_source.count);
        let mut number: i64 = tx.conn.one(
            "select coalesce(max(number), 0) from hookbox_rejected_request where source_id = :source",
            params! { ":source": of_source.source },
            |row| row.get(0),
        )?;
        for refusal in &of_source.latest {
            number += 1;
            let before: Option<i64> = tx.conn.maybe(
                "delete from hookbox_rejected_request
                 where source_id = :source and address = :address and status = :status
                   and reason = :reason
                 returning count",
                params! {
                    ":source": of_source.source,
                    ":address": refusal.address,
                    ":status": refusal.status,
                    ":reason": refusal.reason,
                },
                |row| row.get(0),
            )?;
            tx.conn.run(
                "insert into hookbox_rejected_request (
                     source_id, number, at_ms, count, address, status, reason, headers
                 ) values (:source, :number, :at, :count, :address, :status, :reason, :headers)",
                params! {
                    ":source": of_source.source,
                    ":number": number,
                    ":at": refusal.at,
                    ":count": refusal.count + before.unwrap_or(0),
                    ":address": refusal.address,
                    ":status": refusal.status,
                    ":reason": refusal.reason,
                    ":headers": HeadersRef(&refusal.headers),
                },
            )?;
        }
        tx.conn.run(
            "delete from hookbox_rejected_request
             where source_id = :source and number not in (
                 select number from hookbox_rejected_request
                 where source_id = :source
                 order by number desc
                 limit :kept
             )",
            params! {
                ":source": of_source.source,
                ":kept": REJECTED_KEPT as i64,
            },
        )?;
    }
    Ok(())
}

fn read_refusal(row: &Row<'_>) -> Result<RejectedRequest> {
    Ok(RejectedRequest {
        at: row.get("at_ms")?,
        count: row.get("count")?,
        address: row.get("address")?,
        status: row.get("status")?,
        reason: row.get("reason")?,
        headers: row.get::<Headers>("headers")?.0,
    })
}
