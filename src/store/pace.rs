//! What an endpoint with a rate was sent lately: a row that each of its attempts writes anew.

use rusqlite::{Connection, named_params};

use super::Store;
use super::columns::Moments;
use super::job::Tx;
use crate::error::Result;
use crate::model::id::EndpointId;
use crate::time::Timestamp;

/// What an endpoint was sent lately, and until when it is sent nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentPace {
    /// When requests ended, oldest first.
    pub ended: Vec<Timestamp>,
    /// It asked for nothing before.
    pub not_before: Timestamp,
    /// Nothing is sent before, by its rate or since it asked for that.
    pub until: Timestamp,
}

impl Store {
    /// What the last process knew of an endpoint's pace, if anything limited it.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub(crate) fn recent_pace(&self, endpoint: EndpointId) -> Result<Option<RecentPace>> {
        self.read(|connection| read(connection, endpoint))
    }
}

fn read(connection: &Connection, endpoint: EndpointId) -> Result<Option<RecentPace>> {
    let mut rows = connection.prepare_cached(
        "select ended, not_before_ms, until_ms from hookbox_pace where endpoint_id = :id",
    )?;
    let mut rows = rows.query(named_params! { ":id": endpoint })?;
    match rows.next()? {
        None => Ok(None),
        Some(row) => Ok(Some(RecentPace {
            ended: row.get::<_, Moments>("ended")?.0,
            not_before: row.get("not_before_ms")?,
            until: row.get("until_ms")?,
        })),
    }
}

pub(super) fn write(tx: &Tx<'_>, endpoint: EndpointId, pace: &RecentPace) -> Result<()> {
    tx.connection
        .prepare_cached(
            "insert into hookbox_pace (endpoint_id, ended, not_before_ms, until_ms)
             values (:id, :ended, :not_before, :until)
             on conflict (endpoint_id) do update set
                 ended = :ended, not_before_ms = :not_before, until_ms = :until",
        )?
        .execute(named_params! {
            ":id": endpoint,
            ":ended": Moments(pace.ended.clone()),
            ":not_before": pace.not_before,
            ":until": pace.until,
        })?;
    Ok(())
}
