//! The tables: created, or migrated from an older schema, one numbered step at a time.
//!
//! Each step is a file in `migrations/` and runs in one transaction: if it is interrupted, it is either
//! done or rolled back. Tables with many rows are copied, so a step may need time and disk space in
//! proportion to the size of the file.

use std::path::Path;

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::store::engine::conn::Conn;
use crate::store::engine::moving::begun::unfinished;
use crate::store::engine::sqlite::lock::is_served;

/// The schema, run as it is written.
const SCHEMA: &str = include_str!("../../../../schema.sql");

/// The newest schema version this program knows; `schema.sql` writes it.
pub(crate) const SCHEMA_VERSION: i64 = 11;

/// The oldest schema that files are migrated from.
const OLDEST: i64 = 7;

/// What leads to a schema from the one before it.
struct Step {
    version: i64,
    sql: &'static str,
    /// Whether it makes tables anew under their old names: then nothing may follow the new name into views
    /// and triggers. Where a step renames what stays, they follow.
    replaces_tables: bool,
}

const STEPS: &[Step] = &[
    Step {
        version: 8,
        sql: include_str!("../../../../migrations/8.sql"),
        replaces_tables: true,
    },
    Step {
        version: 9,
        sql: include_str!("../../../../migrations/9.sql"),
        replaces_tables: false,
    },
    Step {
        version: 10,
        sql: include_str!("../../../../migrations/10.sql"),
        replaces_tables: false,
    },
    Step {
        version: 11,
        sql: include_str!("../../../../migrations/11.sql"),
        replaces_tables: true,
    },
];

/// Refuses a schema that this program can neither use nor migrate.
pub(crate) fn refuse_unknown(path: &Path, found: i64) -> Result<()> {
    let path = || path.to_path_buf();
    if found > SCHEMA_VERSION {
        return Err(Error::NewerSchema {
            path: path(),
            found,
            known: SCHEMA_VERSION,
        });
    }
    if found < OLDEST {
        return Err(Error::OlderSchema {
            path: path(),
            found,
            needed: OLDEST,
        });
    }
    Ok(())
}

/// Migrates a file to the newest schema.
pub(crate) fn migrate(connection: &Connection, path: &Path, found: i64) -> Result<()> {
    if is_served(path) {
        return Err(Error::Refused(format!(
            "{} has schema version {found} and is served by an older hookbox; stop that one, then any command of this one brings the file up to version {SCHEMA_VERSION}",
            path.display()
        )));
    }
    tracing::warn!(
        database = %path.display(), from = found, to = SCHEMA_VERSION,
        "store.migrating"
    );
    // A table is rebuilt beside the old one: references must not follow the rename.
    connection.pragma_update(None, "foreign_keys", false)?;
    for step in STEPS {
        // Views that an application made of tables that it dropped cannot be read, and are no reason to fail:
        // as such they are passed over where the schema may be written (SQLite, ALTER TABLE).
        connection.pragma_update(None, "legacy_alter_table", step.replaces_tables)?;
        connection.pragma_update(None, "writable_schema", !step.replaces_tables)?;
        let done = take(connection, step.version, step.sql);
        if done.is_err() && !connection.is_autocommit() {
            connection.execute_batch("rollback")?;
        }
        connection.pragma_update(None, "writable_schema", false)?;
        connection.pragma_update(None, "legacy_alter_table", false)?;
        done?;
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    tracing::warn!(
        database = %path.display(), from = found, to = SCHEMA_VERSION,
        "store.migrated"
    );
    Ok(())
}

fn take(connection: &Connection, version: i64, step: &str) -> Result<()> {
    connection.execute_batch("begin immediate")?;
    // Another process may have migrated the file already.
    if schema_version(connection)?.is_none_or(|found| found >= version) {
        connection.execute_batch("commit")?;
        return Ok(());
    }
    connection.execute_batch(step)?;
    connection.execute(
        "update hookbox_meta set schema_version = ?1 where id = 1",
        [version],
    )?;
    let broken: i64 = connection.query_row(
        "select count(*) from pragma_foreign_key_check where \"table\" glob 'hookbox_*'",
        [],
        |row| row.get(0),
    )?;
    if broken > 0 {
        return Err(Error::Refused(format!(
            "the file cannot be brought up to schema version {version}: {broken} rows refer to what is not there; look with `hookbox check --full` of the older hookbox"
        )));
    }
    connection.execute_batch("commit")?;
    Ok(())
}

/// The size of a page, in bytes. An event touches some fifteen pages, and the log gets each of them whole: with
/// SQLite's usual 4,096 it gets 2.5 times as much. See docs/decisions/0010-small-pages.md.
const PAGE_BYTES: u32 = 1024;

/// Sets what is fixed when the file's first table is created: the size of a page, and `auto_vacuum =
/// incremental`, so that freed pages can be cut off the file, a few at a time, on request.
pub(crate) fn lay_out(connection: &Connection) -> Result<()> {
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "auto_vacuum", "incremental")?;
    Ok(())
}

/// Creates the tables of the newest schema.
pub(crate) fn make_schema(connection: &Connection) -> Result<()> {
    connection.execute_batch(SCHEMA)?;
    Ok(())
}

/// Begins a transaction and creates the tables in it.
pub(crate) fn begin_with_schema(connection: &Connection) -> Result<()> {
    let open = SCHEMA
        .trim_end()
        .strip_suffix("commit;")
        .expect("the schema is one transaction");
    connection.execute_batch(open)?;
    Ok(())
}

/// Whether a move into the file is not finished.
pub(crate) fn is_moved_into(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row(
        "select exists (
             select 1 from sqlite_schema where type = 'table' and name = 'hookbox_move'
         )",
        [],
        |row| row.get(0),
    )
}

/// Refuses a file into which a move is not finished.
pub(crate) fn refuse_unfinished(connection: &Connection, path: &Path) -> Result<()> {
    match is_moved_into(connection)? {
        false => Ok(()),
        true => Err(unfinished(Conn::sqlite(connection), path.display())),
    }
}

/// The version in the file; `None` if hookbox's tables do not exist.
pub(crate) fn schema_version(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let known: i64 = connection.query_row(
        "select count(*) from sqlite_schema where type = 'table' and name = 'hookbox_meta'",
        [],
        |row| row.get(0),
    )?;
    if known == 0 {
        return Ok(None);
    }
    connection
        .query_row(
            "select schema_version from hookbox_meta where id = 1",
            [],
            |row| row.get(0),
        )
        .map(Some)
}
