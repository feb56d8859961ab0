//! Moves a whole store to another place: from a file to a server, back, or to another of the same engine.
//!
//! The source is read as of one moment, table by table, in the order of its rows; the rows go to the target
//! in transactions that also record how far the move is. So a move that was broken off goes on where it was.
//! At the end both sides have the same number of rows and the same hash in each table, and only then the
//! target becomes a store.
//!
//! How to read it: `tables` lists what is moved, `begun` is the mark in the target, `digest` is what is
//! compared, `sides` is what an engine does (`sqlite/moving.rs`, `postgres/moving.rs`).

pub(crate) mod begun;
pub(crate) mod digest;
pub(crate) mod sides;
pub(crate) mod tables;

use crate::error::{Error, Result};
use crate::store::engine::conn::Conn;
use crate::store::engine::location::Location;
#[cfg(feature = "postgres")]
use crate::store::engine::postgres::moving::{ServerSource, ServerTarget};
use crate::store::engine::sqlite::moving::{FileSource, FileTarget};
use crate::store::engine::value::Value;
use begun::{Begun, Meta, Position, take_over};
use digest::{Digest, is_storable, make_storable};
use sides::{Source, Target};
use tables::{IS_TEXT, TABLES, Table};

/// Rows in one transaction, and bytes of them, at most. A body may have 1 MiB, so a transaction needs some
/// MiB of memory, and a move that is broken off does little again.
const BATCH_ROWS: u64 = 5_000;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The progress is told after this many rows.
const TOLD_ROWS: u64 = 1_000;

/// Tables by which a change of the source is noticed: every write changes one of these, or adds a row that
/// is the newest of its table.
const WATCHED: [&str; 5] = [
    "hookbox_mark",
    "hookbox_source",
    "hookbox_endpoint",
    "hookbox_tally",
    "hookbox_replay",
];

/// What a move does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MovePhase {
    /// Rows are copied.
    Copying,
    /// The rows of the target are read again and compared.
    Checking,
}

/// How far a move is within a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoveProgress {
    /// What is done with it.
    pub phase: MovePhase,
    /// The table.
    pub table: &'static str,
    /// Ids that were looked at.
    pub done: u64,
    /// Ids to look at.
    pub total: u64,
}

/// One table of a moved store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedTable {
    /// Its name.
    pub name: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// A hash over all of them, the same on both sides: in hexadecimal digits.
    pub sha256: String,
}

/// A move that is finished.
#[derive(Debug, Clone)]
pub struct Moved {
    /// Where it comes from.
    pub from: Location,
    /// Where it is now.
    pub to: Location,
    /// The part of all ids that identifies the store; it stays.
    pub box_id: String,
    /// Whether an earlier move was gone on with.
    pub resumed: bool,
    /// Its tables.
    pub tables: Vec<MovedTable>,
    /// Pending deliveries in it.
    pub pending: i64,
    /// Texts that a server cannot store, in which U+FFFD stands for NUL or for bytes that are no UTF-8.
    pub replaced_texts: u64,
}

/// Moves a store to a place where there is none. Ids, counts and bodies stay, and what is pending is sent
/// from there once it is served. The source is not changed.
///
/// If this was interrupted before, it goes on where it was; with `restart` what is in the target is thrown
/// away first. It blocks until all is done: some seconds for 100,000 events.
///
/// # Errors
/// [`Error::NoDatabase`] when there is no store to move; [`Error::AlreadyServing`] and [`Error::Refused`]
/// while it is served; [`Error::Misuse`] when there is something in the target; [`Error::Refused`] when the
/// source changed meanwhile or the two sides are not the same. The target cannot be opened then.
pub fn move_to(
    from: &Location,
    to: &Location,
    restart: bool,
    mut progress: impl FnMut(MoveProgress),
) -> Result<Moved> {
    let (mut source, from) = open_source(from)?;
    let meta = Meta::read(source.conn())?;
    let fingerprint = fingerprint(source.conn())?;
    let run = draw_run()?;
    let begin = |conn: Conn<'_>| -> Result<()> {
        meta.write(conn)?;
        let begun = Begun {
            from: from.to_string(),
            fingerprint: fingerprint.clone(),
            run: run.clone(),
            at: Position {
                table: TABLES[0].name.to_owned(),
                rows: 0,
            },
        };
        begun.write(conn)
    };
    let (mut target, to) = open_target(to, restart, &from, &begin)?;
    let begun = Begun::read(target.conn())?;
    let resumed = begun.run != run;
    if resumed {
        if begun.fingerprint != fingerprint {
            return Err(Error::Refused(format!(
                "{to} has a part of {}, and {from} is another store, or was written to since; to throw that part away and begin again: hookbox move --from '{from}' --to '{to}' --restart",
                begun.from
            )));
        }
        take_over(target.conn(), &begun.run, &run)?;
    }
    let mut copy = Copy {
        source: source.as_ref(),
        target: target.as_mut(),
        run: &run,
        to: &to,
        replaced_texts: 0,
    };
    let digests = copy.rows(&begun.at, &mut progress)?;
    let replaced_texts = copy.replaced_texts;
    let newest = newest_ids(source.as_ref(), &meta)?;
    target.settle(&meta, &newest)?;
    if Meta::read(target.conn())? != meta {
        return Err(differs("hookbox_meta", &from, &to));
    }
    let tables = compare(&digests, target.as_ref(), &mut progress, |table| {
        differs(table, &from, &to)
    })?;
    source.look_again()?;
    if self::fingerprint(source.conn())? != fingerprint {
        return Err(Error::Refused(format!(
            "{from} was written to during the move; stop what writes to it, and begin again: hookbox move --from '{from}' --to '{to}' --restart"
        )));
    }
    let pending = target.conn().one(
        "select count(*) from hookbox_delivery where state = 'pending'",
        &[],
        |row| row.get(0),
    )?;
    target.open(&run)?;
    Ok(Moved {
        from,
        to,
        box_id: meta.box_id,
        resumed,
        tables,
        pending,
        replaced_texts,
    })
}

