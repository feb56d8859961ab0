//! The full-text index: a file beside the database, which finds the events that may hold a text.
//!
//! It holds nothing that is not in the database: whoever removes it loses nothing, and a commit of the database
//! never waits for it. What it finds is looked at before it is shown, so an event that was removed since, or
//! only looks like it, is passed over.
//!
//! Its rows have the short pieces of a body ([`pieces_of`]) as words, and no body (FTS5, contentless).

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::error::{Error, Result};
use crate::model::id::EventId;
use crate::store::engine::sqlite::open::create_file;

/// Pieces that a query asks for at most: so many tell one text from nearly any other.
const ASKED_MAX: usize = 64;

/// Rows of removed events that are taken out in one transaction.
const FORGOTTEN_MAX: i64 = 200;

/// How long somebody who searches waits while events are added.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Whose rows they are and how far they go, and the words. `detail` and `columnsize` leave out where in a body
/// a word stands and how many there are, which nobody asks.
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
    connection: Connection,
}

impl TextIndex {
    /// Opens the index of a database, if it has one.
    pub(crate) fn find(database: &Path) -> Result<Option<TextIndex>> {
        let path = path_of(database);
        match path.exists() {
            true => Ok(Some(TextIndex::open(&path, OpenFlags::empty())?)),
            false => Ok(None),
        }
    }

    /// Opens the index of a database; makes it where there is none, and anew where it cannot be read.
    pub(crate) fn make(database: &Path) -> Result<TextIndex> {
        match TextIndex::try_make(database) {
            Err(error) if error.is_damage() => {
                TextIndex::remove(database)?;
                TextIndex::try_make(database)
            }
            made => made,
        }
    }

    fn try_make(database: &Path) -> Result<TextIndex> {
        let path = path_of(database);
        create_file(&path)?;
        let index = TextIndex::open(&path, OpenFlags::SQLITE_OPEN_CREATE)?;
        index
            .connection
            .pragma_update(None, "journal_mode", "wal")?;
        // Nothing is lost with the last of it: it is made anew from the database.
        index
            .connection
            .pragma_update(None, "synchronous", "normal")?;
        index.connection.execute_batch(SCHEMA)?;
        Ok(index)
    }

    fn open(path: &Path, flags: OpenFlags) -> Result<TextIndex> {
        let flags = flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        Ok(TextIndex { connection })
    }

    /// Removes the index of a database, with its log.
    pub(crate) fn remove(database: &Path) -> Result<()> {
        let path = path_of(database);
        for end in ["", "-wal", "-shm"] {
            let path = with_end(&path, end);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io_at("remove", &path, error));
                }
                _ => {}
            }
        }
        Ok(())
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
        let transaction = self.connection.transaction()?;
        transaction.execute_batch("delete from reach; drop table words;")?;
        transaction.execute_batch(SCHEMA)?;
        Ok(transaction.commit()?)
    }

    /// Adds events; from then on it goes as far as the last of them.
    pub(crate) fn add(&mut self, events: &[(EventId, String)], reach: &Reach) -> Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert =
                transaction.prepare_cached("insert into words (rowid, pieces) values (?1, ?2)")?;
            for (id, text) in events {
                insert.execute(params![id.0, words(&pieces_of(text))])?;
            }
            transaction.execute(
                "insert or replace into reach (id, to_id, event) values (1, ?1, ?2)",
                params![reach.to.0, reach.event],
            )?;
        }
        Ok(transaction.commit()?)
    }

    /// Takes some events before this one out, which the database has no more; whether that were all of them.
    pub(crate) fn forget_before(&mut self, first: EventId) -> Result<bool> {
        // The table that FTS5 keeps of its rows: "Contentless-Delete Tables" in its documentation.
        let forgotten = self.connection.execute(
            "delete from words where rowid in (
                 select id from words_docsize where id < ?1 order by id limit ?2
             )",
            params![first.0, FORGOTTEN_MAX],
        )?;
        Ok((forgotten as i64) < FORGOTTEN_MAX)
    }

    /// Events from `from` on and before `before` that may hold a text, the newest first. `None` if the text is
    /// too short for an index.
    pub(crate) fn candidates(
        &self,
        text: &str,
        from: i64,
        before: i64,
    ) -> Result<Option<Vec<EventId>>> {
        let pieces: BTreeSet<&str> = pieces_of(text).into_iter().take(ASKED_MAX).collect();
        if pieces.is_empty() {
            return Ok(None);
        }
        let mut statement = self.connection.prepare_cached(
            "select rowid from words
             where words match ?1 and rowid >= ?2 and rowid < ?3
             order by rowid desc",
        )?;
        let rows = statement.query_map(params![words(&pieces), from, before], |row| {
            row.get(0).map(EventId)
        })?;
        Ok(Some(rows.collect::<rusqlite::Result<_>>()?))
    }
}

fn path_of(database: &Path) -> PathBuf {
    with_end(database, "-text")
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
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
    let mut words = String::new();
    for piece in pieces {
        if !words.is_empty() {
            words.push(' ');
        }
        // A letter first: a word of digits alone is a word too, but `1e2` in a query is not to be a number.
        words.push('x');
        words.push_str(&hex::encode(piece));
    }
    words
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
            assert!(pieces_of(short).is_empty(), "{short}");
        }
    }
}
