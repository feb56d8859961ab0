//! The two sides of a move on a server: the store that is read, and the one that is filled.

use crate::error::{Error, Result};
use crate::store::engine::conn::{Conn, params};
use crate::store::engine::location::ServerUrl;
use crate::store::engine::moving::begun::{self, Meta, Position, UNFINISHED_VERSION, advance};
use crate::store::engine::moving::sides::{Source, Target};
use crate::store::engine::moving::tables::{EVENTS, TABLES, Table};
use crate::store::engine::postgres::client::PgConnection;
use crate::store::engine::postgres::nodes;
use crate::store::engine::postgres::open::{
    SCHEMA_VERSION, Server, begin_with_schema, has_tables, version,
};
use crate::store::engine::postgres::session::NO_NODE;
use crate::store::engine::value::Value;

/// What opens a binary COPY: its signature, no flags, no more of a header. And what closes it.
const COPY_HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const COPY_END: &[u8] = &(-1_i16).to_be_bytes();

/// A reference that is left out while rows come, and made at the end: it leads to later rows.
const LATE_REFERENCE: &str = "hookbox_delivery_superseded_by_fkey";

/// Tables of a server that are made anew, or belong to those who serve.
const OTHERS: &[&str] = &["hookbox_key", "hookbox_lane"];

/// A server's store, read as of one moment.
pub(crate) struct ServerSource {
    server: Server,
    connection: PgConnection,
}

impl ServerSource {
    pub(crate) fn open(url: &ServerUrl) -> Result<ServerSource> {
        let server = Server::new(url)?;
        let connection = server.connect_for_long()?;
        let conn = Conn::postgres(&connection);
        if !has_tables(conn)? {
            return Err(Error::NoDatabase(server.to_string()));
        }
        server.check_version(conn)?;
        let mut source = ServerSource { server, connection };
        source.look_again()?;
        Ok(source)
    }
}

impl Source for ServerSource {
    fn conn(&self) -> Conn<'_> {
        Conn::postgres(&self.connection)
    }

    fn look_again(&mut self) -> Result<()> {
        self.connection.batch("rollback")?;
        refuse_served(self.conn(), &self.server)?;
        self.connection
            .batch("begin isolation level repeatable read read only")
    }

    fn newest_id(&self, table: &Table) -> Result<i64> {
        let sequence: String = self.conn().one(
            "select pg_get_serial_sequence(:table, 'id')",
            params! { ":table": table.name },
            |row| row.get(0),
        )?;
        // The newest row may have been deleted.
        let query = format!(
            "select greatest(
                 (select coalesce(max(id), 0) from {}),
                 (select case when is_called then last_value else 0 end from {sequence})
             )",
            table.name
        );
        self.conn().one(&query, &[], |row| row.get(0))
    }
}

fn refuse_served(conn: Conn<'_>, server: &Server) -> Result<()> {
    match nodes::has_other(conn, NO_NODE)? {
        false => Ok(()),
        true => Err(Error::Refused(format!(
            "{server} is being served; stop its nodes first (one that was killed counts as there for 10 seconds)"
        ))),
    }
}

/// A server's store that is filled.
pub(crate) struct ServerTarget {
    connection: PgConnection,
    /// The rows since the last commit, as COPY takes them, and their table.
    rows: Vec<u8>,
    table: Option<&'static Table>,
    /// The first and the last event among them.
    events: Option<(i64, i64)>,
}

