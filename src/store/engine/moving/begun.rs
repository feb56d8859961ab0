//! The mark of a move that is not finished, in the target itself: where it comes from, and how far it is.
//!
//! As long as it is there, the schema version of the target is [`UNFINISHED_VERSION`], which no hookbox
//! opens. It changes in the transactions of the rows that it counts, and goes in the one that opens the
//! target.

use crate::error::{Error, Result};
use crate::store::engine::conn::{Conn, params};

/// The schema version of a target until its move is finished. Programs that do not know about moves refuse
/// it too.
pub(crate) const UNFINISHED_VERSION: i64 = 0;

/// What a target keeps of the source: the box, the seed of its keys, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) box_id: String,
    pub(crate) key_seed: Vec<u8>,
    pub(crate) config_version: i64,
    pub(crate) pruned_to: i64,
}

/// How far a move is: so many rows of this table are in the target, and all of the tables before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) table: String,
    pub(crate) rows: u64,
}

/// A move that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Begun {
    /// Where it comes from, for people.
    pub(crate) from: String,
    /// Tells whether the source changed since.
    pub(crate) fingerprint: String,
    /// The process that works on it.
    pub(crate) run: String,
    pub(crate) at: Position,
}

impl Meta {
    /// Reads it from a store of either side.
    pub(crate) fn read(conn: Conn<'_>) -> Result<Meta> {
        conn.one(
            "select box, key_seed, config_version, pruned_to from hookbox_meta where id = 1",
            &[],
            |row| {
                Ok(Meta {
                    box_id: row.get(0)?,
                    key_seed: row.get(1)?,
                    config_version: row.get(2)?,
                    pruned_to: row.get(3)?,
                })
            },
        )
    }

    /// Writes it into the target, which stays closed. Every change of the settings counts `config_version`
    /// up, so this is done again when they are all there.
    pub(crate) fn write(&self, conn: Conn<'_>) -> Result<()> {
        conn.change_one(
            "update hookbox_meta
             set box = :box, key_seed = :seed, config_version = :version, pruned_to = :pruned_to,
                 schema_version = :unfinished
             where id = 1",
            params! {
                ":box": self.box_id, ":seed": self.key_seed, ":version": self.config_version,
                ":pruned_to": self.pruned_to, ":unfinished": UNFINISHED_VERSION,
            },
        )
    }
}

impl Begun {
    /// Closes the target, and keeps what is needed to go on.
    pub(crate) fn write(&self, conn: Conn<'_>) -> Result<()> {
        conn.run(
            "create table hookbox_move (
                 id          bigint primary key check (id = 1),
                 moved_from  text   not null,
                 fingerprint text   not null,
                 run         text   not null,
                 at_table    text   not null,
                 rows_done   bigint not null
             )",
            &[],
        )?;
        conn.change_one(
            "insert into hookbox_move (id, moved_from, fingerprint, run, at_table, rows_done)
             values (1, :from, :fingerprint, :run, :table, :rows)",
            params! {
                ":from": self.from, ":fingerprint": self.fingerprint, ":run": self.run,
                ":table": self.at.table, ":rows": self.at.rows,
            },
        )
    }

    pub(crate) fn read(conn: Conn<'_>) -> Result<Begun> {
        conn.one(
            "select moved_from, fingerprint, run, at_table, rows_done
             from hookbox_move where id = 1",
            &[],
            |row| {
                Ok(Begun {
                    from: row.get(0)?,
                    fingerprint: row.get(1)?,
                    run: row.get(2)?,
                    at: Position {
                        table: row.get(3)?,
                        rows: row.get(4)?,
                    },
                })
            },
        )
    }
}

/// Makes a process the one that works on the move. One that worked on it before fails at its next step.
pub(crate) fn take_over(conn: Conn<'_>, before: &str, run: &str) -> Result<()> {
    conn.change_one(
        "update hookbox_move set run = :run where id = 1 and run = :before",
        params! { ":run": run, ":before": before },
    )
}

/// Records how far the move is, in the transaction of the rows.
///
/// # Errors
/// [`Error::Refused`] when another process works on it.
pub(crate) fn advance(conn: Conn<'_>, run: &str, at: &Position) -> Result<()> {
    let changed = conn.run(
        "update hookbox_move set at_table = :table, rows_done = :rows where id = 1 and run = :run",
        params! { ":table": at.table, ":rows": at.rows, ":run": run },
    )?;
    still_ours(changed)
}

/// Opens the target: it is a store from now on.
///
/// # Errors
/// As [`advance`].
pub(crate) fn open(conn: Conn<'_>, run: &str, version: i64) -> Result<()> {
    let removed = conn.run(
        "delete from hookbox_move where id = 1 and run = :run",
        params! { ":run": run },
    )?;
    still_ours(removed)?;
    conn.change_one(
        "update hookbox_meta set schema_version = :version
         where id = 1 and schema_version = :unfinished",
        params! { ":version": version, ":unfinished": UNFINISHED_VERSION },
    )?;
    conn.run("drop table hookbox_move", &[])?;
    Ok(())
}

fn still_ours(changed: usize) -> Result<()> {
    match changed {
        1 => Ok(()),
        _ => Err(Error::Refused(
            "another process goes on with this move; leave it to that one".to_owned(),
        )),
    }
}

/// The error for a database that cannot be opened since a move into it is not finished.
pub(crate) fn unfinished(conn: Conn<'_>, to: impl std::fmt::Display) -> Error {
    match Begun::read(conn) {
        Ok(Begun { from, at, .. }) => Error::Refused(format!(
            "a move from {from} into {to} is not finished (it is at row {} of {}), so that nothing else may use it; to go on with it: hookbox move --from '{from}' --to '{to}'",
            at.rows, at.table
        )),
        Err(error) => error,
    }
}
