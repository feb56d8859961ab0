//! Nodes: the processes that serve one database, and how they share its lanes.
//!
//! A thread of each node says that it is there, renews its leases, takes lanes that nobody has, and hands
//! over some where it has more than its share. All times are the server's: the clocks of nodes may differ.
//! A node that cannot reach the server stops sending before its leases end there.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::id::EndpointId;
use crate::store::engine::conn::{Conn, params};
use crate::store::engine::lanes::{Lease, Phase};
use crate::store::engine::postgres::balance::Balance;
use crate::store::engine::postgres::client::PgConnection;
use crate::store::engine::postgres::open::Server;
use crate::store::engine::postgres::session::NO_NODE;
use crate::store::engine::published::{Published, Woken};
use crate::time::Clock;

/// How long a lease lasts without being renewed. A dead node's lanes rest for this long, and up to a
/// [`PERIOD`] more.
const LEASE_MS: i64 = 10_000;

/// How often leases are renewed and free lanes are looked for.
const PERIOD: Duration = Duration::from_secs(2);

/// How much earlier than the server a node takes its own leases for ended: a request that has just begun must
/// not overlap with another node's.
const MARGIN: Duration = Duration::from_secs(2);

/// A node that said nothing for this long is gone: its counts go to those of no node.
const GONE_MS: i64 = 60_000;

/// The server's clock, in milliseconds.
const NOW: &str = "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";

/// Of `hookbox_node`: those that live.
fn living() -> String {
    format!("id <> 0 and seen_ms > {NOW} - {LEASE_MS}")
}

/// This process as a node. Dropping it hands over all lanes.
pub(crate) struct Node {
    keeper: Keeper,
}

impl Node {
    /// Joins the nodes of a database; returns when the first leases are there.
    pub(crate) fn join(
        server: Server,
        published: &Arc<Published>,
        clock: Arc<dyn Clock>,
    ) -> Result<Node> {
        let mut keeper = Keeper {
            connection: server.connect_writable()?,
            server,
            published: published.clone(),
            clock,
            node: NO_NODE,
            others: BTreeMap::new(),
            is_away: false,
        };
        keeper.round()?;
        Ok(Node { keeper })
    }

    /// Renews the leases, takes free lanes and hands over others, once.
    pub(crate) fn round(&mut self) -> Result<()> {
        self.keeper.round()
    }

    /// Does so again and again, on a thread of its own.
    pub(crate) fn keep(self) -> Result<KeptNode> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("lanes".to_owned())
            .spawn(move || self.run(&stopped))
            .map_err(|error| Error::io("start the thread of the lanes", error))?;
        Ok(KeptNode {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    fn run(mut self, stop: &Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(PERIOD) {
            let renewed = self.round();
            self.keeper.log_whether_away(renewed.err());
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.keeper.leave();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.keeper.node)
            .finish_non_exhaustive()
    }
}

/// A node whose leases are renewed. Dropping it hands over all lanes.
#[derive(Debug)]
pub(crate) struct KeptNode {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for KeptNode {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the lanes panicked");
        }
    }
}

/// The names of nodes that have said nothing since their leases ended, and did not say that they stop.
#[cfg(feature = "cli")]
pub(crate) fn silent(conn: Conn<'_>) -> Result<Vec<String>> {
    conn.all(
        &format!(
            "select name from hookbox_node where id <> 0 and not ({}) order by id",
            living()
        ),
        &[],
        |row| row.get(0),
    )
}

/// Whether another node than this one serves the database now.
pub(crate) fn has_other(conn: Conn<'_>, node: i64) -> Result<bool> {
    conn.one(
        &format!(
            "select exists (select 1 from hookbox_node where {} and id <> :node)",
            living()
        ),
        params! { ":node": node },
        |row| row.get(0),
    )
}

/// Keeps a node's leases.
struct Keeper {
    connection: PgConnection,
    server: Server,
    published: Arc<Published>,
    clock: Arc<dyn Clock>,
    node: i64,
    /// The other nodes that lived in the last round, by id, with their names.
    others: BTreeMap<i64, String>,
    /// Whether the last round failed.
    is_away: bool,
}

impl Keeper {
    /// Renews, takes and hands over leases.
    fn round(&mut self) -> Result<()> {
        if self.connection.is_closed() {
            self.connection = self.server.connect_writable()?;
        }
        // Read before the server sets the end of the leases, so that they end here before they end there.
        let began = self.clock.elapsed();
        let (leases, is_first) = self.in_transaction(Keeper::lease)?;
        self.published.node.store(self.node, Ordering::Relaxed);
        let before = self.published.lanes.leases().len();
        if before != leases.len() {
            tracing::info!(lanes = leases.len(), before, "node.lanes");
        }
        let until = began + Duration::from_millis(LEASE_MS.unsigned_abs()) - MARGIN;
        if self
            .published
            .lanes
            .set(leases, until, self.clock.elapsed(), is_first)
        {
            self.published.notify(&Woken::All);
        }
        Ok(())
    }

