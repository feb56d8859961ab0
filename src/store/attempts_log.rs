//! The latest attempts in the order in which they were written: what is followed.

use rusqlite::named_params;

use super::job::Tx;
use crate::error::Result;
use crate::model::id::DeliveryId;

/// Attempts that can be followed: whoever is further behind misses some, and is told.
const ATTEMPTS_KEPT: i64 = 8_192;

/// After so many new ones the oldest are removed.
const TRIM_AFTER: i64 = 1_024;

/// Notes an attempt for those who follow, in the transaction that writes it.
pub(super) fn attempt_added(tx: &Tx<'_>, delivery: DeliveryId, number: i64) -> Result<()> {
    tx.connection
        .prepare_cached(
            "insert into hookbox_recent_attempt (attempt_id) values (:delivery * 1024 + :number)",
        )?
        .execute(named_params! { ":delivery": delivery, ":number": number })?;
    let place = tx.connection.last_insert_rowid();
    if place % TRIM_AFTER == 0 {
        tx.connection
            .prepare_cached("delete from hookbox_recent_attempt where id <= :place - :kept")?
            .execute(named_params! { ":place": place, ":kept": ATTEMPTS_KEPT })?;
    }
    Ok(())
}
