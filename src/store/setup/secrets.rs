//! Replaced secrets of sources and endpoints, which stay valid for some time.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::signature::Secret;
use crate::store::engine::conn::params;
use crate::store::engine::job::Tx;
use crate::time::Timestamp;

/// Maximum overlap: who has not changed the secret in a sender for a year has forgotten it.
const OVERLAP_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// Maximum replaced secrets that are valid at once: a request that matches no newer one is checked
/// with each.
const OLD_MAX: i64 = 8;

/// The source or endpoint that a secret belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    /// `source` or `endpoint`.
    pub(crate) of: &'static str,
    pub(crate) id: i64,
}

/// Keeps the secret that `new` replaces valid for the time `overlap`; expired secrets are deleted.
/// Without an overlap all secrets that were replaced earlier expire too: a secret was leaked.
pub(crate) fn keep(
    tx: &Tx<'_>,
    owner: Owner,
    old: Option<&Secret>,
    new: &Secret,
    overlap: Duration,
    now: Timestamp,
) -> Result<()> {
    if old == Some(new) {
        return Err(Error::misuse(format!(
            "this is the secret that the {} has already; give another one",
            owner.of
        )));
    }
    if overlap > OVERLAP_MAX {
        return Err(Error::misuse("--overlap is 366d at most"));
    }
    forget(tx, owner, now)?;
    if overlap.is_zero() {
        tx.conn.run(
            "update hookbox_old_secret set ends_ms = :now
             where of = :of and owner_id = :owner and ends_ms > :now",
            params! { ":now": now, ":of": owner.of, ":owner": owner.id },
        )?;
    }
    let holding: i64 = tx.conn.one(
        "select count(*) from hookbox_old_secret
         where of = :of and owner_id = :owner and ends_ms > :now",
        params! { ":now": now, ":of": owner.of, ":owner": owner.id },
        |row| row.get(0),
    )?;
    if holding >= OLD_MAX {
        return Err(Error::misuse(format!(
            "{holding} replaced secrets still hold; with --overlap 0s all of them end"
        )));
    }
    let Some(old) = old else {
        return Ok(());
    };
    tx.conn.run(
        "insert into hookbox_old_secret (of, owner_id, secret, ends_ms)
         values (:of, :owner, :secret, :ends)",
        params! {
            ":of": owner.of,
            ":owner": owner.id,
            ":secret": old.expose(),
            ":ends": now.plus(overlap),
        },
    )?;
    Ok(())
}

/// Deletes the replaced secrets that expired by this time.
pub(crate) fn forget(tx: &Tx<'_>, owner: Owner, by: Timestamp) -> Result<()> {
    tx.conn.run(
        "delete from hookbox_old_secret
         where of = :of and owner_id = :owner and ends_ms <= :by",
        params! { ":of": owner.of, ":owner": owner.id, ":by": by },
    )?;
    Ok(())
}

/// Deletes all replaced secrets.
pub(crate) fn forget_all(tx: &Tx<'_>, owner: Owner) -> Result<()> {
    forget(tx, owner, Timestamp(i64::MAX))
}
