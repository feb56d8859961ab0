//! An application's own connection: statements run in its transaction and leave nothing behind.
//!
//! Nothing is prepared by name here: the connection may be one of a pool, such as PgBouncer's, that another
//! session gets after the transaction.

use std::cell::RefCell;

use postgres::types::{ToSql, Type};
use postgres::{Client, GenericClient, Row, Transaction};

use crate::error::Result;
use crate::store::engine::conn::{AppConnection, Conn, sealed};
use crate::store::engine::postgres::client::{Statements, bound};
use crate::store::engine::postgres::translate::translate;
use crate::store::engine::postgres::value::Parameter;
use crate::store::engine::value::Params;

/// A connection of an application, while an event is added through it.
struct Borrowed<'c, C>(RefCell<&'c mut C>);

impl<C: GenericClient> Borrowed<'_, C> {
    fn with<T>(
        &self,
        statement: &str,
        params: Params<'_>,
        run: impl FnOnce(
            &mut C,
            &str,
            &[(&(dyn ToSql + Sync), Type)],
        ) -> std::result::Result<T, postgres::Error>,
    ) -> Result<T> {
        let translated = translate(statement);
        let values = bound(&translated.names, params)?;
        let typed: Vec<(&(dyn ToSql + Sync), Type)> = values
            .iter()
            .map(|value: &Parameter<'_>| (value as _, value.usual_type()))
            .collect();
        Ok(run(&mut self.0.borrow_mut(), &translated.text, &typed)?)
    }
}

impl<C: GenericClient> Statements for Borrowed<'_, C> {
    fn execute(&self, statement: &str, params: Params<'_>) -> Result<usize> {
        let changed = self.with(statement, params, |client, statement, values| {
            client.execute_typed(statement, values)
        })?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    fn query(&self, statement: &str, params: Params<'_>) -> Result<Vec<Row>> {
        self.with(statement, params, |client, statement, values| {
            client.query_typed(statement, values)
        })
    }
}

macro_rules! app_connections {
    ($($name:ty),+) => {$(
        impl sealed::Sealed for &mut $name {}

        impl AppConnection for &mut $name {
            fn with_conn(self, work: impl FnOnce(Conn<'_>) -> Result<()>) -> Result<()> {
                work(Conn::postgres(&Borrowed(RefCell::new(self))))
            }
        }
    )+};
}

app_connections!(Client, Transaction<'_>);