fn differs(table: &str, from: &Location, to: &Location) -> Error {
    Error::Refused(format!(
        "{table} in {to} is not as in {from}: something else wrote there, or the disk; the move is not finished; to begin again: hookbox move --from '{from}' --to '{to}' --restart"
    ))
}

/// Opens the side that is read, and returns its place: of a file, its real path.
fn open_source(from: &Location) -> Result<(Box<dyn Source>, Location)> {
    match from {
        Location::File(path) => {
            let source = FileSource::open(path)?;
            let path = source.path().to_owned();
            Ok((Box::new(source), Location::File(path)))
        }
        #[cfg(feature = "postgres")]
        Location::Server(url) => Ok((Box::new(ServerSource::open(url)?), from.clone())),
    }
}

fn open_target(
    to: &Location,
    restart: bool,
    from: &Location,
    begin: &dyn Fn(Conn<'_>) -> Result<()>,
) -> Result<(Box<dyn Target>, Location)> {
    let target: Box<dyn Target> = match to {
        Location::File(path) => Box::new(FileTarget::prepare(path, restart, from.file(), begin)?),
        #[cfg(feature = "postgres")]
        Location::Server(url) => Box::new(ServerTarget::prepare(url, restart, begin)?),
    };
    Ok((target, to.clone()))
}

/// A value that only this process has.
fn draw_run() -> Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::io(
            "draw a random value",
            std::io::Error::other(error.to_string()),
        )
    })?;
    Ok(hex::encode(bytes))
}

/// Changes whenever the store is written to.
fn fingerprint(conn: Conn<'_>) -> Result<String> {
    let mut digest = Digest::default();
    let meta = Meta::read(conn)?;
    digest.add(&[
        Value::text(meta.box_id.as_str()),
        Value::Integer(meta.config_version),
        Value::Integer(meta.pruned_to),
    ]);
    for table in TABLES.iter().filter(|table| WATCHED.contains(&table.name)) {
        conn.stream(&table.select(conn.is_file()), |row| {
            digest.add(&table.read(row)?);
            Ok(())
        })?;
    }
    let newest: [i64; 4] = conn.one(
        "select
             (select coalesce(max(id), 0) from hookbox_event),
             (select coalesce(max(id), 0) from hookbox_delivery),
             (select coalesce(max(id), 0) from hookbox_outbox_row),
             (select count(*) from hookbox_outbox_row)",
        &[],
        |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]),
    )?;
    digest.add(&newest.map(Value::Integer));
    Ok(digest.sha256())
}

/// The largest ids that the tables gave out, for those that give out ids.
fn newest_ids(source: &dyn Source, meta: &Meta) -> Result<Vec<(&'static Table, i64)>> {
    // What is known of rows that are gone: where marks begin, and how many events there ever were.
    let (events, deliveries): (i64, i64) = source.conn().one(
        "select
             (select coalesce(max(event_from), 1) - 1 from hookbox_mark),
             (select coalesce(max(delivery_from), 1) - 1 from hookbox_mark)",
        &[],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let ever: i64 = source.conn().one(
        "select coalesce(sum(value), 0) from hookbox_tally where of = 'source' and what = 'events'",
        &[],
        |row| row.get(0),
    )?;
    let mut newest = Vec::new();
    for table in TABLES.iter().filter(|table| table.gives_ids()) {
        let known = match table.name {
            tables::EVENTS => events.max(ever).max(meta.pruned_to),
            "hookbox_delivery" => deliveries,
            _ => 0,
        };
        newest.push((table, source.newest_id(table)?.max(known)));
    }
    Ok(newest)
}

/// The rows on their way.
struct Copy<'m> {
    source: &'m dyn Source,
    target: &'m mut dyn Target,
    run: &'m str,
    to: &'m Location,
    replaced_texts: u64,
}

