//! The names and numbers of what is in a file, for who types one: read without opening it as a store, which may
//! change it.

use std::path::Path;

use crate::error::{Error, Result};
use crate::store::engine::sqlite::open::connect_read_only;
use crate::store::engine::sqlite::schema::{SCHEMA_VERSION, schema_version};

/// What has names, or numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Endpoints.
    Endpoints,
    /// Sources.
    Sources,
    /// Alerts.
    Alerts,
    /// The newest events.
    Events,
    /// The newest deliveries.
    Deliveries,
    /// The newest attempts.
    Attempts,
    /// The newest bulk replays.
    Replays,
}

/// The names of what a file has of a kind, sorted, or the numbers of the newest twenty; each with what it is,
/// where a name does not say so.
///
/// # Errors
/// [`Error::NoDatabase`] when it is no file of hookbox's of this version; [`Error::Database`] when it cannot be
/// read.
pub fn names(file: &Path, of: Named) -> Result<Vec<(String, Option<String>)>> {
    let connection = connect_read_only(file)?;
    if schema_version(&connection)? != Some(SCHEMA_VERSION) {
        return Err(Error::NoDatabase(file.display().to_string()));
    }
    let mut statement = connection.prepare(match of {
        Named::Endpoints => {
            "select name, null from hookbox_endpoint where removed_ms is null order by name"
        }
        Named::Sources => {
            "select name, null from hookbox_source where removed_ms is null order by name"
        }
        Named::Alerts => "select name, null from hookbox_alert order by name",
        Named::Events => {
            "select cast(id as text), coalesce(summary, type)
             from hookbox_event order by id desc limit 20"
        }
        Named::Deliveries => {
            "select cast(d.id as text), d.state || ', ' || p.name || ': ' || coalesce(e.summary, e.type)
             from hookbox_delivery as d
             join hookbox_event as e on e.id = d.event_id
             join hookbox_endpoint as p on p.id = d.endpoint_id
             order by d.id desc limit 20"
        }
        Named::Attempts => {
            "select cast(a.id as text), a.outcome || coalesce(', ' || a.status, '')
             from hookbox_recent_attempt as r
             join hookbox_attempt as a on a.id = r.attempt_id
             order by r.id desc limit 20"
        }
        Named::Replays => {
            "select cast(id as text), kind || ', ' || state
             from hookbox_replay order by id desc limit 20"
        }
    })?;
    let names = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}
