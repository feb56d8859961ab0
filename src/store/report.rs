//! How things stand now: each source, each endpoint, the totals.
//!
//! All of it comes from the counts kept beside the rows and from indexed lookups, so that an
//! overview costs the same however long the history is.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, named_params};

use super::Store;
use super::changes::HOUR_MS;
use super::directory::Directory;
use super::refusing::read_refusing;
use super::room::{Inside, free_at};
use super::setup::{no_endpoint, no_source};
use crate::error::Result;
use crate::model::delivery::{DeliveryRecord, State};
use crate::model::doubt::{Answered, doubts};
use crate::model::endpoint::{Endpoint, EndpointReport, Hour};
use crate::model::outage::Outage;
use crate::model::source::{Source, SourceReport};
use crate::model::stats::Stats;
use crate::time::Timestamp;

/// Bytes on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Of the database file.
    pub database: u64,
    /// Of its write-ahead log.
    pub wal: u64,
    /// Free where they lie, as far as the system says.
    pub free: Option<u64>,
}

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
                .map(|endpoint| report_endpoint(connection, &directory, endpoint))
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
        self.read(|connection| report_endpoint(connection, &directory, endpoint))
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
        self.read(|connection| report_endpoint(connection, &directory, endpoint).map(Some))
    }

    /// How large the files are, and what is free where they lie.
    pub fn sizes(&self) -> Sizes {
        let bytes_of = |suffix: &str| {
            let mut name = self.path().as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name).map_or(0, |metadata| metadata.len())
        };
        Sizes {
            database: bytes_of(""),
            wal: bytes_of("-wal"),
            free: free_at(self.path()),
        }
    }

    /// The totals, from the counts kept beside the rows.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        let sizes = self.sizes();
        self.read(|connection| {
            let inside = Inside::read(connection)?;
            // One statement, so that all of it is of one moment.
            let stats = connection
                .prepare_cached(
                    "select ifnull(sum(iif(what = 'events', value, -value)) filter (where of = 'source' and what in ('events', 'pruned')), 0) as events,
                            ifnull(sum(value) filter (where of = 'endpoint' and what = 'pending'), 0) as pending,
                            ifnull(sum(value) filter (where of = 'endpoint' and what = 'delivered'), 0) as delivered,
                            ifnull(sum(value) filter (where of = 'endpoint' and what = 'dead'), 0) as dead,
                            ifnull(sum(value) filter (where of = 'endpoint' and what = 'cancelled'), 0) as cancelled,
                            ifnull(sum(value) filter (where of = 'endpoint' and what = 'mended'), 0) as mended,
                            (select count(*) from hookbox_outbox_row) as outbox,
                            (select min((
                                select min(d.due_ms) from hookbox_delivery as d
                                where d.endpoint_id = p.id and d.state = 'pending'
                            )) from hookbox_endpoint as p) as oldest_due_ms
                     from hookbox_tally",
                )?
                .query_row([], |row| {
                    Ok(Stats {
                        events: row.get("events")?,
                        outbox: row.get("outbox")?,
                        pending: row.get("pending")?,
                        delivered: row.get("delivered")?,
                        dead: row.get("dead")?,
                        cancelled: row.get("cancelled")?,
                        mended: row.get("mended")?,
                        oldest_due: row.get("oldest_due_ms")?,
                        db_bytes: sizes.database + sizes.wal,
                        reusable_bytes: inside.free,
                    })
                })?;
            Ok(stats)
        })
    }
}

fn report_source(connection: &Connection, source: &Source) -> Result<SourceReport> {
    let tally = tally(connection, "source", source.id.0)?;
    let count = |what| tally.get(what).copied();
    Ok(SourceReport {
        source: source.clone(),
        events: count("events").unwrap_or(0),
        refusals: count("refusals").unwrap_or(0),
        last_event: count("last_event_ms").map(Timestamp),
    })
}

fn report_endpoint(
    connection: &Connection,
    directory: &Directory,
    endpoint: &Endpoint,
) -> Result<EndpointReport> {
    let tally = tally(connection, "endpoint", endpoint.id.0)?;
    let count = |state: State| tally.get(state.name()).copied().unwrap_or(0);
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
    let hours = connection
        .prepare_cached(
            "select hour,
                ifnull(sum(count) filter (where outcome = 'delivered'), 0) as delivered,
                ifnull(sum(count) filter (where outcome = 'refused'), 0) as refused
             from hookbox_hour
             where endpoint_id = :id
             group by hour
             order by hour",
        )?
        .query_map(named_params! { ":id": endpoint.id }, |row| {
            Ok(Hour {
                began: Timestamp(row.get::<_, i64>("hour")? * HOUR_MS),
                delivered: row.get("delivered")?,
                refused: row.get("refused")?,
            })
        })?
        .collect::<rusqlite::Result<Vec<Hour>>>()?;
    let pace = connection
        .prepare_cached("select until_ms from hookbox_pace where endpoint_id = :id")?
        .query_row(named_params! { ":id": endpoint.id }, |row| row.get(0))
        .optional()?;
    Ok(EndpointReport {
        endpoint: endpoint.clone(),
        pending: count(State::Pending),
        delivered: count(State::Delivered),
        dead: count(State::Dead),
        mended: tally.get("mended").copied().unwrap_or(0),
        cancelled: count(State::Cancelled),
        when_errors: tally.get("when_errors").copied().unwrap_or(0),
        oldest_due,
        outage,
        hours,
        refusing: read_refusing(connection, endpoint.id)?,
        paced_until: pace,
        doubts: doubts(
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

/// The figures kept beside the rows of one source or endpoint; what was never counted is not there.
fn tally(connection: &Connection, of: &str, id: i64) -> Result<HashMap<String, i64>> {
    let tally = connection
        .prepare_cached("select what, value from hookbox_tally where of = :of and id = :id")?
        .query_map(named_params! { ":of": of, ":id": id }, |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<HashMap<String, i64>>>()?;
    Ok(tally)
}

/// One figure over all sources or all endpoints.
pub(super) fn total(connection: &Connection, of: &str, what: &str) -> Result<i64> {
    let sum = connection
        .prepare_cached(
            "select ifnull(sum(value), 0) from hookbox_tally where of = :of and what = :what",
        )?
        .query_row(named_params! { ":of": of, ":what": what }, |row| row.get(0))?;
    Ok(sum)
}
