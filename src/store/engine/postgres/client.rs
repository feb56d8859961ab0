//! One connection to PostgreSQL, with its prepared statements.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{ToSql, Type};
use postgres::{Client, Row, Statement};

use crate::error::{Error, Result};
use crate::store::engine::postgres::translate::translate;
use crate::store::engine::postgres::value::{Column, Parameter};
use crate::store::engine::value::{Params, Value};

/// Prepared statements kept for a connection: more than the program has. Lists build theirs from filters.
const STATEMENTS_KEPT: usize = 256;

/// A connection. One thread uses it at a time.
pub(crate) struct PgConnection {
    client: RefCell<Guarded>,
    statements: RefCell<HashMap<String, Arc<Prepared>>>,
    /// Counts statements that wrote rows, and those that failed.
    changes: Cell<u64>,
    /// Whether the server only reads now: another one is the primary.
    only_reads: Cell<bool>,
}

/// A client, which must not be used on a thread of a tokio runtime: it has a runtime of its own and would
/// panic there.
struct Guarded(Option<Client>);

impl Guarded {
    fn with<T: Send>(&mut self, work: impl FnOnce(&mut Client) -> T + Send) -> T {
        let client = self.here();
        outside_runtime(move || work(client))
    }

    /// The client, for work that is never done on a thread of a tokio runtime.
    fn here(&mut self) -> &mut Client {
        self.0
            .as_mut()
            .expect("it is taken only when it is dropped")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let client = self.0.take();
        outside_runtime(move || drop(client));
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
}

struct Prepared {
    statement: Statement,
    names: Vec<String>,
}

impl PgConnection {
    pub(crate) fn new(client: Client) -> PgConnection {
        PgConnection {
            client: RefCell::new(Guarded(Some(client))),
            statements: RefCell::default(),
            changes: Cell::new(0),
            only_reads: Cell::new(false),
        }
    }

    /// Whether the connection is lost, also while nothing was asked: the server says so when it stops.
    pub(crate) fn is_closed(&self) -> bool {
        if self.only_reads.get() {
            return true;
        }
        self.client.borrow_mut().with(|client| {
            // Reads what has come, without waiting.
            let is_broken = client.notifications().iter().next().is_err();
            is_broken || client.is_closed()
        })
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Runs statements without parameters.
    pub(crate) fn batch(&self, statements: &str) -> Result<()> {
        let mut client = self.client.borrow_mut();
        Ok(client.with(|client| client.batch_execute(statements))?)
    }

    /// Runs a `copy ... from stdin` with this input.
    pub(crate) fn copy(&self, statement: &str, input: &[u8]) -> Result<()> {
        let mut client = self.client.borrow_mut();
        let client = client.here();
        let mut copy = client.copy_in(statement)?;
        copy.write_all(input)
            .map_err(|error| Error::io("send rows to the database", error))?;
        copy.finish()?;
        self.changes.set(self.changes.get() + 1);
        Ok(())
    }

    fn with<T>(
        &self,
        statement: &str,
        params: Params<'_>,
        run: impl FnOnce(
            &mut Client,
            &Statement,
            &[&(dyn ToSql + Sync)],
        ) -> std::result::Result<T, postgres::Error>
        + Send,
    ) -> Result<T>
    where
        T: Send,
    {
        let done = self.prepared(statement, params).and_then(|prepared| {
            let values = bound(&prepared.names, params)?;
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            let mut client = self.client.borrow_mut();
            let done = client.with(|client| run(client, &prepared.statement, &values));
            if let Err(error) = &done {
                let code = error.code();
                self.only_reads
                    .set(code == Some(&SqlState::READ_ONLY_SQL_TRANSACTION));
            }
            Ok(done?)
        });
        if done.is_err() {
            self.changes.set(self.changes.get() + 1);
        }
        done
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
        let mut client = self.client.borrow_mut();
        let prepared = Arc::new(Prepared {
            statement: client.with(|client| client.prepare_typed(&translated.text, &types))?,
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
        let changed = self.with(statement, params, |client, statement, values| {
            client.execute(statement, values)
        })?;
        if changed > 0 {
            self.changes.set(self.changes.get() + 1);
        }
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    fn query(&self, statement: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let rows = self.with(statement, params, |client, statement, values| {
            client.query(statement, values)
        })?;
        if !statement.starts_with("select") {
            self.changes.set(self.changes.get() + 1);
        }
        Ok(rows)
    }

    fn stream(&self, statement: &str, show: &mut dyn FnMut(&Row) -> Result<()>) -> Result<()> {
        let mut client = self.client.borrow_mut();
        let nothing: [&(dyn ToSql + Sync); 0] = [];
        let mut rows = client.here().query_raw(statement, nothing)?;
        while let Some(row) = rows.next()? {
            show(&row)?;
        }
        Ok(())
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
