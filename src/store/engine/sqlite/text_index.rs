//! The full-text index: a file beside the database, which finds the events that may hold a text.
//!
//! It holds nothing that is not in the database: whoever removes it loses nothing, and a commit of the database
//! never waits for it. What it finds is looked at before it is shown, so an event that was removed since, or
//! only looks like it, is passed over.
//!
//! Its rows have the short pieces of a body ([`pieces_of`]) as words, and no body (FTS5, contentless).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, named_params};

use crate::error::{Error, Result};
use crate::model::id::EventId;
use crate::store::engine::sqlite::open::create_file;
use crate::store::engine::sqlite::place::beside;

/// Pieces that a query asks for at most: so many tell one text from nearly any other.
const ASKED_MAX: usize = 64;

/// How long somebody who searches waits while events are added.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// By which an index is told from another program's file: bytes 68 to 72 of an SQLite file ("hkbx").
const APPLICATION_ID: i32 = 0x686b_6278;

/// Whose rows they are and how far they go, and the words. `detail` leaves out where in a body a word stands,
/// which nobody asks.
const SCHEMA: &str = "
    create table if not exists reach (
        id    integer primary key check (id = 1),
        to_id integer not null,
        event text    not null
    ) strict;
    create virtual table if not exists words using fts5 (
        pieces, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
    );";

/// How far an index goes: all events up to this one are in it.
pub(crate) struct Reach {
    pub(crate) to: EventId,
    /// Its id as it is shown, by which a file that was set back is known.
    pub(crate) event: String,
}

/// An open index.
pub(crate) struct TextIndex {
    path: PathBuf,
    connection: Connection,
}

impl TextIndex {
    /// Opens the index of a database, if it has one.
    pub(crate) fn find(database: &Path) -> Result<Option<TextIndex>> {
        let path = path_of(database);
        match is_index(&path) {
            true => Ok(Some(TextIndex::open(path)?)),
            false => Ok(None),
        }
    }

    /// Opens the index of a database; makes it where there is none, and anew where it cannot be read.
    ///
    /// # Errors
    /// [`Error::Misuse`] when another program's file has its name.
    pub(crate) fn make(database: &Path) -> Result<TextIndex> {
        let path = path_of(database);
        let is_empty = std::fs::metadata(&path).map_or(true, |found| found.len() == 0);
        if !is_empty && !is_index(&path) {
            return Err(Error::misuse(format!(
                "{} is no index of hookbox's; move it away, or leave --text-index out",
                path.display()
            )));
        }
        match TextIndex::try_make(&path) {
            Err(error) if error.is_damage() => {
                TextIndex::remove(database)?;
                TextIndex::try_make(&path)
            }
            made => made,
        }
    }

    fn try_make(path: &Path) -> Result<TextIndex> {
        create_file(path)?;
        let index = TextIndex::open(path.to_owned())?;
        let connection = &index.connection;
        // Before the log, so that it stands in the file itself.
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // Nothing is lost with the last of it: it is made anew from the database.
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.execute_batch(SCHEMA)?;
        Ok(index)
    }

