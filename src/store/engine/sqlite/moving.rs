//! The two sides of a move in a file: the store that is read, and the one that is filled.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::model::id::SourceId;
use crate::store::engine::conn::{Conn, params};
use crate::store::engine::moving::begun::{Meta, Position, advance, open};
use crate::store::engine::moving::sides::{Source, Target};
use crate::store::engine::moving::tables::{EVENTS, IS_TEXT, Table};
use crate::store::engine::sqlite::check::{Fault, foreign_keys, lost_keys};
use crate::store::engine::sqlite::draft::Draft;
use crate::store::engine::sqlite::event_keys::EventKeys;
use crate::store::engine::sqlite::lock::ServeLock;
use crate::store::engine::sqlite::open::{
    connect_read_only, connect_writable, in_own_words, page_bytes, probe, real_path,
    roll_back_broken_off,
};
use crate::store::engine::sqlite::place;
use crate::store::engine::sqlite::schema::{
    SCHEMA_VERSION, begin_with_schema, is_moved_into, lay_out, refuse_unfinished, refuse_unknown,
    schema_version,
};
use crate::store::engine::value::Value;

/// Keys that are sorted at a time: about 40 MB of memory.
const KEYS_SORTED: i64 = 1_000_000;

/// Page cache of the connection that fills a file, in KiB: its indexes are written to in many places.
const CACHE_KIB: i64 = 65_536;

/// Size in bytes of the log at which it is moved into the file.
const LOG_BYTES: i64 = 64 * 1024 * 1024;

/// A file, read as of one moment, and served by nobody as long as this lives.
pub(crate) struct FileSource {
    connection: Connection,
    path: PathBuf,
    _lock: ServeLock,
}

impl FileSource {
    pub(crate) fn open(path: &Path) -> Result<FileSource> {
        if !probe(path)? {
            return Err(Error::NoDatabase(path.display().to_string()));
        }
        let path = real_path(path)?;
        roll_back_broken_off(&path)?;
        let connection = connect_read_only(&path)?;
        let version =
            schema_version(&connection).map_err(|error| in_own_words(Error::from(error), &path))?;
        refuse_unfinished(&connection, &path)?;
        match version {
            Some(SCHEMA_VERSION) => {}
            None => return Err(Error::NoDatabase(path.display().to_string())),
            Some(found) => {
                refuse_unknown(&path, found)?;
                return Err(Error::Refused(format!(
                    "{0} has schema version {found}; any other command, such as `hookbox stats --db {0}`, brings it up to version {SCHEMA_VERSION}; then move it",
                    path.display()
                )));
            }
        }
        let lock = ServeLock::take(&path)?;
        let mut source = FileSource {
            connection,
            path,
            _lock: lock,
        };
        source.look_again()?;
        Ok(source)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Source for FileSource {
    fn conn(&self) -> Conn<'_> {
        Conn::sqlite(&self.connection)
    }

    fn look_again(&mut self) -> Result<()> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("commit")?;
        }
        // The transaction begins with its first read.
        self.connection.execute_batch("begin")?;
        schema_version(&self.connection)?;
        Ok(())
    }

    /// The newest row stays where its id matters, so no larger one was ever given out.
    fn newest_id(&self, table: &Table) -> Result<i64> {
        let query = format!("select coalesce(max(id), 0) from {}", table.name);
        self.conn().one(&query, &[], |row| row.get(0))
    }
}

