//! Reports of the present state: each source, each endpoint, the totals.
//!
//! All values come from the counts kept beside the rows and from indexed lookups, so that an
//! overview costs the same however long the history is.

use std::collections::HashMap;
use std::time::Duration;

use crate::error::Result;
use crate::model::delivery::{DeliveryRecord, State};
use crate::model::endpoint::{Endpoint, EndpointReport, Hour};
use crate::model::id::EndpointId;
use crate::model::node::NodeRecord;
use crate::model::outage::Outage;
use crate::model::source::{Source, SourceReport};
use crate::model::standing::OfLate;
use crate::model::stats::Stats;
use crate::model::warning::{Answered, warnings};
use crate::store::drain::endpoint_state::read_failing;
use crate::store::engine::Store;
use crate::store::engine::conn::{Conn, params};
use crate::store::engine::directory::Directory;
use crate::store::engine::sqlite::disk_space::Inside;
use crate::store::engine::tally::HOUR_MS;
use crate::time::Timestamp;

impl Store {
    /// Every source with its counts.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub fn source_reports(&self) -> Result<Vec<SourceReport>> {
        let directory = self.fresh_directory()?;
        self.read(|conn| {
            directory
                .sources()
                .iter()
                .map(|source| report_source(conn, source))
                .collect()
        })
    }

    /// One source with its counts.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is none with this name.
    pub fn source_report(&self, name: &str) -> Result<SourceReport> {
        let directory = self.fresh_directory()?;
        let source = directory.require_source(name)?;
        self.read(|conn| report_source(conn, source))
    }

    /// Every endpoint with its present state.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub fn endpoint_reports(&self) -> Result<Vec<EndpointReport>> {
        let directory = self.fresh_directory()?;
        self.read(|conn| {
            directory
                .endpoints()
                .iter()
                .map(|endpoint| report_endpoint(conn, &directory, endpoint))
                .collect()
        })
    }

    /// What endpoints took in the last minute, as far as the newest attempts tell: few, since each is a read of the
    /// disk where the file was not read lately.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    #[doc(hidden)]
    pub fn delivered_of_late(&self, now: Timestamp) -> Result<HashMap<EndpointId, OfLate>> {
        let since = now.minus(Duration::from_secs(60));
        let found = self.read(|conn| {
            conn.all::<(EndpointId, OfLate)>(
                "select d.endpoint_id, count(*) as delivered, min(a.started_ms) as since
                 from (
                     select attempt_id from hookbox_recent_attempt order by id desc limit 64
                 ) as r
                 join hookbox_attempt as a on a.id = r.attempt_id
                 join hookbox_delivery as d on d.id = a.delivery_id
                 where a.outcome = 'delivered' and a.started_ms >= :since
                 group by d.endpoint_id",
                params! { ":since": since },
                |row| {
                    let of_late = OfLate {
                        delivered: row.get("delivered")?,
                        since: row.get("since")?,
                    };
                    Ok((row.get("endpoint_id")?, of_late))
                },
            )
        })?;
        Ok(found.into_iter().collect())
    }

    /// One endpoint with its present state.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is none with this name.
    pub fn endpoint_report(&self, name: &str) -> Result<EndpointReport> {
        let directory = self.fresh_directory()?;
        let endpoint = directory.require_endpoint(name)?;
        self.read(|conn| report_endpoint(conn, &directory, endpoint))
    }

    /// The endpoint of a delivery with its present state; `None` when it is removed.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    #[doc(hidden)]
    pub fn endpoint_of(&self, delivery: &DeliveryRecord) -> Result<Option<EndpointReport>> {
        let directory = self.fresh_directory()?;
        let Some(endpoint) = directory.endpoint_by_id(delivery.endpoint_id) else {
            return Ok(None);
        };
        self.read(|conn| report_endpoint(conn, &directory, endpoint).map(Some))
    }

    /// The totals, from the counts kept beside the rows.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        let sizes = self.sizes()?;
        self.read(|conn| {
            let inside = Inside::read(conn, &sizes)?;
            let nodes = nodes(conn)?;
            // One statement, so that all values are from the same moment.
            conn.one(
                "select coalesce(sum(case what when 'events' then value else -value end) filter (where of = 'source' and what in ('events', 'pruned')), 0) as events,
                        coalesce(sum(value) filter (where of = 'endpoint' and what = 'pending'), 0) as pending,
                        coalesce(sum(value) filter (where of = 'endpoint' and what = 'delivered'), 0) as delivered,
                        coalesce(sum(value) filter (where of = 'endpoint' and what = 'dead'), 0) as dead,
                        coalesce(sum(value) filter (where of = 'endpoint' and what = 'cancelled'), 0) as cancelled,
                        coalesce(sum(value) filter (where of = 'endpoint' and what = 'superseded'), 0) as superseded,
                        (select count(*) from hookbox_outbox_row) as outbox,
                        (select min((
                            select min(d.due_ms) from hookbox_delivery as d
                            where d.endpoint_id = p.id and d.state = 'pending'
                        )) from hookbox_endpoint as p) as oldest_due_ms
                 from hookbox_tally",
                &[],
                |row| {
                    Ok(Stats {
                        events: row.get("events")?,
                        outbox: row.get("outbox")?,
                        pending: row.get("pending")?,
                        delivered: row.get("delivered")?,
                        dead: row.get("dead")?,
                        cancelled: row.get("cancelled")?,
                        superseded: row.get("superseded")?,
                        oldest_due: row.get("oldest_due_ms")?,
                        db_bytes: sizes.database + sizes.wal,
                        reusable_bytes: inside.free,
                        nodes,
                    })
                },
            )
        })
    }
}

