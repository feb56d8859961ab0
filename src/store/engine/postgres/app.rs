//! An application's own connection: statements run in its transaction and leave nothing behind.
//!
//! Nothing is prepared by name here: the connection may be one of a pool, such as PgBouncer's, that another
//! session gets after the transaction.

use std::cell::RefCell;

use tokio_postgres::GenericClient as AsyncClient;

use postgres::types::{ToSql, Type};
use postgres::{Client, GenericClient, Row, Transaction};

use crate::error::Result;
use crate::store::engine::conn::{AppConnection, Conn, sealed};
use crate::store::engine::postgres::client::{Statements, bound};
use crate::store::engine::postgres::translate::translate;
use crate::store::engine::postgres::value::Parameter;
use crate::store::engine::value::{Params, check_rows};

/// A statement with its values, for a connection that is waited for without blocking.
pub(crate) struct Bound {
    text: String,
    values: Vec<Parameter<'static>>,
}

impl Bound {
    pub(crate) fn new(statement: &str, params: Params<'_>) -> Result<Bound> {
        let translated = translate(statement);
        let values = bound(&translated.names, params)?;
        Ok(Bound {
            text: translated.text,
            values: values.into_iter().map(Parameter::into_owned).collect(),
        })
    }

    /// Runs the statement, which must change one row.
    pub(crate) async fn change_one(&self, client: &impl AsyncClient) -> Result<()> {
        let changed = client
            .execute_typed(&self.text, &typed(&self.values))
            .await?;
        check_rows(usize::try_from(changed).unwrap_or(usize::MAX), Some(1))
    }

    /// The rows of the statement.
    pub(crate) async fn query(&self, client: &impl AsyncClient) -> Result<Vec<Row>> {
        Ok(client.query_typed(&self.text, &typed(&self.values)).await?)
    }
}

/// Values with their types, so that nothing need be prepared.
fn typed<'v>(values: &'v [Parameter<'_>]) -> Vec<(&'v (dyn ToSql + Sync), Type)> {
    let typed = |value: &'v Parameter<'_>| (value as _, value.usual_type());
    values.iter().map(typed).collect()
}

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
        Ok(run(
            &mut self.0.borrow_mut(),
            &translated.text,
            &typed(&values),
        )?)
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
