//! One connection to PostgreSQL, with its prepared statements.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{ToSql, Type};
use postgres::{Client, Row, Statement};

use crate::error::{DatabaseFault, Error, Result};
use crate::store::engine::conn::Params;
use crate::store::engine::postgres::translate::translate;
use crate::store::engine::postgres::value::{Column, Parameter};
use crate::store::engine::value::Value;

/// Prepared statements kept for a connection: more than the program has. Lists build theirs from filters.
const STATEMENTS_KEPT: usize = 256;

/// A connection. One thread uses it at a time.
pub(crate) struct PgConnection {
    client: RefCell<Client>,
    statements: RefCell<HashMap<String, Arc<Prepared>>>,
    /// Counts statements that wrote rows, and those that failed.
    changes: Cell<u64>,
    /// Whether the server only reads now: another one is the primary.
    only_reads: Cell<bool>,
}

struct Prepared {
    statement: Statement,
    names: Vec<String>,
}

impl PgConnection {
    pub(crate) fn new(client: Client) -> PgConnection {
        PgConnection {
            client: RefCell::new(client),
            statements: RefCell::default(),
            changes: Cell::new(0),
            only_reads: Cell::new(false),
        }
    }

    /// Whether the connection is lost, also while nothing was asked: the server says so when it stops.
    pub(crate) fn is_closed(&self) -> bool {
        let mut client = self.client.borrow_mut();
        // Reads what has come, without waiting.
        let is_broken = client.notifications().iter().next().is_err();
        is_broken || client.is_closed() || self.only_reads.get()
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Runs statements without parameters.
    pub(crate) fn batch(&self, statements: &str) -> Result<()> {
        Ok(self.client.borrow_mut().batch_execute(statements)?)
    }

    /// Runs a statement; returns how many rows it changed.
    pub(crate) fn execute(&self, statement: &str, params: Params<'_>) -> Result<usize> {
        let changed = self.with(statement, params, |client, statement, values| {
            client.execute(statement, values)
        })?;
        if changed > 0 {
            self.changes.set(self.changes.get() + 1);
        }
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// Runs a statement; returns its rows.
    pub(crate) fn query(&self, statement: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let rows = self.with(statement, params, |client, statement, values| {
            client.query(statement, values)
        })?;
        if !statement.starts_with("select") {
            self.changes.set(self.changes.get() + 1);
        }
        Ok(rows)
    }

    fn with<T>(
        &self,
        statement: &str,
        params: Params<'_>,
        run: impl FnOnce(
            &mut Client,
            &Statement,
            &[&(dyn ToSql + Sync)],
        ) -> std::result::Result<T, postgres::Error>,
    ) -> Result<T> {
        let done = self.prepared(statement, params).and_then(|prepared| {
            let values = bound(&prepared.names, params)?;
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            let done = run(&mut self.client.borrow_mut(), &prepared.statement, &values);
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
            statement: client.prepare_typed(&translated.text, &types)?,
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

/// The values of a statement's parameters, in their order.
fn bound<'p>(names: &[String], params: Params<'p>) -> Result<Vec<Parameter<'p>>> {
    let unknown = params
        .iter()
        .find(|(name, _)| !names.iter().any(|known| known == name));
    if let Some((name, _)) = unknown {
        return Err(unfit(
            format!("the statement has no parameter {name}").into(),
        ));
    }
    let value_of = |wanted: &String| -> Result<Parameter<'p>> {
        let given = params.iter().find(|(name, _)| name == wanted);
        match given {
            Some((_, value)) => Ok(Parameter(value.to_value().map_err(unfit)?)),
            None => Err(unfit(format!("the parameter {wanted} has no value").into())),
        }
    };
    names.iter().map(value_of).collect()
}

fn unfit(error: crate::store::engine::value::Unfit) -> Error {
    Error::Database {
        doing: "use the database",
        fault: DatabaseFault::Other,
        cause: Arc::from(error),
    }
}

/// A column's value.
pub(crate) fn column<I: postgres::row::RowIndex + std::fmt::Display>(
    row: &Row,
    index: I,
) -> Result<Value<'_>> {
    Ok(row.try_get::<_, Column<'_>>(index)?.0)
}