impl Store {
    /// What an endpoint answered the last time that it refused something, as far back as the log of recent
    /// attempts goes.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub(crate) fn last_refusal(&self, endpoint: EndpointId) -> Result<Option<String>> {
        self.read(|conn| {
            let found: Option<Option<String>> = conn.maybe(
                "select a.error
                 from hookbox_recent_attempt as r
                 join hookbox_attempt as a on a.id = r.attempt_id
                 join hookbox_delivery as d on d.id = a.delivery_id
                 where d.endpoint_id = :id and a.outcome = 'refused'
                 order by r.id desc limit 1",
                params! { ":id": endpoint },
                |row| row.get(0),
            )?;
            Ok(found.flatten())
        })
    }
}

/// The nodes of a database on a server, each with the endpoints whose lanes it has.
fn nodes(conn: Conn<'_>) -> Result<Vec<NodeRecord>> {
    if conn.is_file() {
        return Ok(Vec::new());
    }
    let nodes = conn.all::<(i64, NodeRecord)>(
        "select id, name, since_ms, seen_ms from hookbox_node where id <> 0 order by id",
        &[],
        |row| {
            let node = NodeRecord {
                name: row.get("name")?,
                since: row.get("since_ms")?,
                seen: row.get("seen_ms")?,
                endpoints: Vec::new(),
            };
            Ok((row.get("id")?, node))
        },
    )?;
    let with_endpoints = |(id, node): (i64, NodeRecord)| {
        let endpoints = conn.all(
            "select p.name
             from hookbox_lane as l
             join hookbox_endpoint as p on p.id = l.endpoint_id
             where l.node_id = :id and p.removed_ms is null
             order by p.name",
            params! { ":id": id },
            |row| row.get(0),
        )?;
        Ok(NodeRecord { endpoints, ..node })
    };
    nodes.into_iter().map(with_endpoints).collect()
}

fn report_source(conn: Conn<'_>, source: &Source) -> Result<SourceReport> {
    let tally = tally(conn, "source", source.id.0)?;
    let count = |what| tally.get(what).copied();
    let last_refusal = conn.maybe(
        "select at_ms, reason from hookbox_rejected_request
         where source_id = :id
         order by number desc
         limit 1",
        params! { ":id": source.id },
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(SourceReport {
        last_refusal,
        source: source.clone(),
        events: count("events").unwrap_or(0),
        refusals: count("refusals").unwrap_or(0),
        last_event: count("last_event_ms").map(Timestamp),
    })
}

fn report_endpoint(
    conn: Conn<'_>,
    directory: &Directory,
    endpoint: &Endpoint,
) -> Result<EndpointReport> {
    let tally = tally(conn, "endpoint", endpoint.id.0)?;
    let count = |state: State| tally.get(state.name()).copied().unwrap_or(0);
    let oldest_due = conn.one(
        "select min(due_ms) from hookbox_delivery where endpoint_id = :id and state = 'pending'",
        params! { ":id": endpoint.id },
        |row| row.get(0),
    )?;
    let outage = conn.maybe(
        "select since_ms, last_probe_ms, probes, error
         from hookbox_outage
         where endpoint_id = :id and ended_ms is null",
        params! { ":id": endpoint.id },
        |row| {
            Ok(Outage {
                since: row.get(0)?,
                last_probe: row.get(1)?,
                probes: row.get(2)?,
                error: row.get(3)?,
            })
        },
    )?;
    let hours = conn.all::<Hour>(
        "select hour,
            coalesce(sum(count) filter (where outcome = 'delivered'), 0) as delivered,
            coalesce(sum(count) filter (where outcome = 'refused'), 0) as refused
         from hookbox_hour
         where endpoint_id = :id
         group by hour
         order by hour",
        params! { ":id": endpoint.id },
        |row| {
            Ok(Hour {
                began: Timestamp(row.get::<i64>("hour")? * HOUR_MS),
                delivered: row.get("delivered")?,
                refused: row.get("refused")?,
            })
        },
    )?;
    let pace = conn.maybe(
        "select until_ms from hookbox_pace where endpoint_id = :id and until_ms > 0",
        params! { ":id": endpoint.id },
        |row| row.get(0),
    )?;
    Ok(EndpointReport {
        endpoint: endpoint.clone(),
        pending: count(State::Pending),
        delivered: count(State::Delivered),
        dead: count(State::Dead),
        superseded: tally.get("superseded").copied().unwrap_or(0),
        cancelled: count(State::Cancelled),
        died: tally.get("died").copied().unwrap_or(0),
        when_errors: tally.get("when_errors").copied().unwrap_or(0),
        oldest_due,
        outage,
        last_delivered: tally.get("last_delivered_ms").copied().map(Timestamp),
        hours,
        failing: read_failing(conn, endpoint.id)?,
        paced_until: pace,
        warnings: warnings(
            endpoint,
            directory.endpoints(),
            directory.sources(),
            Answered {
                in_all: count(State::Delivered),
                by_page: tally.get("pages").copied().unwrap_or(0),
            },
        ),
    })
}

/// The counts of one source or endpoint; a count that never changed is missing.
fn tally(conn: Conn<'_>, of: &str, id: i64) -> Result<HashMap<String, i64>> {
    let tally = conn
        .all(
            "select what, value from hookbox_tally where of = :of and id = :id",
            params! { ":of": of, ":id": id },
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .into_iter()
        .collect::<HashMap<String, i64>>();
    Ok(tally)
}

/// The sum of one count over all sources or all endpoints.
pub(crate) fn total(conn: Conn<'_>, of: &str, what: &str) -> Result<i64> {
    conn.one(
        "select coalesce(sum(value), 0) from hookbox_tally where of = :of and what = :what",
        params! { ":of": of, ":what": what },
        |row| row.get(0),
    )
}
