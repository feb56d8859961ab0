//! Saves what can be read of a damaged file to a new file.
//!
//! Each table is read in the order of its rows. After a row that cannot be read, the next readable row is
//! searched. A row that refers to a lost row is left out, or reported. What is stored twice (counts, keys)
//! is rebuilt from the rows.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, ToSql, named_params};

use crate::error::{Error, Result};
use crate::model::id::SourceId;
use crate::store::engine::conn::Conn;
use crate::store::engine::sqlite::check::{Depth, faults};
use crate::store::engine::sqlite::draft::Draft;
use crate::store::engine::sqlite::event_keys::EventKeys;
use crate::store::engine::sqlite::open::{
    connect_read_only, has_foreign_tables, roll_back_broken_off,
};
use crate::store::engine::sqlite::schema::{
    lay_out, make_schema, refuse_unfinished, schema_version,
};

/// The tables that are read, each after the tables that it refers to. The other tables hold what is
/// rebuilt, or what is needed for a day only.
const TABLES: &[&str] = &[
    "hookbox_mark",
    "hookbox_source",
    "hookbox_endpoint",
    "hookbox_old_secret",
    "hookbox_rejected_request",
    "hookbox_relay_box",
    "hookbox_failing_endpoint",
    "hookbox_clock_set",
    "hookbox_pace",
    "hookbox_tally",
    "hookbox_hour",
    "hookbox_event",
    "hookbox_outbox_row",
    "hookbox_alert",
    "hookbox_replay",
    "hookbox_delivery",
    "hookbox_attempt",
    "hookbox_outage",
];

/// The result for one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SalvagedTable {
    /// Its name.
    pub name: &'static str,
    /// Rows that are in the new file.
    pub rows: i64,
    /// Where rows could not be read, as sentences.
    pub lost: Vec<String>,
}

/// What was saved, and what was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// The results by table.
    pub tables: Vec<SalvagedTable>,
    /// What was left out because it refers to a lost row, as sentences.
    pub left_out: Vec<String>,
    /// Whether the file has tables of another program, which are not read.
    pub has_others: bool,
}

impl Salvaged {
    /// Whether everything could be read.
    pub fn is_whole(&self) -> bool {
        self.left_out.is_empty() && self.tables.iter().all(|table| table.lost.is_empty())
    }
}