    /// Says once that leases cannot be renewed, and once that they can be again.
    fn log_whether_away(&mut self, error: Option<Error>) {
        match (error, std::mem::replace(&mut self.is_away, false)) {
            (Some(error), was_away) => {
                self.is_away = true;
                let error = error.chain();
                match was_away {
                    false => tracing::warn!(error, "cannot renew the leases of lanes"),
                    true => tracing::debug!(error, "cannot renew the leases of lanes yet"),
                }
            }
            (None, true) => tracing::info!("the leases of lanes are renewed again"),
            (None, false) => {}
        }
    }

    /// Says which other nodes came and went.
    fn log_others(&mut self, others: BTreeMap<i64, String>) {
        let before = std::mem::replace(&mut self.others, others);
        for (id, name) in &self.others {
            if !before.contains_key(id) {
                tracing::info!(node = name, "node.joined");
            }
        }
        for (id, name) in before {
            if !self.others.contains_key(&id) {
                tracing::warn!(node = name, "node.gone");
            }
        }
    }

    fn in_transaction<T>(&mut self, work: impl FnOnce(&mut Keeper) -> Result<T>) -> Result<T> {
        self.connection.batch("begin")?;
        match work(self).and_then(|done| self.connection.batch("commit").map(|()| done)) {
            Ok(done) => Ok(done),
            Err(error) => {
                if !self.connection.is_closed() {
                    self.connection.batch("rollback")?;
                }
                Err(error)
            }
        }
    }

    fn conn(&self) -> Conn<'_> {
        Conn::postgres(&self.connection)
    }

    fn lease(&mut self) -> Result<(HashMap<EndpointId, Lease>, bool)> {
        self.say_that_it_is_there()?;
        let before = self.published.lanes.leases();
        self.hand_over(&before)?;
        let mut leases = self.renew(&before)?;
        self.make_lanes()?;
        let balance = self.balance()?;
        let wanted = balance.to_take(leases.keys().copied(), self.free()?);
        leases.extend(self.take(&wanted)?);
        let held = leases
            .iter()
            .filter(|(_, lease)| lease.phase == Phase::Held);
        for endpoint in balance.to_give(held.map(|(endpoint, _)| *endpoint)) {
            if let Some(lease) = leases.get_mut(&endpoint) {
                lease.phase = Phase::Draining;
            }
        }
        self.bury()?;
        Ok((leases, self.is_first()?))
    }

    /// Writes that this node lives. A node that was taken for gone begins as another one.
    fn say_that_it_is_there(&mut self) -> Result<()> {
        let known = self.conn().run(
            &format!("update hookbox_node set seen_ms = {NOW} where id = :node and id <> 0"),
            params! { ":node": self.node },
        )?;
        if known == 0 {
            self.node = self.conn().insert(
                &format!(
                    "insert into hookbox_node (name, since_ms, seen_ms) values (:name, {NOW}, {NOW})"
                ),
                params! { ":name": name() },
            )?;
        }
        Ok(())
    }

    /// Gives up the lanes on which nothing is on the wire any more.
    fn hand_over(&self, before: &HashMap<EndpointId, Lease>) -> Result<()> {
        for (endpoint, lease) in before {
            if lease.phase == Phase::Drained {
                self.conn().run(
                    "update hookbox_lane set node_id = null, until_ms = null
                     where endpoint_id = :endpoint and node_id = :node and token = :token",
                    params! { ":endpoint": endpoint, ":node": self.node, ":token": lease.token },
                )?;
            }
        }
        Ok(())
    }

