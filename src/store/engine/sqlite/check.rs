//! Integrity check: what SQLite reports about its pages, and whether data that hookbox stores twice agrees.
//!
//! The check changes nothing. It also works on a file that can no longer be opened as a store.

use std::path::Path;

use rusqlite::{Connection, named_params};

use crate::error::{Error, Result};
use crate::model::id::SourceId;
use crate::store::engine::Store;
use crate::store::engine::conn::Conn;
use crate::store::engine::sqlite::event_keys::EventKeys;
use crate::store::engine::sqlite::open::{connect_read_only, roll_back_broken_off};
use crate::store::engine::sqlite::schema::{SCHEMA_VERSION, refuse_unfinished, schema_version};

/// Maximum faults of one kind that are reported.
const FAULTS_MAX: usize = 20;

/// How much is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every page can be read and belongs to the right b-tree.
    Quick,
    /// The quick check, and also indexes, references, counts and keys. It reads every row several times.
    Full,
}

/// One fault that the check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub what: String,
    /// Whether data in the file cannot be read, or differs from what was written.
    pub is_damage: bool,
}

impl Fault {
    fn damaged(what: impl Into<String>) -> Fault {
        Fault {
            what: what.into(),
            is_damage: true,
        }
    }

    fn disagrees(what: impl Into<String>) -> Fault {
        Fault {
            what: what.into(),
            is_damage: false,
        }
    }

    /// What the operator should do.
    pub fn do_this(&self) -> &'static str {
        match self.is_damage {
            true => {
                "stop serve, keep a copy of the file as it is, then put a backup in its place: hookbox restore FILE; without one, save what can be read: hookbox salvage NEW_FILE"
            }
            false => {
                "nothing is lost by it; with serve stopped, make a file in which all is counted anew, and put it in place: hookbox salvage NEW_FILE, then hookbox restore NEW_FILE"
            }
        }
    }
}

impl Store {
    /// Checks the file of this store.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened. Damage is not an error: it is returned as a fault.
    #[doc(hidden)]
    pub fn check(&self, depth: Depth) -> Result<Vec<Fault>> {
        check(
            self.location()
                .require_file("its own tools check it (pg_amcheck)")?,
            depth,
        )
    }
}

/// Checks the database file at this path. The file may be served meanwhile.
///
/// # Errors
/// [`Error::NoDatabase`] and [`Error::Io`] when there is no file, or it cannot be opened. Damage is not an
/// error: it is returned as a fault.
pub fn check(path: &Path, depth: Depth) -> Result<Vec<Fault>> {
    match std::fs::metadata(path) {
        Ok(found) if found.len() > 0 => {}
        Ok(_) => {
            return Ok(vec![Fault::damaged("the file is empty")]);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NoDatabase(path.display().to_string()));
        }
        Err(error) => return Err(Error::io_at("open", path, error)),
    }
    roll_back_broken_off(path)?;
    let found = connect_read_only(path).and_then(|connection| {
        refuse_unfinished(&connection, path)?;
        faults(&connection, depth)
    });
    match found {
        Err(error) if error.is_damage() => Ok(vec![Fault::damaged(error.chain())]),
        found => found,
    }
}

/// One of the things that are looked at beside the pages.
type Look = fn(&Connection) -> Result<Vec<Fault>>;