impl ServerTarget {
    /// Begins a move into the database, or finds the one that was begun there; with `restart` its rows go.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the database has rows of a store already; [`Error::Refused`] when it is
    /// served.
    pub(crate) fn prepare(
        url: &ServerUrl,
        restart: bool,
        begin: &dyn Fn(Conn<'_>) -> Result<()>,
    ) -> Result<ServerTarget> {
        let server = Server::new(url)?;
        let connection = server.connect_for_long()?;
        let conn = Conn::postgres(&connection);
        let is_begun = has_tables(conn)? && version(conn)? == UNFINISHED_VERSION;
        match is_begun {
            true if restart => in_transaction(&connection, "begin", || {
                empty(conn)?;
                conn.run("drop table hookbox_move", &[])?;
                begin(conn)
            })?,
            true => {}
            false => {
                let made = begin_with_schema(&connection).and_then(|()| {
                    server.check_version(conn)?;
                    refuse_served(conn, &server)?;
                    refuse_rows(conn, &server)?;
                    empty(conn)?;
                    connection.batch(&format!(
                        "alter table hookbox_delivery drop constraint if exists {LATE_REFERENCE}"
                    ))?;
                    begin(conn)?;
                    connection.batch("commit")
                });
                undone(&connection, made)?;
            }
        }
        // What a crash of the server takes is copied again: how far the move is goes with the rows.
        connection.batch("set synchronous_commit = off")?;
        Ok(ServerTarget {
            connection,
            rows: Vec::new(),
            table: None,
            events: None,
        })
    }

    /// Gives the keys of new events to them. Where two events have one key, the first one has it.
    fn add_keys(&self, first: i64, last: i64) -> Result<()> {
        self.conn().run(
            "insert into hookbox_key (source_id, key, event_id)
             select coalesce(source_id, 0), key, id from hookbox_event
             where id between :first and :last and key is not null
             order by id
             on conflict do nothing",
            params! { ":first": first, ":last": last },
        )?;
        Ok(())
    }

    /// Checks that each key leads to an event that has it.
    fn check_keys(&self) -> Result<()> {
        let lost: i64 = self.conn().one(
            "select
                 (
                     select count(*) from hookbox_event as e
                     where key is not null and not exists (
                         select 1 from hookbox_key as k
                         where k.source_id = coalesce(e.source_id, 0) and k.key = e.key
                     )
                 ) + (
                     select count(*) from hookbox_key as k
                     where not exists (
                         select 1 from hookbox_event as e
                         where e.id = k.event_id and coalesce(e.source_id, 0) = k.source_id and e.key = k.key
                     )
                 )",
            &[],
            |row| row.get(0),
        )?;
        match lost {
            0 => Ok(()),
            lost => Err(Error::Refused(format!(
                "hookbox_key: {lost} keys of events are not as they were"
            ))),
        }
    }
}

impl Target for ServerTarget {
    fn conn(&self) -> Conn<'_> {
        Conn::postgres(&self.connection)
    }

    fn add(&mut self, table: &'static Table, row: &[Value<'_>]) -> Result<()> {
        if self.rows.is_empty() {
            self.rows.extend_from_slice(COPY_HEAD);
        }
        self.table = Some(table);
        let zero = table.behind_view.map(|_| Value::Integer(0));
        let count =
            i16::try_from(row.len() + zero.iter().count()).expect("a table has few columns");
        self.rows.extend_from_slice(&count.to_be_bytes());
        for value in zero.iter().chain(row) {
            put(&mut self.rows, value)?;
        }
        if table.name == EVENTS
            && let [Value::Integer(id), ..] = row
        {
            let (first, _) = self.events.unwrap_or((*id, *id));
            self.events = Some((first, *id));
        }
        Ok(())
    }

    fn commit(&mut self, run: &str, at: &Position) -> Result<()> {
        let (table, events) = (self.table.take(), self.events.take());
        self.rows.extend_from_slice(COPY_END);
        in_transaction(&self.connection, "begin", || {
            if let Some(table) = table {
                self.connection.copy(&copy_into(table), &self.rows)?;
            }
            if let Some((first, last)) = events {
                self.add_keys(first, last)?;
            }
            advance(self.conn(), run, at)
        })?;
        self.rows.clear();
        Ok(())
    }

    fn settle(&mut self, meta: &Meta, newest: &[(&'static Table, i64)]) -> Result<()> {
        if !has_late_reference(self.conn())? {
            self.connection.batch(&format!(
                "alter table hookbox_delivery add constraint {LATE_REFERENCE}
                 foreign key (superseded_by) references hookbox_delivery (id)"
            ))?;
        }
        for (table, newest) in newest {
            self.conn().one(
                "select setval(cast(pg_get_serial_sequence(:table, 'id') as regclass), greatest(:newest, 1), :newest > 0)",
                params! { ":table": table.name, ":newest": *newest },
                |_| Ok(()),
            )?;
        }
        meta.write(self.conn())?;
        self.check_keys()
    }

    fn open(self: Box<Self>, run: &str) -> Result<()> {
        // With this commit everything before it is on disk too.
        in_transaction(
            &self.connection,
            "begin; set local synchronous_commit = on",
            || begun::open(self.conn(), run, SCHEMA_VERSION),
        )?;
        let tables: Vec<&str> = TABLES.iter().map(of_rows).collect();
        let analyzed = self
            .connection
            .batch(&format!("analyze {}", tables.join(", ")));
        if let Err(error) = analyzed {
            tracing::warn!(
                error = error.chain(),
                "the server does not know its new tables well yet"
            );
        }
        Ok(())
    }
}

/// Runs statements in a transaction of their own.
fn in_transaction(
    connection: &PgConnection,
    begin: &str,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let done = connection.batch(begin).and_then(|()| {
        work()?;
        connection.batch("commit")
    });
    undone(connection, done)
}

/// Ends a transaction that failed.
fn undone(connection: &PgConnection, done: Result<()>) -> Result<()> {
    if done.is_err() && !connection.is_closed() {
        connection.batch("rollback")?;
    }
    done
}

/// The table that has the rows.
fn of_rows(table: &Table) -> &'static str {
    table.behind_view.map_or(table.name, |(name, _)| name)
}