/// Writes what can be read of the database at a path to a new file.
///
/// # Errors
/// [`Error::Misuse`] when the new file exists already; [`Error::NoDatabase`] when there is no old one;
/// [`Error::Refused`] when not even its tables can be recognized. No file is created then.
pub fn salvage(
    from: &Path,
    to: &Path,
    mut progress: impl FnMut(&'static str, i64),
) -> Result<Salvaged> {
    if !from.exists() {
        return Err(Error::NoDatabase(from.display().to_string()));
    }
    let nothing = |error: &Error| {
        Error::Refused(format!(
            "nothing of {} can be read: {}; only a backup helps: hookbox restore FILE",
            from.display(),
            error.chain()
        ))
    };
    roll_back_broken_off(from)?;
    let source = connect_read_only(from)?;
    let known = source
        .execute_batch("begin")
        .map_err(Error::from)
        .and_then(|()| Ok(schema_version(&source)?));
    match known {
        // The row with the version may be lost, as long as the tables can be recognized.
        Ok(Some(_)) => refuse_unfinished(&source, from)?,
        Ok(None) => {
            return Err(Error::Refused(format!(
                "{} has none of hookbox's tables",
                from.display()
            )));
        }
        Err(error) if error.is_damage() && has_tables(&source) => {}
        Err(error) => return Err(nothing(&error)),
    }
    save(&source, from, to, &mut progress).map_err(|error| match error.is_damage() {
        true => nothing(&error),
        false => error,
    })
}

fn save(
    source: &Connection,
    from: &Path,
    to: &Path,
    progress: &mut impl FnMut(&'static str, i64),
) -> Result<Salvaged> {
    let draft = Draft::new(to, from)?;
    let target = draft.connect()?;
    lay_out(&target)?;
    make_schema(&target)?;
    target.pragma_update(None, "foreign_keys", false)?;
    // The newest row may be one of those that are left out.
    target.execute_batch(
        "drop trigger hookbox_event_newest; drop trigger hookbox_delivery_newest; begin",
    )?;
    let mut salvaged = Salvaged {
        tables: Vec::new(),
        left_out: Vec::new(),
        has_others: has_foreign_tables(source).unwrap_or(false),
    };
    if !copy_meta(source, &target)? {
        salvaged.left_out.push(
            "the row that says which box this is: a new one was drawn, and ids that were given out so far are of another box".to_owned(),
        );
    }
    for name in TABLES {
        let (rows, lost) = copy_table(source, &target, name, |rows| progress(name, rows))?;
        salvaged.tables.push(SalvagedTable { name, rows, lost });
    }
    leave_out(&target, &mut salvaged.left_out)?;
    rebuild_counts(&target)?;
    rebuild_keys(&target)?;
    target.execute_batch("commit")?;
    make_schema(&target)?;
    if let Some(fault) = faults(&target, Depth::Full)?.first() {
        return Err(Error::Refused(format!(
            "what was saved does not fit together: {}; nothing was made",
            fault.what
        )));
    }
    target.close().map_err(|(_, error)| Error::from(error))?;
    draft.finish()?;
    Ok(salvaged)
}

fn has_tables(source: &Connection) -> bool {
    let look =
        "select count(*) from sqlite_schema where name in ('hookbox_event', 'hookbox_delivery')";
    source
        .query_row(look, [], |row| row.get::<_, i64>(0))
        .is_ok_and(|count| count == 2)
}

/// Copies the box and the seed of the keys; returns false if they cannot be read. Then the new file keeps
/// its own.
fn copy_meta(source: &Connection, target: &Connection) -> Result<bool> {
    let read = source.query_row(
        "select box, key_seed, pruned_to, config_version from hookbox_meta where id = 1",
        [],
        |row| {
            let meta: (String, Vec<u8>, i64, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(meta)
        },
    );
    let Ok((box_id, seed, pruned_to, version)) = read else {
        return Ok(false);
    };
    target.execute(
        "update hookbox_meta
         set box = :box, key_seed = :seed, pruned_to = :pruned_to, config_version = :version
         where id = 1",
        named_params! {
            ":box": box_id, ":seed": seed, ":pruned_to": pruned_to, ":version": version,
        },
    )?;
    Ok(true)
}

/// The columns of a table; none if the table does not exist.
fn columns(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let columns = connection
        .prepare("select name from pragma_table_info(:table)")?
        .query_map(named_params! { ":table": table }, |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(columns)
}

/// What a table or a column was called before schema 9.
fn old_name(name: &str) -> &str {
    match name {
        "hookbox_rejected_request" => "hookbox_refusal",
        "hookbox_failing_endpoint" => "hookbox_refusing",
        "superseded_by" => "mended_by",
        "manual_retry_seq" => "nudges",
        other => other,
    }
}

/// Copies the rows of a table that can be read; returns how many, and where some could not.
fn copy_table(
    source: &Connection,
    target: &Connection,
    table: &'static str,
    mut progress: impl FnMut(i64),
) -> Result<(i64, Vec<String>)> {
    let mut old_table = table;
    let mut held = columns(source, table)?;
    if held.is_empty() {
        old_table = old_name(table);
        held = columns(source, old_table)?;
    }
    let wanted = columns(target, table)?;
    // Each by the name that it has there, and the one that it has now.
    let shared: Vec<(&str, &str)> = wanted
        .iter()
        .filter_map(|name| {
            let names = [name.as_str(), old_name(name)];
            let old = names
                .into_iter()
                .find(|old| held.iter().any(|held| held == old));
            Some((old?, name.as_str()))
        })
        .collect();
    if shared.is_empty() {
        // An older schema has no such table.
        return Ok((0, Vec::new()));
    }
    let (names, new_names): (Vec<&str>, Vec<&str>) = shared.into_iter().unzip();
    let (names, new_names) = (names.join(", "), new_names.join(", "));
    let marks = vec!["?"; new_names.split(", ").count()].join(", ");
    let mut insert = target.prepare(&format!(
        "insert into {table} ({new_names}) values ({marks})"
    ))?;
    let table = old_table;
    let (mut rows, mut broken, mut lost) = (0, 0, Vec::new());
    let mut put = |values: &[Value]| -> Result<()> {
        let values = values.iter().map(|value| value as &dyn ToSql);
        match insert.execute(rusqlite::params_from_iter(values)) {
            Ok(inserted) => rows += inserted as i64,
            // A row that breaks a rule of the table is lost too, as one that cannot be read.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                broken += 1;
            }
            Err(error) => return Err(error.into()),
        }
        if rows % 1_000 == 0 {
            progress(rows);
        }
        Ok(())
    };
    if !has_rowid(source, table)? {
        // This table is small and has only counts: the rows after the first unreadable one are given up.
        let read = read_rows(
            source,
            &format!("select 0, {names} from {table}"),
            &[],
            &mut put,
        )?;
        if let Some(error) = read.failed {
            lost.push(format!("all behind the first {rows}: {error}"));
        }
        return Ok((rows, lost));
    }
    // `>=`, not `>`: to find what comes after a row, SQLite would read the page of that row, which may be
    // damaged.
    let from = format!("select rowid, {names} from {table} where rowid >= ? order by rowid");
    let mut next = i64::MIN;
    loop {
        let read = read_rows(source, &from, &[&next], &mut put)?;
        let Some(error) = read.failed else {
            break;
        };
        let bad = read.last.map_or(next, |last| last + 1);
        let good = next_readable(source, table, &names, bad);
        lost.push(match good {
            Some(good) if good == bad + 1 => format!("row {bad}: {error}"),
            Some(good) => format!("rows from {} to {}: {error}", bad.max(1), good - 1),
            None => format!("rows from {} on: {error}", bad.max(1)),
        });
        match good {
            Some(good) => next = good,
            None => break,
        }
    }
    if broken > 0 {
        lost.push(format!("{broken} rows that hold what no row may"));
    }
    Ok((rows, lost))
}

fn has_rowid(connection: &Connection, table: &str) -> Result<bool> {
    let is_without: bool = connection.query_row(
        "select exists (select 1 from pragma_table_list where name = :table and wr = 1)",
        named_params! { ":table": table },
        |row| row.get(0),
    )?;
    Ok(!is_without)
}

/// The result of reading rows up to one that cannot be read.
struct Read {
    last: Option<i64>,
    failed: Option<String>,
}

fn read_rows(
    source: &Connection,
    query: &str,
    values: &[&dyn ToSql],
    put: &mut impl FnMut(&[Value]) -> Result<()>,
) -> Result<Read> {
    let mut statement = source.prepare_cached(query)?;
    let width = statement.column_count();
    let mut read = Read {
        last: None,
        failed: None,
    };
    let mut rows = statement.query(values)?;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(read),
            Err(error) => {
                read.failed = Some(error.to_string());
                return Ok(read);
            }
        };
        let id: i64 = row.get(0)?;
        let cells = (1..width)
            .map(|index| row.get(index))
            .collect::<rusqlite::Result<Vec<Value>>>();
        match cells {
            Ok(cells) => put(&cells)?,
            Err(error) => {
                read.failed = Some(error.to_string());
                return Ok(read);
            }
        }
        read.last = Some(id);
    }
}

/// The first readable row after an unreadable place, as far as searching can find it; `None` if there is
/// none.
fn next_readable(source: &Connection, table: &str, names: &str, bad: i64) -> Option<i64> {
    let from =
        format!("select rowid, {names} from {table} where rowid >= ? order by rowid limit 1");
    // The first row from there on; an error if it cannot be read.
    let first = |at: i64| -> std::result::Result<Option<i64>, ()> {
        let read = read_rows(source, &from, &[&at], &mut |_| Ok(())).map_err(drop)?;
        match read.failed {
            Some(_) => Err(()),
            None => Ok(read.last),
        }
    };
    let mut bad = bad.max(0);
    let (start, mut step) = (bad, 1_i64);
    let mut good = loop {
        let at = start.saturating_add(step);
        match first(at) {
            Ok(_) => break at,
            Err(()) if at == i64::MAX => return None,
            Err(()) => bad = at,
        }
        step = step.saturating_mul(2);
    };
    while good - bad > 1 {
        let middle = bad + (good - bad) / 2;
        match first(middle) {
            Ok(_) => good = middle,
            Err(()) => bad = middle,
        }
    }
    first(good).ok().flatten()
}

/// Rows that refer to a lost row: statements that delete them, and a sentence for each.
const LEFT_OUT: &[(&str, &str)] = &[
    (
        "delete from hookbox_delivery
         where event_id not in (select id from hookbox_event)
             or endpoint_id not in (select id from hookbox_endpoint)",
        "deliveries whose event or endpoint was lost",
    ),
    (
        "delete from hookbox_attempt where delivery_id not in (select id from hookbox_delivery)",
        "attempts whose delivery was lost",
    ),
    (
        "delete from hookbox_outage where endpoint_id not in (select id from hookbox_endpoint)",
        "outages whose endpoint was lost",
    ),
    (
        "update hookbox_event set source_id = null
         where source_id not in (select id from hookbox_source)",
        "events whose source was lost: they are there, without it",
    ),
];

/// References and counts that can be dropped.
const DROPPED_REFERENCES: &[&str] = &[
    "update hookbox_event set replay_of_event = null
     where replay_of_event not in (select id from hookbox_event)",
    "update hookbox_delivery set replay_of = null
     where replay_of not in (select id from hookbox_delivery)",
    "update hookbox_delivery set superseded_by = null
     where superseded_by not in (select id from hookbox_delivery)",
    "update hookbox_delivery set replay_id = null
     where replay_id not in (select id from hookbox_replay)",
    "update hookbox_replay set to_endpoint_id = null
     where to_endpoint_id not in (select id from hookbox_endpoint)",
    "update hookbox_delivery
     set state = 'cancelled', due_ms = null, settled_ms = created_ms, reason = 'its endpoint was removed'
     where state = 'pending'
         and endpoint_id in (select id from hookbox_endpoint where removed_ms is not null)",
    "update hookbox_alert set endpoint_id = null
     where endpoint_id not in (select id from hookbox_endpoint)",
    "delete from hookbox_rejected_request where source_id not in (select id from hookbox_source)",
    "delete from hookbox_relay_box where source_id not in (select id from hookbox_source)",
    "delete from hookbox_failing_endpoint where endpoint_id not in (select id from hookbox_endpoint)",
    "delete from hookbox_pace where endpoint_id not in (select id from hookbox_endpoint)",
    "delete from hookbox_hour where endpoint_id not in (select id from hookbox_endpoint)",
];

fn leave_out(target: &Connection, words: &mut Vec<String>) -> Result<()> {
    for (statement, what) in LEFT_OUT {
        let count = target.execute(statement, [])?;
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    }
    for statement in DROPPED_REFERENCES {
        target.execute(statement, [])?;
    }
    // The numbers of lost rows are used again, with another mark.
    target.execute_batch(
        "update hookbox_mark set
         event_from = min(event_from, (select ifnull(max(id), 0) + 1 from hookbox_event)),
         delivery_from = min(delivery_from, (select ifnull(max(id), 0) + 1 from hookbox_delivery))",
    )?;
    Ok(())
}

fn rebuild_counts(target: &Connection) -> Result<()> {
    target.execute_batch(
        "delete from hookbox_tally
         where what in ('events', 'pending', 'delivered', 'dead', 'cancelled', 'superseded', 'mended');
         -- All that ever came: those that are there, and those that were removed.
         insert into hookbox_tally (of, id, what, value)
         select 'source', id, 'events', sum(value) from (
             select ifnull(source_id, 0) as id, count(*) as value from hookbox_event group by 1
             union all
             select id, value from hookbox_tally where of = 'source' and what = 'pruned'
         ) group by 2;
         insert into hookbox_tally (of, id, what, value)
         select 'endpoint', endpoint_id, iif(superseded_by is not null, 'superseded', state), count(*)
         from hookbox_delivery group by 2, 3;",
    )?;
    Ok(())
}

/// Puts the keys of all events into the table of older keys.
fn rebuild_keys(target: &Connection) -> Result<()> {
    let mut keys = EventKeys::default();
    let mut events =
        target.prepare("select id, source_id, key from hookbox_event where key is not null")?;
    let mut events = events.query([])?;
    let mut insert =
        target.prepare("insert or ignore into hookbox_key (hash, event_id) values (:hash, :id)")?;
    while let Some(row) = events.next()? {
        let (id, source, key): (i64, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let hash = keys.hash_of(Conn::sqlite(target), source.map(SourceId), &key)?;
        insert.execute(named_params! { ":hash": hash, ":id": id })?;
    }
    Ok(())
}
