//! The processes that serve a simulated life's database: one on a file, three nodes on a server.
//!
//! A node may die, stop, sleep while all others go on, and lose the server. The server's clock is the life's
//! own: a function of that name stands before the server's.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hookbox::outbound::Scheduler;
use hookbox::store::{Directory, Missing, Serving, Store};
use hookbox::time::{Clock, ManualClock};

use super::net::{Crash, Net, NodeNet};
use crate::support::{NOON, TestDb, wait_until};

const NODES: usize = 3;

pub struct Nodes {
    all: Vec<Node>,
    server: Option<Server>,
    /// The database as another program has it; a file as its process has it.
    program: Mutex<Option<Store>>,
    clock: Arc<ManualClock>,
    random: Mutex<fastrand::Rng>,
}

struct Node {
    location: String,
    /// What stands between the node and the server.
    way: Option<Way>,
    sleeps: AtomicBool,
    /// Its connections were broken since it last worked without an error.
    is_harmed: AtomicBool,
    process: Mutex<Option<Process>>,
}

/// Dropped from the first field to the last.
struct Process {
    scheduler: Scheduler,
    serving: Serving,
    store: Store,
}

/// A link to the server's socket; without it, the server cannot be reached.
struct Way {
    link: PathBuf,
    name: String,
}

struct Server {
    socket: PathBuf,
    client: Mutex<postgres::Client>,
    database: TestDb,
    _links: tempfile::TempDir,
}

impl Nodes {
    pub fn on_file(folder: &Path, clock: Arc<ManualClock>, random: fastrand::Rng) -> Nodes {
        let node = Node::new(folder.join("hookbox.db").display().to_string(), None);
        Nodes {
            all: vec![node],
            server: None,
            program: Mutex::default(),
            clock,
            random: Mutex::new(random),
        }
    }

    pub fn on_server(database: TestDb, clock: Arc<ManualClock>, random: fastrand::Rng) -> Nodes {
        let links = tempfile::tempdir().unwrap();
        let url = database.location();
        let (_, folder) = url
            .split_once("host=/")
            .expect("the server is on a Unix socket: postgres://...?host=/FOLDER");
        let folder = format!("/{}", folder.split('&').next().unwrap_or_default());
        // The database's own schema comes first, also before what the server has built in.
        let url = format!("{url}%2Cpg_catalog");
        let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
        client
            .batch_execute(
                "create table simulated_clock (ms bigint not null);
                 insert into simulated_clock values (0);
                 create function clock_timestamp() returns timestamptz language sql as
                     'select to_timestamp(ms / 1000.0) from simulated_clock'",
            )
            .unwrap();
        let all = (0..NODES).map(|number| {
            let place = links.path().join(number.to_string());
            std::fs::create_dir(&place).unwrap();
            let way = Way {
                link: place.join(".s.PGSQL.5432"),
                name: format!("{}-{number}", fastrand::u64(..)),
            };
            let to = url.replace(&folder, &place.display().to_string());
            Node::new(format!("{to}&application_name={}", way.name), Some(way))
        });
        let nodes = Nodes {
            all: all.collect(),
            program: Mutex::new(Some(Store::open(&url, Missing::Create).unwrap())),
            server: Some(Server {
                socket: Path::new(&folder).join(".s.PGSQL.5432"),
                client: Mutex::new(client),
                database,
                _links: links,
            }),
            clock,
            random: Mutex::new(random),
        };
        (0..NODES).for_each(|node| nodes.mend(node));
        nodes
    }

    pub fn are_several(&self) -> bool {
        self.all.len() > 1
    }