/// All faults, as of one moment.
pub(crate) fn faults(connection: &Connection, depth: Depth) -> Result<Vec<Fault>> {
    let transaction = connection.unchecked_transaction()?;
    let pragma = match depth {
        Depth::Quick => "pragma quick_check(20)",
        Depth::Full => "pragma integrity_check(20)",
    };
    let mut faults: Vec<Fault> = match texts(&transaction, pragma) {
        Ok(texts) => texts
            .into_iter()
            .filter(|text| text != "ok" && !is_others_rule(text))
            .map(Fault::damaged)
            .collect(),
        // The file is so damaged that the check itself fails.
        Err(error) if error.is_damage() => return Ok(vec![Fault::damaged(error.chain())]),
        Err(error) => return Err(error),
    };
    if depth == Depth::Full {
        let version = schema_version(&transaction).ok().flatten();
        let is_older = version.is_some_and(|found| found < SCHEMA_VERSION);
        // What is kept twice is compared by the newest names.
        let looks: &[Look] = match is_older {
            true => &[foreign_keys],
            false => &[foreign_keys, disagreements, lost_keys],
        };
        for look in looks {
            match look(&transaction) {
                Ok(more) => faults.extend(more),
                // Unreadable pages were reported above, except for damage that shows only when a whole row
                // is read.
                Err(error) if error.is_damage() => {
                    faults.push(Fault::damaged(error.chain()));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if is_older && faults.is_empty() {
            return Err(Error::Refused(format!(
                "its pages are whole, and it is of an older schema: any other command, such as `hookbox stats`, brings it up to version {SCHEMA_VERSION}; then look again"
            )));
        }
    }
    Ok(faults)
}

/// Whether a row of another program breaks a rule of that program's table: this is no damage, and not ours
/// to judge.
fn is_others_rule(text: &str) -> bool {
    let is_rule =
        text.starts_with("CHECK constraint failed in ") || text.starts_with("NULL value in ");
    is_rule && !text.contains(" hookbox_")
}

fn texts(connection: &Connection, query: &str) -> Result<Vec<String>> {
    let texts = connection
        .prepare(query)?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(texts)
}

/// Rows that refer to rows which do not exist.
pub(crate) fn foreign_keys(connection: &Connection) -> Result<Vec<Fault>> {
    let mut broken = connection.prepare("pragma foreign_key_check")?;
    let mut broken = broken.query([])?;
    let mut faults = Vec::new();
    while let Some(row) = broken.next()? {
        let (table, id, to): (String, Option<i64>, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        if !table.starts_with("hookbox_") {
            continue;
        }
        faults.push(Fault::disagrees(format!(
            "row {} of {table} refers to a row of {to} that is not there",
            id.unwrap_or(0)
        )));
        if faults.len() == FAULTS_MAX {
            break;
        }
    }
    Ok(faults)
}

/// Each statement selects, as sentences, the places where two facts that must agree do not.
const DISAGREEMENTS: &[&str] = &[
    "with counted as (
         select endpoint_id as id, iif(superseded_by is not null, 'superseded', state) as what, count(*) as value
         from hookbox_delivery group by 1, 2
     ),
     told as (
         select id, what, value from hookbox_tally
         where of = 'endpoint' and what in ('pending', 'delivered', 'dead', 'cancelled', 'superseded')
     ),
     both_of as (select id, what from counted union select id, what from told)
     select 'endpoint ' || p.name || ' has ' || ifnull(c.value, 0) || ' deliveries that are ' || b.what
         || ', and its count says ' || ifnull(t.value, 0)
     from both_of as b
     left join counted as c on c.id = b.id and c.what = b.what
     left join told as t on t.id = b.id and t.what = b.what
     left join hookbox_endpoint as p on p.id = b.id
     where ifnull(c.value, 0) <> ifnull(t.value, 0)",
    "with counted as (
         select ifnull(source_id, 0) as id, count(*) as value from hookbox_event group by 1
     ),
     told as (
         select id, sum(iif(what = 'events', value, -value)) as value from hookbox_tally
         where of = 'source' and what in ('events', 'pruned') group by 1
     ),
     both_of as (select id from counted union select id from told)
     select 'source ' || ifnull(s.name, '(none)') || ' has ' || ifnull(c.value, 0)
         || ' events, and its count says ' || ifnull(t.value, 0)
     from both_of as b
     left join counted as c on c.id = b.id
     left join told as t on t.id = b.id
     left join hookbox_source as s on s.id = b.id
     where ifnull(c.value, 0) <> ifnull(t.value, 0)",
    "select 'attempt ' || a.id || ' is of delivery ' || a.delivery_id || ', which is not there'
     from hookbox_attempt as a
     where not exists (select 1 from hookbox_delivery as d where d.id = a.delivery_id)",
    "select 'delivery ' || d.id || ' is pending at endpoint ' || p.name || ', which was removed'
     from hookbox_endpoint as p
     join hookbox_delivery as d on d.endpoint_id = p.id and d.state = 'pending'
     where p.removed_ms is not null",
];

fn disagreements(connection: &Connection) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for query in DISAGREEMENTS {
        let limited = format!("{query} limit {FAULTS_MAX}");
        faults.extend(
            texts(connection, &limited)?
                .into_iter()
                .map(Fault::disagrees),
        );
    }
    Ok(faults)
}

/// Events whose key would not be recognized if the same key came again.
pub(crate) fn lost_keys(connection: &Connection) -> Result<Vec<Fault>> {
    let mut keys = EventKeys::default();
    let mut events =
        connection.prepare("select id, source_id, key from hookbox_event where key is not null")?;
    let mut events = events.query([])?;
    let mut held = connection.prepare(
        "select exists (select 1 from hookbox_recent_key where event_id = :id and hash = :hash)
         or exists (select 1 from hookbox_key where hash = :hash and event_id = :id)",
    )?;
    let mut faults = Vec::new();
    while let Some(row) = events.next()? {
        let (id, source, key): (i64, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let hash = keys.hash_of(Conn::sqlite(connection), source.map(SourceId), &key)?;
        let is_held: bool =
            held.query_row(named_params! { ":id": id, ":hash": hash }, |row| row.get(0))?;
        if !is_held {
            faults.push(Fault::disagrees(format!(
                "the key of event {id} would not be found if it came again"
            )));
        }
        if faults.len() == FAULTS_MAX {
            break;
        }
    }
    Ok(faults)
}
