//! The names that are in a file, for who types one: read without opening it as a store, which may change it.

use std::path::Path;

use crate::error::{Error, Result};
use crate::store::engine::sqlite::open::connect_read_only;
use crate::store::engine::sqlite::schema::{SCHEMA_VERSION, schema_version};

/// What has names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Endpoints.
    Endpoints,
    /// Sources.
    Sources,
    /// Alerts.
    Alerts,
}

/// The names of what a file has of a kind, sorted.
///
/// # Errors
/// [`Error::NoDatabase`] when it is no file of hookbox's of this version; [`Error::Database`] when it cannot be
/// read.
pub fn names(file: &Path, of: Named) -> Result<Vec<String>> {
    let connection = connect_read_only(file)?;
    if schema_version(&connection)? != Some(SCHEMA_VERSION) {
        return Err(Error::NoDatabase(file.display().to_string()));
    }
    let mut statement = connection.prepare(match of {
        Named::Endpoints => {
            "select name from hookbox_endpoint where removed_ms is null order by name"
        }
        Named::Sources => "select name from hookbox_source where removed_ms is null order by name",
        Named::Alerts => "select name from hookbox_alert order by name",
    })?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}