/// A file that is filled.
pub(crate) struct FileTarget {
    connection: Connection,
    keys: EventKeys,
    /// The statement that inserts into a table, for the table that rows came for last.
    insert: Option<(&'static str, String)>,
    _lock: ServeLock,
}

impl FileTarget {
    /// Makes a new file and begins a move into it, or finds the one that was begun there; with `restart` a
    /// new file takes its place. It is closed to the users that the file `like` is closed to.
    ///
    /// # Errors
    /// [`Error::Misuse`] when there is another file.
    pub(crate) fn prepare(
        path: &Path,
        restart: bool,
        like: Option<&Path>,
        begin: &dyn Fn(Conn<'_>) -> Result<()>,
    ) -> Result<FileTarget> {
        if is_begun(path)? {
            // As the source's: by the name that a service would have locked.
            let path = real_path(path)?;
            let lock = lock(&path)?;
            if !restart {
                return FileTarget::fill(&path, lock);
            }
            remove(&path)?;
        }
        make(path, like.unwrap_or(path), begin)?;
        let path = real_path(path)?;
        FileTarget::fill(&path, lock(&path)?)
    }

    fn fill(path: &Path, lock: ServeLock) -> Result<FileTarget> {
        let connection = connect_writable(path)?;
        let mode: String =
            connection.query_row("pragma journal_mode = wal", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(Error::misuse(format!(
                "{} cannot be put in WAL mode (it stays in {mode} mode); name a file on a local, writable disk",
                path.display()
            )));
        }
        // What a power loss takes is copied again: how far the move is goes with the rows.
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(
            None,
            "wal_autocheckpoint",
            LOG_BYTES / page_bytes(&connection)?,
        )?;
        // A delivery may refer to a later one; all references are checked at the end.
        connection.pragma_update(None, "foreign_keys", false)?;
        Ok(FileTarget {
            connection,
            keys: EventKeys::default(),
            insert: None,
            _lock: lock,
        })
    }

    fn begin(&self) -> Result<()> {
        if self.connection.is_autocommit() {
            self.connection.execute_batch("begin immediate")?;
        }
        Ok(())
    }

    /// Writes the key of an event to the log of recent keys.
    fn add_key(&mut self, table: &Table, row: &[Value<'_>]) -> Result<()> {
        let of = |column: &str| table.place(column).and_then(|place| row.get(place));
        let (Some(Value::Integer(id)), Some(Value::Text(key))) = (of("id"), of("key")) else {
            return Ok(());
        };
        let Ok(key) = std::str::from_utf8(key) else {
            return Ok(());
        };
        let source = match of("source_id") {
            Some(Value::Integer(source)) => Some(SourceId(*source)),
            _ => None,
        };
        let conn = Conn::sqlite(&self.connection);
        let hash = self.keys.hash_of(conn, source, key)?;
        conn.change_one(
            "insert into hookbox_recent_key (event_id, hash) values (:id, :hash)",
            params! { ":id": *id, ":hash": hash },
        )
    }

    /// Moves the keys, sorted by their hashes, to the table of older keys, some at a time.
    fn sort_keys(&self) -> Result<()> {
        let conn = self.conn();
        let count: i64 = conn.one("select count(*) from hookbox_recent_key", &[], |row| {
            row.get(0)
        })?;
        // Hashes are spread evenly.
        let parts = i128::from(count / KEYS_SORTED + 1);
        let border = |part: i128| -> i64 {
            let at = i128::from(i64::MIN) + part * (1_i128 << 64) / parts;
            i64::try_from(at).unwrap_or(i64::MAX)
        };
        for part in 0..parts {
            let is_last = part + 1 == parts;
            conn.run(
                "insert or ignore into hookbox_key (hash, event_id)
                 select hash, event_id from hookbox_recent_key
                 where hash >= :from and (hash < :to or :is_last)
                 order by hash, event_id",
                params! {
                    ":from": border(part), ":to": border(part + 1), ":is_last": is_last,
                },
            )?;
        }
        conn.run("delete from hookbox_recent_key", &[])?;
        Ok(())
    }
}

impl Target for FileTarget {
    fn conn(&self) -> Conn<'_> {
        Conn::sqlite(&self.connection)
    }

    fn add(&mut self, table: &'static Table, row: &[Value<'_>]) -> Result<()> {
        self.begin()?;
        let (_, insert) = match self.insert.take() {
            Some((name, insert)) if name == table.name => self.insert.insert((name, insert)),
            _ => self.insert.insert((table.name, insert_into(table))),
        };
        let mut statement = self.connection.prepare_cached(insert)?;
        let is_text = table.place(IS_TEXT);
        let mut parameter = 0;
        for (place, value) in row.iter().enumerate() {
            if Some(place) == is_text {
                continue;
            }
            parameter += 1;
            match value {
                // A body that was given as a text is one again.
                Value::Blob(body)
                    if table.columns[place] == "body"
                        && is_text.is_some_and(|at| row[at] == Value::Integer(1)) =>
                {
                    statement.raw_bind_parameter(parameter, Value::Text(body.clone()))?;
                }
                value => statement.raw_bind_parameter(parameter, value)?,
            }
        }
        statement.raw_execute()?;
        drop(statement);
        match table.name {
            EVENTS => self.add_key(table, row),
            _ => Ok(()),
        }
    }