fn copy_into(table: &Table) -> String {
    let zero = table.behind_view.map(|(_, column)| column);
    let columns: Vec<&str> = zero.iter().chain(table.columns).copied().collect();
    format!(
        "copy {} ({}) from stdin with (format binary)",
        of_rows(table),
        columns.join(", ")
    )
}

/// Writes a value as binary COPY has it: its length, and its bytes.
fn put(out: &mut Vec<u8>, value: &Value<'_>) -> Result<()> {
    let number;
    let bytes: &[u8] = match value {
        Value::Null => {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            return Ok(());
        }
        Value::Integer(integer) => {
            number = integer.to_be_bytes();
            &number
        }
        Value::Text(bytes) | Value::Blob(bytes) => bytes,
        Value::Real(real) => {
            return Err(Error::Refused(format!(
                "there is {real} where a whole number, a text or bytes belong; look with: hookbox check --full"
            )));
        }
    };
    let length = i32::try_from(bytes.len())
        .map_err(|_| Error::Refused("a value is longer than 2 GiB".to_owned()))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

fn has_late_reference(conn: Conn<'_>) -> Result<bool> {
    conn.one(
        "select exists (
             select 1 from pg_constraint
             where conrelid = to_regclass('hookbox_delivery') and conname = :name
         )",
        params! { ":name": LATE_REFERENCE },
        |row| row.get(0),
    )
}

/// Refuses a store that somebody used. One that was only made, or served without anything in it, is new.
fn refuse_rows(conn: Conn<'_>, server: &Server) -> Result<()> {
    for table in TABLES.iter().filter(|table| table.name != "hookbox_mark") {
        let has_rows: bool = conn.one(
            &format!("select exists (select 1 from {})", table.name),
            &[],
            |row| row.get(0),
        )?;
        if has_rows {
            return Err(Error::misuse(format!(
                "{server} has a store already (there are rows in {}); name a new database, or a new schema: create it, and add options=-csearch_path%3DNAME to the URL",
                table.name
            )));
        }
    }
    Ok(())
}

/// Removes all rows.
fn empty(conn: Conn<'_>) -> Result<()> {
    let tables: Vec<&str> = TABLES
        .iter()
        .map(of_rows)
        .chain(OTHERS.iter().copied())
        .collect();
    conn.run(&format!("truncate {}", tables.join(", ")), &[])?;
    conn.run("delete from hookbox_node where id <> 0", &[])?;
    Ok(())
}
