//! One connection to PostgreSQL, with its prepared statements.
//!
//! A statement that nobody waits for ([`Statements::post`]) is sent with the next one that is waited for, so
//! that a group of jobs does not wait for the server statement by statement.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use postgres::types::{ToSql, Type};
use postgres::{Row, Statement};
use tokio::runtime::Runtime;
use tokio::task::{JoinHandle, yield_now};
use tokio_postgres::Client;

use crate::error::{Error, Result};
use crate::store::engine::postgres::fault::is_read_only;
use crate::store::engine::postgres::posted::{Posted, Prepared, all_sent};
use crate::store::engine::postgres::translate::translate;
use crate::store::engine::postgres::value::{Column, Parameter};
use crate::store::engine::value::{Params, Value, check_rows, params};

/// Prepared statements kept for a connection: more than the program has. Lists build theirs from filters.
const STATEMENTS_KEPT: usize = 256;

/// Statements that may wait to be sent; each may hold a body.
const POSTED_MAX: usize = 512;

/// Ids that are asked for at once.
const IDS_AT_ONCE_MAX: i64 = 256;

/// A connection. One thread uses it at a time.
pub(crate) struct PgConnection {
    wire: RefCell<Guarded>,
    statements: RefCell<HashMap<String, Arc<Prepared>>>,
    posted: RefCell<Vec<Posted>>,
    /// Ids that the server set aside for rows of these tables.
    ids: RefCell<HashMap<&'static str, SetAside>>,
    /// How many jobs the open transaction has.
    jobs: Cell<i64>,
    /// Counts statements that wrote rows, and those that failed.
    changes: Cell<u64>,
    /// Whether the server only reads now: another one is the primary.
    only_reads: Cell<bool>,
}

/// Ids for the next rows of a table.
#[derive(Default)]
struct SetAside {
    /// The first one comes last.
    ids: Vec<i64>,
    /// How many rows the present job adds.
    rows_a_job: i64,
}

/// The connection, and the runtime that moves its bytes while somebody waits for it.
pub(super) struct Wire {
    runtime: Runtime,
    client: Client,
    /// Moves the bytes.
    mover: JoinHandle<()>,
}

impl Wire {
    /// Connects, and keeps what `connect` returns.
    pub(super) fn open<M>(
        connect: impl Future<Output = std::result::Result<(Client, M), postgres::Error>>,
    ) -> Result<Wire>
    where
        M: Future<Output = std::result::Result<(), postgres::Error>> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::io("connect to the database", error))?;
        let (client, mover) = runtime.block_on(connect)?;
        let mover = runtime.spawn(async move {
            if let Err(error) = mover.await {
                tracing::debug!(%error, "a connection to the database ended");
            }
        });
        Ok(Wire {
            runtime,
            client,
            mover,
        })
    }

    /// Whether the connection is lost, also while nothing was asked: the server says so when it stops.
    fn is_lost(&self) -> bool {
        // What has come is read, and then understood.
        self.runtime.block_on(async {
            yield_now().await;
            yield_now().await;
        });
        self.client.is_closed() || self.mover.is_finished()
    }

    /// Says good-bye, so that the server does not find the connection broken.
    fn close(self) {
        let Wire {
            runtime,
            client,
            mover,
        } = self;
        drop(client);
        // An error here is one of a connection that nobody needs any more.
        let _ = runtime.block_on(async { tokio::time::timeout(CLOSE_TIMEOUT, mover).await });
    }
}

/// How long a good-bye may take.
const CLOSE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);

/// A wire, which must not be waited for on a thread of a tokio runtime: its own runtime would panic there.
struct Guarded(Option<Wire>);

impl Guarded {
    fn with<T: Send>(&self, work: impl FnOnce(&Wire) -> T + Send) -> T {
        let wire = self.here();
        outside_runtime(move || work(wire))
    }

    /// The wire, for work that is never done on a thread of a tokio runtime.
    fn here(&self) -> &Wire {
        self.0
            .as_ref()
            .expect("it is taken only when it is dropped")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(wire) = self.0.take() {
            outside_runtime(move || wire.close());
        }
    }
}

