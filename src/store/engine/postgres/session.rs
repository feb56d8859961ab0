//! The connection that writes, and the watch for what other nodes write.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::{DatabaseFault, Error, Result};
use crate::store::engine::conn::{Conn, params};
use crate::store::engine::postgres::client::PgConnection;
use crate::store::engine::postgres::keys::PgKeys;
use crate::store::engine::postgres::open::Server;
use crate::store::engine::published::Published;
use crate::store::engine::session::{KeyOf, Keys, Session};
use crate::store::engine::trouble::Kind;

/// The node id of all processes that do not serve: commands, and programs that embed hookbox.
pub(crate) const NO_NODE: i64 = 0;

/// Begins a transaction. The row of the settings is locked against changes, not against other nodes: what a
/// group decides by them holds when it commits.
const BEGIN: &str = "begin; select 1 from hookbox_meta where id = 1 for share";

/// The write connection.
pub(crate) struct PgSession {
    connection: PgConnection,
    server: Server,
    published: Arc<Published>,
    keys: PgKeys,
    /// Whether a transaction is open.
    is_open: bool,
    /// The sum of all commits that were counted, without this process's own.
    others: i64,
    own: i64,
    /// Checks until a lost connection is tried again.
    polls_to_rest: u32,
}

/// While the server is away, an idle node tries once a second.
const POLLS_BETWEEN_TRIES: u32 = 20;

impl PgSession {
    pub(crate) fn new(
        connection: PgConnection,
        server: Server,
        published: Arc<Published>,
    ) -> Result<PgSession> {
        let mut session = PgSession {
            connection,
            server,
            published,
            keys: PgKeys::default(),
            is_open: false,
            others: 0,
            own: 0,
            polls_to_rest: 0,
        };
        session.others_committed()?;
        Ok(session)
    }

    fn node_id(&self) -> i64 {
        self.published.node.load(Ordering::Relaxed)
    }

    /// Whether the sum of all commits says that another process committed.
    fn is_new(&mut self, all: i64) -> bool {
        let others = all - self.own;
        std::mem::replace(&mut self.others, others) != others
    }

    /// Opens the connection again if it was lost.
    fn reconnect(&mut self) -> Result<()> {
        if self.connection.is_closed() {
            self.polls_to_rest = POLLS_BETWEEN_TRIES;
            self.connection = self.server.connect_writable()?;
        }
        self.polls_to_rest = 0;
        Ok(())
    }
}

impl Session for PgSession {
    fn conn(&self) -> Conn<'_> {
        Conn::postgres(&self.connection)
    }

    fn conn_and_keys(&mut self) -> (Conn<'_>, &mut dyn Keys) {
        (Conn::postgres(&self.connection), &mut self.keys)
    }

    fn begin(&mut self, jobs: usize, keys: &mut dyn Iterator<Item = KeyOf<'_>>) -> Result<()> {
        self.reconnect()?;
        self.keys.begin(keys);
        self.is_open = true;
        self.connection.begin(BEGIN, jobs);
        Ok(())
    }

    fn wait_for_all(&mut self) -> Result<()> {
        self.connection.wait_for_all()
    }

    /// Counts the commit, so that other processes see that something was written.
    ///
    /// A node that slept for long was taken for gone. It writes as no node does until it has joined anew.
    fn finish(&mut self) -> Result<()> {
        let counted = self.conn().run(
            "update hookbox_node set commits = commits + 1 where id = :node",
            params! { ":node": self.node_id() },
        )?;
        if counted == 0 {
            self.published.node.store(NO_NODE, Ordering::Relaxed);
            return Err(Error::Database {
                doing: "write as this node",
                fault: DatabaseFault::Conflict,
                cause: Arc::from(Box::from("the others took it for gone")),
            });
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.connection.batch("commit")?;
        self.is_open = false;
        self.own += 1;
        Ok(())
    }

    fn roll_back(&mut self) -> Result<()> {
        self.connection.forget();
        match std::mem::take(&mut self.is_open) && !self.connection.is_closed() {
            true => self.connection.batch("rollback"),
            false => Ok(()),
        }
    }

    fn begin_job(&mut self) -> Result<()> {
        self.connection.batch("savepoint job")
    }

    fn end_job(&mut self, is_undone: bool) -> Result<()> {
        if is_undone {
            self.keys.forget();
            self.connection.forget();
        }
        self.connection.batch(match is_undone {
            true => "rollback to savepoint job; release savepoint job",
            false => "release savepoint job",
        })
    }

    fn lost(&self) -> Option<&'static str> {
        let is_lost = self.connection.is_broken();
        is_lost.then_some("the connection to the database was lost")
    }

    fn node(&self) -> Option<i64> {
        Some(self.node_id())
    }

    fn changes(&self) -> u64 {
        self.connection.changes()
    }

    fn others_committed(&mut self) -> Result<bool> {
        let all = self.conn().one(
            "select cast(sum(commits) as bigint) from hookbox_node",
            &[],
            |row| row.get(0),
        )?;
        Ok(self.is_new(all))
    }

    fn is_written_by_others(&self) -> bool {
        true
    }

    /// A program that writes to the outbox counts no commit, so its rows are looked for too.
    fn poll_others(&mut self) -> Result<bool> {
        if self.published.trouble.is(Kind::Gone) {
            return Ok(false);
        }
        let (all, waits): (i64, bool) = self.conn().one(
            "select cast(sum(commits) as bigint),
                 exists (select 1 from hookbox_outbox_row where problem is null)
             from hookbox_node",
            &[],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(self.is_new(all) || waits)
    }

    /// The server keeps its own place; it is gone while it cannot be reached.
    fn check_place(&mut self) -> bool {
        let was_gone = self.published.trouble.is(Kind::Gone);
        if self.polls_to_rest > 0 {
            self.polls_to_rest -= 1;
            return false;
        }
        let why = self.reconnect().err().map(|error| {
            format!(
                "{}; nothing is taken in or recorded until it is back",
                error.chain()
            )
        });
        let is_gone = why.is_some();
        self.published.trouble.set(Kind::Gone, why);
        was_gone && !is_gone
    }

    /// The server's disk is not ours to look after.
    fn check_room(&self) {}
}
