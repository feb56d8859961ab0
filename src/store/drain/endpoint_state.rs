//! What the scheduler knows of an endpoint and must keep over a restart: the recent requests to an endpoint
//! with a rate limit, and for how long a failing endpoint has refused everything.

use std::time::Duration;

use crate::error::Result;
use crate::model::id::EndpointId;
use crate::store::engine::Store;
use crate::store::engine::columns::{Millis, Moments};
use crate::store::engine::conn::{Conn, params};
use crate::store::engine::job::Tx;
use crate::time::Timestamp;

/// The recent requests to an endpoint, and until when nothing is sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentPace {
    /// When requests ended, oldest first.
    pub ended: Vec<Timestamp>,
    /// The endpoint asked for no request before this time (`Retry-After`).
    pub not_before: Timestamp,
    /// Nothing is sent before this time, because of the rate limit or of what the endpoint asked for.
    pub until: Timestamp,
}

/// The state of an endpoint as the last process, or another node, left it.
pub(crate) struct LaneState {
    /// Whether the endpoint could not be reached.
    pub(crate) is_offline: bool,
    /// The recent requests, if a rate limit or the endpoint itself limited its pace.
    pub(crate) pace: Option<RecentPace>,
    /// For how long it has refused everything, if it is failing.
    pub(crate) failing_for: Option<Duration>,
}

impl Store {
    /// The state of an endpoint, for the scheduler that begins to send to it.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when it cannot be read.
    pub(crate) fn lane_state(&self, endpoint: EndpointId) -> Result<LaneState> {
        self.read(|conn| {
            let outage = conn.maybe(
                "select 1 from hookbox_outage where endpoint_id = :id and ended_ms is null",
                params! { ":id": endpoint },
                |_| Ok(()),
            )?;
            Ok(LaneState {
                is_offline: outage.is_some(),
                pace: read(conn, endpoint)?,
                failing_for: read_failing(conn, endpoint)?,
            })
        })
    }
}

fn read(conn: Conn<'_>, endpoint: EndpointId) -> Result<Option<RecentPace>> {
    conn.maybe(
        "select ended, not_before_ms, until_ms from hookbox_pace where endpoint_id = :id",
        params! { ":id": endpoint },
        |row| {
            Ok(RecentPace {
                ended: row.get::<Moments>("ended")?.0,
                not_before: row.get("not_before_ms")?,
                until: row.get("until_ms")?,
            })
        },
    )
}

pub(crate) fn write(tx: &Tx<'_>, endpoint: EndpointId, pace: &RecentPace) -> Result<()> {
    tx.conn.run(
        "insert into hookbox_pace (endpoint_id, ended, not_before_ms, until_ms)
         values (:id, :ended, :not_before, :until)
         on conflict (endpoint_id) do update set
             ended = :ended, not_before_ms = :not_before, until_ms = :until",
        params! {
            ":id": endpoint,
            ":ended": Moments(pace.ended.clone()),
            ":not_before": pace.not_before,
            ":until": pace.until,
        },
    )?;
    Ok(())
}

/// For how long an endpoint has refused everything; `None` when it is not failing.
pub(crate) fn read_failing(conn: Conn<'_>, endpoint: EndpointId) -> Result<Option<Duration>> {
    let lasting: Option<Millis> = conn.maybe(
        "select lasting_ms from hookbox_failing_endpoint where endpoint_id = :id",
        params! { ":id": endpoint },
        |row| row.get(0),
    )?;
    Ok(lasting.map(|span| span.0))
}

/// Forgets for how long the endpoint has refused everything: it no longer does, or its URL changed.
pub(crate) fn forget_failing(tx: &Tx<'_>, id: EndpointId) -> Result<()> {
    tx.conn.run(
        "delete from hookbox_failing_endpoint where endpoint_id = :id",
        params! { ":id": id },
    )?;
    Ok(())
}