    fn random(&self) -> MutexGuard<'_, fastrand::Rng> {
        self.random.lock().unwrap()
    }

    /// Some node.
    pub fn any(&self) -> usize {
        self.random().usize(0..self.all.len())
    }

    /// A handle to the database that no node's fate touches.
    pub fn store(&self) -> Store {
        let program = self.program.lock().unwrap();
        program.clone().expect("a life has begun")
    }

    /// The handle of a node that runs.
    pub fn store_of(&self, node: usize) -> Option<Store> {
        let process = self.all[node].process.lock().unwrap();
        process.as_ref().map(|process| process.store.clone())
    }

    /// Whether a node can reach the database.
    pub fn has_way(&self, node: usize) -> bool {
        let way = &self.all[node].way;
        way.as_ref().is_none_or(|way| way.link.exists())
    }

    /// A process begins, if the node has none.
    pub fn start(&self, node: usize, net: &Arc<Net>) {
        self.set_time();
        self.mend(node);
        let node_net = Arc::new(NodeNet {
            net: net.clone(),
            node,
        });
        let seed = self.random().u64(..);
        let node = &self.all[node];
        let mut process = node.process.lock().unwrap();
        if process.is_none() {
            let mut program = self.program.lock().unwrap();
            if self.server.is_none() {
                *program = None;
            }
            let store = Store::open(&node.location, Missing::Create).unwrap();
            program.get_or_insert_with(|| store.clone());
            drop(program);
            let clock: Arc<dyn Clock> = self.clock.clone();
            let serving = store.begin_serving(&clock).unwrap();
            let scheduler = Scheduler::new(store.clone(), clock, node_net, seed).unwrap();
            *process = Some(Process {
                scheduler,
                serving,
                store,
            });
            node.sleeps.store(false, Ordering::Relaxed);
            node.is_harmed.store(false, Ordering::Relaxed);
        }
    }

    /// All nodes run, are awake and reach the server.
    pub fn start_all(&self, net: &Arc<Net>) {
        for node in 0..self.all.len() {
            self.start(node, net);
            self.all[node].sleeps.store(false, Ordering::Relaxed);
        }
    }

    /// A process ends as one that is asked to.
    pub fn stop(&self, node: usize) {
        self.set_time();
        drop(self.all[node].process.lock().unwrap().take());
    }

    /// A process ends at once, and says nothing to anybody.
    pub fn kill(&self, node: usize) {
        self.cut(node);
        drop(self.all[node].process.lock().unwrap().take());
    }

    pub fn toggle_sleep(&self, node: usize) {
        self.all[node].sleeps.fetch_not(Ordering::Relaxed);
    }

    /// Breaks a node's connections to the server.
    pub fn harm(&self, node: usize) {
        let node = &self.all[node];
        if let (Some(server), Some(way)) = (&self.server, &node.way) {
            node.is_harmed.store(true, Ordering::Relaxed);
            let mut client = server.client.lock().unwrap();
            client
                .execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity
                     where application_name = $1",
                    &[&way.name],
                )
                .unwrap();
        }
    }

    /// Breaks all connections, as a server that is started anew.
    pub fn harm_all(&self) {
        (0..self.all.len()).for_each(|node| self.harm(node));
    }

    /// Keeps a node from the server.
    pub fn cut(&self, node: usize) {
        if let Some(way) = &self.all[node].way {
            // It may be cut already.
            let _ = std::fs::remove_file(&way.link);
            self.harm(node);
        }
    }

    /// Lets a node reach the server again, and waits until it does.
    pub fn mend(&self, node: usize) {
        if let (Some(server), Some(way)) = (&self.server, &self.all[node].way)
            && std::os::unix::fs::symlink(&server.socket, &way.link).is_ok()
            && let Some(store) = self.store_of(node)
        {
            wait_until("the server to be found", || {
                store.trouble().is_none().then_some(())
            });
        }
    }

    /// Waits until all nodes that can know whether these endpoints are held do.
    pub fn wait_until_known(&self, endpoints: &[&str]) {
        let fresh = self.store().fresh_directory().unwrap();
        let held_in = |directory: &Directory| -> Vec<Option<bool>> {
            let all = endpoints.iter().map(|name| directory.endpoint(name));
            all.map(|endpoint| Some(endpoint?.held.is_some())).collect()
        };
        let held = held_in(&fresh);
        for node in (0..self.all.len()).filter(|node| self.has_way(*node)) {
            if let Some(store) = self.store_of(node) {
                wait_until("the endpoints to be known", || {
                    (held_in(&store.directory()) == held).then_some(())
                });
            }
        }
    }

    /// All nodes do what is theirs to do now, in any order.
    pub fn live(&self, net: &Arc<Net>) {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        self.random().shuffle(&mut order);
        for node in order {
            self.live_one(node, net);
        }
    }

    fn live_one(&self, number: usize, net: &Arc<Net>) {
        let node = &self.all[number];
        // One that has a request on the wire is what lets the others live meanwhile.
        let Ok(mut process) = node.process.try_lock() else {
            return;
        };
        if node.sleeps.load(Ordering::Relaxed) {
            return;
        }
        let Some(Process {
            scheduler, serving, ..
        }) = process.as_mut()
        else {
            return;
        };
        self.set_time();
        let renewed = serving.renew_leases();
        let lived = match catch_unwind(AssertUnwindSafe(|| scheduler.run_due())) {
            Ok(done) => renewed.and(done),
            Err(why) if why.is::<Crash>() => {
                self.cut(number);
                *process = None;
                drop(process);
                if !self.are_several() {
                    self.start(number, net);
                }
                return;
            }
            Err(why) => resume_unwind(why),
        };
        match lived {
            Ok(_) => node
                .is_harmed
                .store(!self.has_way(number), Ordering::Relaxed),
            Err(error) => assert!(node.is_harmed.load(Ordering::Relaxed), "{error:?}"),
        }
    }

    /// The server shows the life's time.
    fn set_time(&self) {
        if let Some(server) = &self.server {
            let now = NOON.plus(self.clock.elapsed());
            let mut client = server.client.lock().unwrap();
            client
                .execute("update simulated_clock set ms = $1", &[&now.0])
                .unwrap();
        }
    }

    /// Lets all others live for a while.
    pub fn sleep(&self, net: &Arc<Net>, span: Duration) {
        let steps = 8;
        for _ in 0..steps {
            self.clock.advance(span / steps);
            self.live(net);
        }
    }

    /// Ends all processes.
    pub fn end(&self) {
        (0..self.all.len()).for_each(|node| self.kill(node));
        *self.program.lock().unwrap() = None;
        if let Some(server) = &self.server {
            assert!(server.database.is_made());
        }
    }
}

impl Node {
    fn new(location: String, way: Option<Way>) -> Node {
        Node {
            location,
            way,
            sleeps: AtomicBool::new(false),
            is_harmed: AtomicBool::new(false),
            process: Mutex::new(None),
        }
    }
}