    fn open(path: PathBuf) -> Result<TextIndex> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        Ok(TextIndex { path, connection })
    }

    /// Removes the index of a database, with its log; another program's file of that name stays.
    pub(crate) fn remove(database: &Path) -> Result<()> {
        let path = path_of(database);
        if !is_index(&path) {
            return Ok(());
        }
        for path in [beside(&path, "-wal"), beside(&path, "-shm"), path] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io_at("remove", &path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether its file is still there.
    pub(crate) fn is_there(&self) -> bool {
        self.path.exists()
    }

    /// Reads it as of one moment from now on.
    pub(crate) fn hold_still(&self) -> Result<()> {
        Ok(self.connection.execute_batch("begin")?)
    }

    pub(crate) fn reach(&self) -> Result<Option<Reach>> {
        let reach = self
            .connection
            .query_row("select to_id, event from reach", [], |row| {
                Ok(Reach {
                    to: EventId(row.get(0)?),
                    event: row.get(1)?,
                })
            })
            .optional()?;
        Ok(reach)
    }

    /// Takes everything out: the database is another one than it was.
    pub(crate) fn clear(&mut self) -> Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch("delete from reach; drop table words;")?;
        transaction.execute_batch(SCHEMA)?;
        Ok(transaction.commit()?)
    }

    /// Adds events; from then on it goes as far as the last of them.
    pub(crate) fn add(&mut self, events: &[(EventId, String)], reach: &Reach) -> Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (id, text) in events {
            transaction
                .prepare_cached("insert into words (rowid, pieces) values (:id, :pieces)")?
                .execute(named_params! { ":id": id.0, ":pieces": words(&pieces_of(text)) })?;
        }
        transaction.execute(
            "insert or replace into reach (id, to_id, event) values (1, :to, :event)",
            named_params! { ":to": reach.to.0, ":event": reach.event },
        )?;
        Ok(transaction.commit()?)
    }

    /// Events after this one that are in it, the oldest first.
    pub(crate) fn events_after(&self, after: EventId, limit: i64) -> Result<Vec<EventId>> {
        // The table that FTS5 keeps of its rows ("The FTS5 data structures" in SQLite's documentation).
        let mut statement = self.connection.prepare_cached(
            "select id from words_docsize where id > :after order by id limit :limit",
        )?;
        let rows = statement.query_map(
            named_params! { ":after": after.0, ":limit": limit },
            |row| row.get(0).map(EventId),
        )?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes out events that the database has no more.
    pub(crate) fn forget(&mut self, events: &[EventId]) -> Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for id in events {
            transaction
                .prepare_cached("delete from words where rowid = :id")?
                .execute(named_params! { ":id": id.0 })?;
        }
        Ok(transaction.commit()?)
    }

    /// Events before this one that may hold a text, the newest first, at most `limit`.
    pub(crate) fn candidates(&self, text: &str, before: i64, limit: i64) -> Result<Vec<EventId>> {
        let pieces: BTreeSet<&str> = pieces_of(text).into_iter().take(ASKED_MAX).collect();
        let mut statement = self.connection.prepare_cached(
            "select rowid from words
             where words match :pieces and rowid < :before
             order by rowid desc
             limit :limit",
        )?;
        let rows = statement.query_map(
            named_params! { ":pieces": words(&pieces), ":before": before, ":limit": limit },
            |row| row.get(0).map(EventId),
        )?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// Whether an index can say anything of a text: it is long enough.
pub(crate) fn can_find(text: &str) -> bool {
    !pieces_of(text).is_empty()
}

fn path_of(database: &Path) -> PathBuf {
    beside(database, "-text")
}

/// Whether a file is an index of hookbox's: its head says so.
fn is_index(path: &Path) -> bool {
    let mut head = [0; 72];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head[68..] == APPLICATION_ID.to_be_bytes()
}

/// The pieces that make up a text: three ASCII letters in a row, or two letters of which one is another. A text
/// holds all pieces of each part of it. Two letters of Chinese are a word; of English, hardly.
fn pieces_of(text: &str) -> BTreeSet<&str> {
    let mut letters = text.char_indices().peekable();
    let mut pieces = BTreeSet::new();
    while let Some((at, first)) = letters.next() {
        let mut next = letters.clone();
        let Some((second_at, second)) = next.next() else {
            break;
        };
        let end = match next.next() {
            _ if !first.is_ascii() || !second.is_ascii() => second_at + second.len_utf8(),
            Some((third_at, third)) if third.is_ascii() => third_at + 1,
            _ => continue,
        };
        pieces.insert(&text[at..end]);
    }
    pieces
}

/// The pieces as words that no tokenizer takes apart.
fn words(pieces: &BTreeSet<&str>) -> String {
    let words: Vec<String> = pieces.iter().map(hex::encode).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_the_pieces_of_each_part_of_it() {
        let text = "{\"m\":\"修复 café\u{1f600}\"} pushed";
        let whole = pieces_of(text);
        let letters: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for (index, from) in letters.iter().enumerate() {
            for to in &letters[index..] {
                let part = &text[*from..*to];
                assert!(pieces_of(part).is_subset(&whole), "{part}");
            }
        }
        let pieces: Vec<&str> = pieces_of("修复 ab").into_iter().collect();
        assert_eq!(pieces, [" ab", "修复", "复 "]);
        for short in ["", "a", "ab", "修"] {
            assert!(!can_find(short), "{short}");
        }
    }
}
