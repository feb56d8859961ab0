//! A job: one piece of work for the writer, and what it works with.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::model::id::{EndpointId, SourceId};
use crate::store::engine::conn::{Conn, params};
use crate::store::engine::directory::Directory;
use crate::store::engine::lanes::NotLeased;
use crate::store::engine::marks::Marking;
use crate::store::engine::published::Published;
use crate::store::engine::session::{KeyOf, Keys};
use crate::store::engine::tally::Tally;

/// What a job works with: the open transaction, the directory of that moment, and the counts to
/// update.
pub(crate) struct Tx<'c> {
    pub(crate) conn: Conn<'c>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) keys: &'c mut dyn Keys,
    pub(crate) tally: Tally,
    pub(crate) marking: &'c mut Marking,
    pub(crate) fence: &'c mut Fence,
}

/// Keeps a node that slept past its leases from writing: the lanes that are known to be this node's until
/// the open transaction ends.
pub(crate) struct Fence {
    published: Arc<Published>,
    known: HashSet<EndpointId>,
}

impl Fence {
    pub(crate) fn new(published: Arc<Published>) -> Fence {
        Fence {
            published,
            known: HashSet::new(),
        }
    }

    /// A transaction, or a job that can be undone alone, begins or was undone: nothing is locked any more.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }

    fn require(&mut self, conn: Conn<'_>, endpoint: EndpointId, lease: Option<i64>) -> Result<()> {
        let is_held = match self.published.lanes.token(endpoint) {
            Ok(None) => return Ok(()),
            // Another node had the lane since.
            Ok(token) if token != lease => false,
            Ok(Some(_)) if self.known.contains(&endpoint) => return Ok(()),
            Err(NotLeased) => false,
            // Locked against a hand-over until the transaction ends: whoever takes a lane locks it `for
            // update`. The node's own renewals, which change no key, go on meanwhile. They would wait for a
            // `for share`, and this transaction for the node's row that they hold: a deadlock.
            Ok(Some(token)) => conn
                .maybe(
                    "select 1 from hookbox_lane
                     where endpoint_id = :endpoint and token = :token and node_id is not null
                     for key share",
                    params! { ":endpoint": endpoint, ":token": token },
                    |_| Ok(()),
                )?
                .is_some(),
        };
        if !is_held {
            return Err(Error::LaneLost);
        }
        self.known.insert(endpoint);
        Ok(())
    }
}

impl Tx<'_> {
    /// Makes sure that the next rows have a mark.
    pub(crate) fn mark(&mut self) -> Result<()> {
        self.marking.ensure(self.conn)
    }

    /// Makes sure that no other node has worked on an endpoint's lane since that lease, or does until the
    /// transaction ends.
    ///
    /// # Errors
    /// [`Error::LaneLost`] when one has, or may do so now.
    pub(crate) fn require_lane(&mut self, endpoint: EndpointId, lease: Option<i64>) -> Result<()> {
        self.fence.require(self.conn, endpoint, lease)
    }
}

/// One piece of work for the writer.
pub(crate) trait Job: Send {
    /// Does the work inside the group's transaction. It may run again, after a rollback of all that
    /// it did.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<()>;

    /// What [`Job::run`] did failed after it, and is undone.
    fn fail(&mut self, error: Error);

    /// Reports the result to the caller: after the commit, or with the error that prevented it.
    fn answer(self: Box<Self>, stopped: Option<&Error>);

    /// About how many bytes the job writes.
    fn bytes(&self) -> usize;

    /// Whether a caller waits for the answer (an urgent job).
    fn is_urgent(&self) -> bool;

    /// The key that the job will ask for.
    fn key(&self) -> Option<KeyOf<'_>>;
}

/// A message to the writer's thread.
pub(crate) enum Message {
    Job(Box<dyn Job>),
    /// Somebody else may have written.
    Look,
    Stop,
}

/// What the writer may know of a job before it runs.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    /// About how many bytes it writes.
    pub(crate) bytes: usize,
    /// Whether a caller waits for the answer.
    pub(crate) is_urgent: bool,
    /// The key that it will ask for.
    pub(crate) key: Option<(Option<SourceId>, String)>,
}

/// A job made of two closures: one runs in the transaction, the other takes the result after the
/// commit.
pub(crate) struct Task<T, O, A> {
    pub(crate) operation: O,
    pub(crate) result: Option<Result<T>>,
    pub(crate) answer: A,
    pub(crate) outline: Outline,
}

impl<T, O, A> Job for Task<T, O, A>
where
    T: Send,
    O: Fn(&mut Tx<'_>) -> Result<T> + Send,
    A: FnOnce(Result<T>) + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        let result = (self.operation)(tx);
        let done = result.as_ref().map(drop).map_err(Error::clone);
        self.result = Some(result);
        done
    }

    fn fail(&mut self, error: Error) {
        self.result = Some(Err(error));
    }

    fn answer(self: Box<Self>, stopped: Option<&Error>) {
        let result = match (self.result, stopped) {
            (Some(Ok(value)), None) => Ok(value),
            // The job's own error says more than the error of its group.
            (Some(Err(error)), _) => Err(error),
            (_, Some(error)) => Err(error.clone()),
            (None, None) => Err(Error::Stopped),
        };
        (self.answer)(result);
    }

    fn bytes(&self) -> usize {
        self.outline.bytes
    }

    fn is_urgent(&self) -> bool {
        self.outline.is_urgent
    }

    fn key(&self) -> Option<KeyOf<'_>> {
        let (source, key) = self.outline.key.as_ref()?;
        Some((*source, key))
    }
}
