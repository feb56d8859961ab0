//! How things stand now: each source, each endpoint, the totals.
//!
//! All of it comes from the counts kept beside the rows and from indexed lookups, so that an
//! overview costs the same however long the history is.

use rusqlite::{Connection, OptionalExtension, named_params};

use super::Store;
use super::setup::{no_endpoint, no_source};
use crate::error::Result;
use crate::model::delivery::{DeliveryRecord, State};
use crate::model::endpoint::{Endpoint, EndpointReport};
use crate::model::outage::Outage;
use crate::model::source::{Source, SourceReport};
use crate::model::stats::Stats;
use crate::time::Timestamp;

impl Store {
    /// Every source with what has come through it.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub fn source_reports(&self) -> Result<Vec<SourceReport>> {
        let directory = self.fresh_directory()?;
        self.read(|connection| {
            directory
                .sources()
                .iter()
                .map(|source| report_source(connection, source))
                .collect()
        })
    }

    /// One source with what has come through it.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is none of this name.
    pub fn source_report(&self, name: &str) -> Result<SourceReport> {
        let directory = self.fresh_directory()?;
        let source = directory.source(name).ok_or_else(|| no_source(name))?;
        self.read(|connection| report_source(connection, source))
    }

    /// Every endpoint with how it fares.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub fn endpoint_reports(&self) -> Result<Vec<EndpointReport>> {
        let directory = self.fresh_directory()?;
        self.read(|connection| {
            directory
                .endpoints()
                .iter()
                .map(|endpoint| report_endpoint(connection, endpoint))
                .collect()
        })
    }

    /// One endpoint with how it fares.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is none of this name.
    pub fn endpoint_report(&self, name: &str) -> Result<EndpointReport> {
        let directory = self.fresh_directory()?;
        let endpoint = directory.endpoint(name).ok_or_else(|| no_endpoint(name))?;
        self.read(|connection| report_endpoint(connection, endpoint))
    }

    /// The endpoint of a delivery with how it fares; `None` when it is removed.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub fn endpoint_of(&self, delivery: &DeliveryRecord) -> Result<Option<EndpointReport>> {
        let directory = self.fresh_directory()?;
        let Some(endpoint) = directory.endpoint_by_id(delivery.endpoint_id) else {
            return Ok(None);
        };
        self.read(|connection| report_endpoint(connection, endpoint).map(Some))
    }

    /// The totals, from the counts kept beside the rows.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        let bytes_of = |suffix: &str| {
            let mut name = self.path().as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name).map_or(0, |metadata| metadata.len())
        };
        self.read(|connection| {
            let deliveries = |state: State| total(connection, "endpoint", state.name());
            let oldest_due = connection
                .prepare_cached(
                    "select min((
                         select min(d.due_ms) from hookbox_delivery as d
                         where d.endpoint_id = p.id and d.state = 'pending'
                     )) from hookbox_endpoint as p",
                )?
                .query_row([], |row| row.get(0))?;
            Ok(Stats {
                events: total(connection, "source", "events")?,
                pending: deliveries(State::Pending)?,
                delivered: deliveries(State::Delivered)?,
                dead: deliveries(State::Dead)?,
                cancelled: deliveries(State::Cancelled)?,
                oldest_due,
                db_bytes: bytes_of("") + bytes_of("-wal"),
            })
        })
    }
}

fn report_source(connection: &Connection, source: &Source) -> Result<SourceReport> {
    let count = |what| tally(connection, "source", source.id.0, what);
    Ok(SourceReport {
        source: source.clone(),
        events: count("events")?.unwrap_or(0),
        refusals: count("refusals")?.unwrap_or(0),
        last_event: count("last_event_ms")?.map(Timestamp),
    })
}

fn report_endpoint(connection: &Connection, endpoint: &Endpoint) -> Result<EndpointReport> {
    let count = |state: State| -> Result<i64> {
        Ok(tally(connection, "endpoint", endpoint.id.0, state.name())?.unwrap_or(0))
    };
    let oldest_due = connection
        .prepare_cached(
            "select min(due_ms) from hookbox_delivery where endpoint_id = :id and state = 'pending'",
        )?
        .query_row(named_params! { ":id": endpoint.id }, |row| row.get(0))?;
    let outage = connection
        .prepare_cached(
            "select since_ms, last_probe_ms, probes, error
             from hookbox_outage
             where endpoint_id = :id and ended_ms is null",
        )?
        .query_row(named_params! { ":id": endpoint.id }, |row| {
            Ok(Outage {
                since: row.get(0)?,
                last_probe: row.get(1)?,
                probes: row.get(2)?,
                error: row.get(3)?,
            })
        })
        .optional()?;
    Ok(EndpointReport {
        endpoint: endpoint.clone(),
        pending: count(State::Pending)?,
        delivered: count(State::Delivered)?,
        dead: count(State::Dead)?,
        cancelled: count(State::Cancelled)?,
        oldest_due,
        outage,
    })
}

/// One of the figures kept beside the rows; none while there was nothing to count.
fn tally(connection: &Connection, of: &str, id: i64, what: &str) -> Result<Option<i64>> {
    let value = connection
        .prepare_cached(
            "select value from hookbox_tally where of = :of and id = :id and what = :what",
        )?
        .query_row(
            named_params! { ":of": of, ":id": id, ":what": what },
            |row| row.get(0),
        )
        .optional()?;
    Ok(value)
}

/// The same over all sources or all endpoints.
pub(super) fn total(connection: &Connection, of: &str, what: &str) -> Result<i64> {
    let sum = connection
        .prepare_cached(
            "select ifnull(sum(value), 0) from hookbox_tally where of = :of and what = :what",
        )?
        .query_row(named_params! { ":of": of, ":what": what }, |row| row.get(0))?;
    Ok(sum)
}