    fn commit(&mut self, run: &str, at: &Position) -> Result<()> {
        self.begin()?;
        advance(self.conn(), run, at)?;
        self.connection.execute_batch("commit")?;
        Ok(())
    }

    fn settle(&mut self, meta: &Meta, _newest: &[(&'static Table, i64)]) -> Result<()> {
        self.sort_keys()?;
        meta.write(self.conn())?;
        let mut faults: Vec<Fault> = foreign_keys(&self.connection)?;
        faults.extend(lost_keys(&self.connection)?);
        match faults.first() {
            None => Ok(()),
            Some(fault) => Err(Error::Refused(format!(
                "what was moved does not fit together, as it did not before: {}",
                fault.what
            ))),
        }
    }

    fn open(self: Box<Self>, run: &str) -> Result<()> {
        // With this commit everything before it is on disk too.
        self.connection.pragma_update(None, "synchronous", "full")?;
        self.begin()?;
        open(self.conn(), run, SCHEMA_VERSION)?;
        self.connection.execute_batch("commit")?;
        self.connection
            .query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
        self.connection
            .close()
            .map_err(|(_, error)| Error::from(error))
    }
}

fn insert_into(table: &Table) -> String {
    let columns: Vec<&str> = table
        .columns
        .iter()
        .copied()
        .filter(|column| *column != IS_TEXT)
        .collect();
    let marks = vec!["?"; columns.len()].join(", ");
    format!(
        "insert into {} ({}) values ({marks})",
        table.name,
        columns.join(", ")
    )
}

/// Whether there is a file with an unfinished move.
fn is_begun(path: &Path) -> Result<bool> {
    if !std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0) {
        return Ok(false);
    }
    // A move leaves this before it changes the file; what is another program's stays as it is.
    if place::beside(path, ".lock").exists() {
        roll_back_broken_off(path)?;
    }
    match connect_read_only(path).and_then(|connection| Ok(is_moved_into(&connection)?)) {
        // It is something else.
        Err(error) if error.is_damage() => Ok(false),
        found => found,
    }
}

/// Keeps other moves away. Nobody serves a file into which a move is not finished.
fn lock(path: &Path) -> Result<ServeLock> {
    ServeLock::take(path).map_err(|error| match error {
        Error::AlreadyServing { path, pid } => {
            let pid = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            Error::Refused(format!(
                "another move into {} is running{pid}; leave it to that one, or end that one first",
                path.display()
            ))
        }
        error => error,
    })
}

/// Makes the file, with empty tables and the mark of the move. It gets its name when it is whole.
fn make(path: &Path, like: &Path, begin: &dyn Fn(Conn<'_>) -> Result<()>) -> Result<()> {
    let draft = Draft::new(path, like)?;
    place::check(draft.path())?;
    let connection = draft.connect()?;
    lay_out(&connection)?;
    begin_with_schema(&connection)?;
    begin(Conn::sqlite(&connection))?;
    connection.execute_batch("commit")?;
    connection
        .close()
        .map_err(|(_, error)| Error::from(error))?;
    draft.finish()
}

/// Removes what an unfinished move left: the log first, which is nothing without the file.
fn remove(path: &Path) -> Result<()> {
    for ending in ["-wal", "-shm", ""] {
        let file = place::beside(path, ending);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io_at("remove", &file, error));
            }
            _ => {}
        }
    }
    Ok(())
}