impl Copy<'_> {
    /// Copies all rows behind a position; returns what is to be compared of each table.
    fn rows(
        &mut self,
        from: &Position,
        progress: &mut impl FnMut(MoveProgress),
    ) -> Result<Vec<Digest>> {
        let first = TABLES.iter().position(|table| table.name == from.table);
        let first = first.ok_or_else(|| {
            Error::Refused(format!(
                "{} is being filled by another version of hookbox; go on with that one, or use --restart",
                self.to
            ))
        })?;
        let mut digests = Vec::new();
        for (index, table) in TABLES.iter().enumerate() {
            let there = match index.cmp(&first) {
                std::cmp::Ordering::Less => u64::MAX,
                std::cmp::Ordering::Equal => from.rows,
                std::cmp::Ordering::Greater => 0,
            };
            digests.push(self.table(table, there, progress)?);
        }
        Ok(digests)
    }

    /// Copies a table, without the rows that are there already. These are read as well, for the hash.
    fn table(
        &mut self,
        table: &'static Table,
        there: u64,
        progress: &mut impl FnMut(MoveProgress),
    ) -> Result<Digest> {
        let conn = self.source.conn();
        let is_to_server = self.to.file().is_none();
        let mut ids = Ids::of(conn, table, MovePhase::Copying)?;
        let mut digest = Digest::default();
        let (mut rows, mut bytes) = (0, 0);
        let (target, replaced) = (&mut *self.target, &mut self.replaced_texts);
        conn.stream(&table.select(conn.is_file()), |row| {
            let mut values = table.read(row)?;
            if is_to_server {
                *replaced += for_server(table, &mut values);
            }
            digest.add(&values);
            if digest.rows() > there {
                target.add(table, &values)?;
                rows += 1;
                bytes += values.iter().map(Value::bytes).sum::<usize>();
                if rows >= BATCH_ROWS || bytes >= BATCH_BYTES {
                    target.commit(self.run, &at(table, &digest))?;
                    (rows, bytes) = (0, 0);
                }
            }
            ids.tell(&digest, &values, progress);
            Ok(())
        })?;
        if there < u64::MAX {
            self.target.commit(self.run, &at(table, &digest))?;
        }
        Ok(digest)
    }
}

fn at(table: &Table, digest: &Digest) -> Position {
    Position {
        table: table.name.to_owned(),
        rows: digest.rows(),
    }
}

/// Changes what a server cannot store; returns how many texts that were.
fn for_server(table: &Table, row: &mut [Value<'_>]) -> u64 {
    // A body that was given as a text, and is none for the server, is bytes there: they stay as they are.
    if let (Some(is_text), Some(body)) = (table.place(IS_TEXT), table.place("body"))
        && row[is_text] == Value::Integer(1)
        && matches!(&row[body], Value::Blob(bytes) if !is_storable(bytes))
    {
        row[is_text] = Value::Integer(0);
    }
    make_storable(row)
}

/// Reads the target again, and compares it.
fn compare(
    copied: &[Digest],
    target: &dyn Target,
    progress: &mut impl FnMut(MoveProgress),
    differs: impl Fn(&str) -> Error,
) -> Result<Vec<MovedTable>> {
    let conn = target.conn();
    let mut moved = Vec::new();
    for (table, copied) in TABLES.iter().zip(copied) {
        let mut ids = Ids::of(conn, table, MovePhase::Checking)?;
        let mut digest = Digest::default();
        conn.stream(&table.select(conn.is_file()), |row| {
            let values = table.read(row)?;
            digest.add(&values);
            ids.tell(&digest, &values, progress);
            Ok(())
        })?;
        let sha256 = digest.sha256();
        if digest.rows() != copied.rows() || sha256 != copied.sha256() {
            return Err(differs(table.name));
        }
        moved.push(MovedTable {
            name: table.name,
            rows: digest.rows(),
            sha256,
        });
    }
    Ok(moved)
}

/// The ids of a table, by which its progress is told.
struct Ids {
    phase: MovePhase,
    table: &'static str,
    first: i64,
    last: i64,
}

impl Ids {
    fn of(conn: Conn<'_>, table: &'static Table, phase: MovePhase) -> Result<Ids> {
        let (first, last) = match table.columns[0] {
            "id" => conn.one(
                &format!(
                    "select (select coalesce(min(id), 0) from {0}), (select coalesce(max(id), 0) from {0})",
                    table.name
                ),
                &[],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?,
            _ => (0, 0),
        };
        Ok(Ids {
            phase,
            table: table.name,
            first,
            last,
        })
    }

    fn tell(
        &mut self,
        digest: &Digest,
        row: &[Value<'_>],
        progress: &mut impl FnMut(MoveProgress),
    ) {
        if digest.rows() % TOLD_ROWS == 1
            && let [Value::Integer(id), ..] = row
        {
            let count = |id: i64| u64::try_from(id.saturating_sub(self.first)).unwrap_or(0);
            progress(MoveProgress {
                phase: self.phase,
                table: self.table,
                done: count(*id),
                total: count(self.last).max(1),
            });
        }
    }
}