    /// Renews the leases, also those that have ended, if no other node took the lane since.
    fn renew(&self, before: &HashMap<EndpointId, Lease>) -> Result<HashMap<EndpointId, Lease>> {
        let renewed = self.conn().all::<(EndpointId, i64)>(
            &format!(
                "update hookbox_lane set until_ms = {NOW} + :lease
                 where node_id = :node
                 returning endpoint_id, token"
            ),
            params! { ":lease": LEASE_MS, ":node": self.node },
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let with_phase = |(endpoint, token)| {
            let known = before.get(&endpoint).filter(|known| known.token == token);
            let phase = known.map_or(Phase::Held, |known| known.phase);
            (endpoint, Lease { token, phase })
        };
        Ok(renewed.into_iter().map(with_phase).collect())
    }

    /// Makes the lanes of new endpoints.
    fn make_lanes(&self) -> Result<()> {
        self.conn().run(
            "insert into hookbox_lane (endpoint_id)
             select id from hookbox_endpoint as p
             where removed_ms is null
                 and not exists (select 1 from hookbox_lane as l where l.endpoint_id = p.id)
             on conflict do nothing",
            &[],
        )?;
        Ok(())
    }

    fn balance(&mut self) -> Result<Balance> {
        let pending = self.conn().all(
            "select p.id, (
                 select coalesce(cast(sum(t.value) as bigint), 0) from hookbox_node_tally as t
                 where t.of = 'endpoint' and t.id = p.id and t.what = 'pending'
             )
             from hookbox_endpoint as p
             where p.removed_ms is null",
            &[],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let others: BTreeMap<i64, String> = self
            .conn()
            .all::<(i64, String)>(
                &format!(
                    "select id, name from hookbox_node where {} and id <> :node",
                    living()
                ),
                params! { ":node": self.node },
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
            .into_iter()
            .collect();
        let living = others.keys().copied().collect();
        self.log_others(others);
        let held = self.conn().all(
            &format!(
                "select node_id, endpoint_id from hookbox_lane
                 where node_id <> :node and until_ms >= {NOW}"
            ),
            params! { ":node": self.node },
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(Balance::new(pending, living, held))
    }

    /// Lanes that nobody has, of endpoints that are there.
    fn free(&self) -> Result<Vec<EndpointId>> {
        self.conn().all(
            &format!(
                "select l.endpoint_id
                 from hookbox_lane as l
                 join hookbox_endpoint as p on p.id = l.endpoint_id
                 where p.removed_ms is null and (l.node_id is null or l.until_ms < {NOW})"
            ),
            &[],
            |row| row.get(0),
        )
    }

    /// Whether no node that lives is older.
    fn is_first(&self) -> Result<bool> {
        self.conn().one(
            &format!(
                "select min(id) = :node from hookbox_node where {}",
                living()
            ),
            params! { ":node": self.node },
            |row| row.get(0),
        )
    }

    /// Takes these lanes, as far as nobody has them.
    fn take(&self, wanted: &[EndpointId]) -> Result<HashMap<EndpointId, Lease>> {
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let wanted: Vec<i64> = wanted.iter().map(|endpoint| endpoint.0).collect();
        let taken = self.conn().all::<(EndpointId, i64)>(
            &format!(
                "update hookbox_lane
                 set node_id = :node, until_ms = {NOW} + :lease, token = token + 1
                 where (endpoint_id, slice) in (
                     select endpoint_id, slice from hookbox_lane
                     where (node_id is null or until_ms < {NOW})
                         and endpoint_id in (select value from json_each(:wanted))
                     for update skip locked
                 )
                 returning endpoint_id, token"
            ),
            params! {
                ":node": self.node,
                ":lease": LEASE_MS,
                ":wanted": serde_json::json!(wanted).to_string(),
            },
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let held = |(endpoint, token)| {
            let phase = Phase::Held;
            (endpoint, Lease { token, phase })
        };
        Ok(taken.into_iter().map(held).collect())
    }

    /// Moves the counts of nodes that are gone to those of no node, and forgets them.
    fn bury(&self) -> Result<()> {
        let gone = self.conn().all::<i64>(
            &format!(
                "select id from hookbox_node
                 where id <> 0 and id <> :node and seen_ms < {NOW} - :gone
                 for update skip locked"
            ),
            params! { ":node": self.node, ":gone": GONE_MS },
            |row| row.get(0),
        )?;
        for node in gone {
            self.forget(node)?;
        }
        Ok(())
    }

    /// Hands over everything: this node stops.
    fn leave(&mut self) {
        if let Err(error) = self.in_transaction(|keeper| keeper.forget(keeper.node)) {
            tracing::warn!(
                error = error.chain(),
                "cannot hand over the lanes; their leases end by themselves"
            );
        }
        self.published.node.store(NO_NODE, Ordering::Relaxed);
    }

    fn forget(&self, node: i64) -> Result<()> {
        let conn = self.conn();
        let of_node = params! { ":node": node };
        conn.run(
            "update hookbox_lane set node_id = null, until_ms = null where node_id = :node",
            of_node,
        )?;
        conn.run(
            "insert into hookbox_node_tally as t (node_id, of, id, what, value)
             select 0, of, id, what, value from hookbox_node_tally where node_id = :node
             on conflict (of, id, what, node_id) do update set value = case
                 when right(t.what, 3) = '_ms' then greatest(t.value, excluded.value)
                 else t.value + excluded.value
             end",
            of_node,
        )?;
        conn.run(
            "delete from hookbox_node_tally where node_id = :node",
            of_node,
        )?;
        conn.run(
            "insert into hookbox_node_hour as h (node_id, endpoint_id, hour, outcome, count)
             select 0, endpoint_id, hour, outcome, count from hookbox_node_hour where node_id = :node
             on conflict (endpoint_id, hour, outcome, node_id) do update set count = h.count + excluded.count",
            of_node,
        )?;
        conn.run(
            "delete from hookbox_node_hour where node_id = :node",
            of_node,
        )?;
        conn.run(
            "update hookbox_node set commits = commits + (select commits from hookbox_node where id = :node) + 1
             where id = 0",
            of_node,
        )?;
        conn.run("delete from hookbox_node where id = :node", of_node)?;
        Ok(())
    }
}

/// Where this node runs, for people: the host and the process.
fn name() -> String {
    let host = rustix::system::uname();
    format!(
        "{}:{}",
        host.nodename().to_string_lossy(),
        std::process::id()
    )
}
