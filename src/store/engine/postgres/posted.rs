//! Statements that nobody waits for one by one.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use postgres::{Error as PgError, Statement};
use tokio_postgres::Client;

use crate::error::Result;
use crate::store::engine::postgres::value::Parameter;
use crate::store::engine::value::check_rows;

/// A statement that the server knows, with the names of its parameters.
pub(super) struct Prepared {
    pub(super) statement: Statement,
    pub(super) names: Vec<String>,
}

/// A statement that is not sent yet.
pub(super) enum Posted {
    /// Statements without parameters.
    Batch(&'static str),
    Statement {
        prepared: Arc<Prepared>,
        values: Vec<Parameter<'static>>,
        /// How many rows it must change.
        rows: Option<usize>,
    },
}

impl Posted {
    async fn run(&self, client: &Client) -> Result<()> {
        match self {
            Posted::Batch(statements) => Ok(client.batch_execute(statements).await?),
            Posted::Statement {
                prepared,
                values,
                rows,
            } => {
                let changed = client.execute_raw(&prepared.statement, values).await?;
                check_rows(usize::try_from(changed).unwrap_or(usize::MAX), *rows)
            }
        }
    }
}

/// Sends all of these and then the last, in their order, and waits for all of them. Returns the first error of
/// those before the last, and the result of the last.
pub(super) async fn all_sent<T>(
    client: &Client,
    posted: &[Posted],
    last: impl Future<Output = std::result::Result<T, PgError>>,
) -> (Result<()>, std::result::Result<T, PgError>) {
    let mut sent = Vec::with_capacity(posted.len());
    for statement in posted {
        sent.push(Sent::now(Box::pin(statement.run(client))).await);
    }
    let last = pin!(last);
    let last = Sent::now(last).await;
    let mut before = Ok(());
    for statement in sent {
        // After the first error the others only say that the transaction failed.
        before = before.and(statement.done().await);
    }
    (before, last.done().await)
}

/// A future that was polled once: what it sends is on its way.
enum Sent<F: Future> {
    Done(F::Output),
    Waits(F),
}

impl<F: Future + Unpin> Sent<F> {
    async fn now(mut future: F) -> Sent<F> {
        let first = poll_fn(|context| Poll::Ready(Pin::new(&mut future).poll(context))).await;
        match first {
            Poll::Ready(done) => Sent::Done(done),
            Poll::Pending => Sent::Waits(future),
        }
    }

    async fn done(self) -> F::Output {
        match self {
            Sent::Done(done) => done,
            Sent::Waits(future) => future.await,
        }
    }
}