/// Does work that must not be done on a thread of a tokio runtime: there, another thread does it while this
/// one waits.
pub(super) fn outside_runtime<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if tokio::runtime::Handle::try_current().is_err() {
        return work();
    }
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// What runs the statements of a [`Conn`](crate::store::engine::conn::Conn).
pub(in crate::store::engine) trait Statements {
    /// Runs a statement; returns how many rows it changed.
    fn execute(&self, statement: &str, params: Params<'_>) -> Result<usize>;

    /// Runs a statement; returns its rows.
    fn query(&self, statement: &str, params: Params<'_>) -> Result<Vec<Row>>;

    /// Runs a statement without parameters, and shows its rows one by one as they come.
    fn stream(&self, statement: &str, show: &mut dyn FnMut(&Row) -> Result<()>) -> Result<()> {
        self.query(statement, &[])?.iter().try_for_each(show)
    }

    /// Runs a statement that nobody waits for; it must change so many rows, if they are given. An error may
    /// come with a later statement.
    fn post(&self, statement: &str, params: Params<'_>, rows: Option<usize>) -> Result<()> {
        let changed = self.execute(statement, params)?;
        check_rows(changed, rows)
    }

    /// Sets ids aside for the next rows of a table; the first one comes last.
    fn new_ids(&self, table: &'static str, count: i64) -> Result<Vec<i64>> {
        let rows = self.query(
            "select nextval(pg_get_serial_sequence(:table, 'id')) from generate_series(1, :count)",
            params! { ":table": table, ":count": count },
        )?;
        let ids: std::result::Result<Vec<i64>, _> = rows.iter().map(|row| row.try_get(0)).collect();
        let mut ids = ids?;
        ids.sort_unstable_by(|one, other| other.cmp(one));
        Ok(ids)
    }

    /// A job is about to add so many rows to a table.
    fn expect(&self, _table: &'static str, _rows: usize) {}

    /// The id for the next row of a table.
    fn new_id(&self, table: &'static str) -> Result<i64> {
        let id = self.new_ids(table, 1)?.pop();
        id.ok_or_else(|| Error::unexpected("a query returned no rows"))
    }
}

impl PgConnection {
    pub(super) fn new(wire: Wire) -> PgConnection {
        PgConnection {
            wire: RefCell::new(Guarded(Some(wire))),
            statements: RefCell::default(),
            posted: RefCell::default(),
            ids: RefCell::default(),
            jobs: Cell::new(1),
            changes: Cell::new(0),
            only_reads: Cell::new(false),
        }
    }

    /// Whether the connection is lost, also while nothing was asked.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_broken() || self.wire.borrow().with(Wire::is_lost)
    }

    /// Whether a statement found the connection lost.
    pub(crate) fn is_broken(&self) -> bool {
        self.only_reads.get() || self.wire.borrow().here().client.is_closed()
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes.get()
    }

    fn changed(&self) {
        self.changes.set(self.changes.get() + 1);
    }

    /// A transaction of so many jobs begins: no id is kept from an earlier one, so that ids do not come long
    /// after they were set aside. Statements without parameters; nobody waits for them.
    pub(crate) fn begin(&self, statements: &'static str, jobs: usize) {
        self.ids.borrow_mut().clear();
        self.jobs.set(i64::try_from(jobs).unwrap_or(1));
        self.posted.borrow_mut().push(Posted::Batch(statements));
    }

    /// Waits for all that was posted.
    pub(crate) fn wait_for_all(&self) -> Result<()> {
        if self.posted.borrow().is_empty() {
            return Ok(());
        }
        self.wait_for(async |_| Ok(()))
    }

    /// Forgets what was posted and not sent, since it is undone, and the ids that were set aside: the next row
    /// may have a new mark, which begins after them.
    pub(crate) fn forget(&self) {
        self.posted.borrow_mut().clear();
        self.ids.borrow_mut().clear();
    }

    /// Runs statements without parameters.
    pub(crate) fn batch(&self, statements: &str) -> Result<()> {
        self.wait_for(async |client| client.batch_execute(statements).await)
    }

    /// Runs a `copy ... from stdin` with this input.
    pub(crate) fn copy(&self, statement: &str, input: &[u8]) -> Result<()> {
        let input = Bytes::copy_from_slice(input);
        self.wait_for(async |client| {
            let mut sink = pin!(client.copy_in(statement).await?);
            sink.send(input).await?;
            sink.finish().await
        })?;
        self.changed();
        Ok(())
    }

    /// Sends what was posted and then this, in one go, and waits for all of it. The first error is returned.
    fn wait_for<T: Send>(
        &self,
        run: impl AsyncFnOnce(&Client) -> std::result::Result<T, postgres::Error> + Send,
    ) -> Result<T> {
        let posted = self.posted.take();
        let (before, done) = self.wire.borrow().with(|wire| {
            let last = run(&wire.client);
            wire.runtime.block_on(all_sent(&wire.client, &posted, last))
        });
        let done = before.and_then(|()| Ok(done?));
        if let Err(error) = &done {
            self.changed();
            self.only_reads.set(is_read_only(error));
        }
        done
    }

    fn with<T: Send>(
        &self,
        statement: &str,
        params: Params<'_>,
        run: impl AsyncFnOnce(
            &Client,
            &Statement,
            &[&(dyn ToSql + Sync)],
        ) -> std::result::Result<T, postgres::Error>
        + Send,
    ) -> Result<T> {
        let prepared = self.prepared(statement, params)?;
        let values = bound(&prepared.names, params)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        self.wait_for(async |client| run(client, &prepared.statement, &values).await)
    }

    /// The statement, prepared. Its parameters have the types of the first values that it is run with: from
    /// the text alone, PostgreSQL cannot tell the types in `:now - :kept`.
    fn prepared(&self, statement: &str, params: Params<'_>) -> Result<Arc<Prepared>> {
        if let Some(known) = self.statements.borrow().get(statement) {
            return Ok(known.clone());
        }
        let translated = translate(statement);
        let values = bound(&translated.names, params)?;
        let types: Vec<Type> = values.iter().map(Parameter::usual_type).collect();
        let text = &translated.text;
        let prepared = Arc::new(Prepared {
            statement: self.wait_for(async |client| client.prepare_typed(text, &types).await)?,
            names: translated.names,
        });
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS_KEPT {
            statements.clear();
        }
        statements.insert(statement.to_owned(), prepared.clone());
        Ok(prepared)
    }
}

impl Statements for PgConnection {
    fn execute(&self, statement: &str, params: Params<'_>) -> Result<usize> {
        let changed = self.with(statement, params, async |client, statement, values| {
            client.execute(statement, values).await
        })?;
        if changed > 0 {
            self.changed();
        }
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    fn query(&self, statement: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let rows = self.with(statement, params, async |client, statement, values| {
            client.query(statement, values).await
        })?;
        if !statement.starts_with("select") {
            self.changed();
        }
        Ok(rows)
    }

    fn stream(&self, statement: &str, show: &mut dyn FnMut(&Row) -> Result<()>) -> Result<()> {
        self.wait_for_all()?;
        let nothing: [&(dyn ToSql + Sync); 0] = [];
        let wire = self.wire.borrow();
        let Wire {
            runtime, client, ..
        } = wire.here();
        let mut rows = pin!(runtime.block_on(client.query_raw(statement, nothing))?);
        while let Some(row) = runtime.block_on(rows.next()) {
            show(&row?)?;
        }
        Ok(())
    }

    fn post(&self, statement: &str, params: Params<'_>, rows: Option<usize>) -> Result<()> {
        let prepared = self.prepared(statement, params)?;
        let values = bound(&prepared.names, params)?;
        let values = values.into_iter().map(Parameter::into_owned).collect();
        self.posted.borrow_mut().push(Posted::Statement {
            prepared,
            values,
            rows,
        });
        self.changed();
        match self.posted.borrow().len() < POSTED_MAX {
            true => Ok(()),
            false => self.wait_for_all(),
        }
    }

    fn expect(&self, table: &'static str, rows: usize) {
        let mut all = self.ids.borrow_mut();
        all.entry(table).or_default().rows_a_job = i64::try_from(rows).unwrap_or(1);
    }

    fn new_id(&self, table: &'static str) -> Result<i64> {
        let mut all = self.ids.borrow_mut();
        let of_table = all.entry(table).or_default();
        if of_table.ids.is_empty() {
            // The other jobs of the group are taken to be alike.
            let count = of_table.rows_a_job.max(1) * self.jobs.get();
            of_table.ids = self.new_ids(table, count.clamp(1, IDS_AT_ONCE_MAX))?;
        }
        let id = of_table.ids.pop();
        id.ok_or_else(|| Error::unexpected("a query returned no rows"))
    }
}

/// The values of a statement's parameters, in their order.
pub(super) fn bound<'p>(names: &[String], params: Params<'p>) -> Result<Vec<Parameter<'p>>> {
    let unknown = params
        .iter()
        .find(|(name, _)| !names.iter().any(|known| known == name));
    if let Some((name, _)) = unknown {
        return Err(Error::unexpected(format!(
            "the statement has no parameter {name}"
        )));
    }
    let value_of = |wanted: &String| -> Result<Parameter<'p>> {
        let given = params.iter().find(|(name, _)| name == wanted);
        match given {
            Some((_, value)) => Ok(Parameter(value.to_value().map_err(Error::unexpected)?)),
            None => Err(Error::unexpected(format!(
                "the parameter {wanted} has no value"
            ))),
        }
    };
    names.iter().map(value_of).collect()
}

/// A column's value.
pub(crate) fn column<I: postgres::row::RowIndex + std::fmt::Display>(
    row: &Row,
    index: I,
) -> Result<Value<'_>> {
    Ok(row.try_get::<_, Column<'_>>(index)?.0)
}
