//! A box's life by chance, again and again: events, a network that fails in every way, an operator,
//! restarts and crashes, on a clock that runs as fast as it can. After every step and at the end
//! the promises are checked. A seed that fails is printed; `HOOKBOX_SEED=N cargo test simulation`
//! lives that life again, `HOOKBOX_SEEDS=N` sets how many there are.

use std::collections::HashMap;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use hookbox::model::delivery::{DeliveryRecord, State};
use hookbox::model::endpoint::{Endpoint, NewEndpoint};
use hookbox::model::id::EventId;
use hookbox::model::settings::Selection;
use hookbox::store::{PAGE_MAX, ReplayOptions, Store};
use hookbox::time::{Clock, ManualClock, Timestamp};
use net::{Net, NetState, Owed, WEATHERS, Weather};
use nodes::Nodes;

use crate::support::{NOON, TestDb, event, no_server, number_from};

mod net;
mod nodes;

/// Lives in a default run; `.ci/run` lives some thousands.
const SEEDS: u64 = 60;

/// Lives of nodes on a server, where each request takes far longer.
const NODE_SEEDS: u64 = 12;

const STEPS: usize = 60;

/// Where a life's database is.
enum Place<'a> {
    File(&'a Path),
    Server(TestDb),
}

const ENDPOINTS: [&str; 4] = ["plain", "ordered", "nightly", "paced"];

struct Life {
    random: fastrand::Rng,
    clock: Arc<ManualClock>,
    net: Arc<Net>,
    nodes: Arc<Nodes>,
    /// Events that were taken in.
    accepted: Vec<EventId>,
    replays: HashMap<Owed, usize>,
    sets_clock: bool,
}

impl Life {
    /// A life in a file, or on a server.
    fn begin(place: Place<'_>, seed: u64) -> Life {
        let mut random = fastrand::Rng::with_seed(seed);
        let clock = Arc::new(ManualClock::at(NOON));
        let state = NetState {
            random: random.fork(),
            weather: ENDPOINTS
                .iter()
                .map(|name| ((*name).to_owned(), Weather::Up))
                .collect(),
            taken: HashMap::new(),
            lost: HashMap::new(),
            is_harmful: matches!(place, Place::Server(_)),
            dies_in: None,
            paced: Vec::new(),
            is_clock_set: false,
            broken: Vec::new(),
        };
        // The clocks of several nodes are kept synchronized.
        let is_file = matches!(place, Place::File(_));
        let nodes = match place {
            Place::File(folder) => Nodes::on_file(folder, clock.clone(), random.fork()),
            Place::Server(database) => Nodes::on_server(database, clock.clone(), random.fork()),
        };
        let net = Arc::new(Net {
            clock: clock.clone(),
            nodes: OnceLock::from(Arc::new(nodes)),
            state: Mutex::new(state),
        });
        let life = Life {
            sets_clock: random.u8(0..4) == 0 && is_file,
            random,
            clock,
            nodes: net.nodes.get().unwrap().clone(),
            net,
            accepted: Vec::new(),
            replays: HashMap::new(),
        };
        life.nodes.start_all(&life.net);
        for name in ENDPOINTS {
            let mut new = NewEndpoint::new(name, "http://127.0.0.1:9/hook".parse().unwrap());
            match name {
                "ordered" => {
                    new.is_ordered = true;
                    new.retry = "1m,5m".parse().unwrap();
                    new.tries = Some(6);
                }
                "nightly" => {
                    new.window = Some(
                        "0 0 2 * * *+3h Europe/Berlin; 0 0 14 * * *+30m"
                            .parse()
                            .unwrap(),
                    );
                    new.retry = "cron:0 */20 * * * *".parse().unwrap();
                }
                "paced" => {
                    new.rate = Some("5/s,20/m".parse().unwrap());
                    new.expire = Some(Duration::from_secs(3 * 86_400));
                }
                _ => {}
            }
            life.store().add_endpoint(new, NOON).unwrap();
        }
        life.nodes.wait_until_known(&ENDPOINTS);
        life
    }

    fn store(&self) -> Store {
        self.nodes.store()
    }

    /// All that are awake do what is due.
    fn run(&mut self) {
        self.nodes.live(&self.net);
    }

    /// An event comes to some node. One that cannot reach the database does not take it.
    fn accept(&mut self) {
        let node = self.nodes.any();
        let now = self.clock.now();
        let Some(store) = self.nodes.store_of(node) else {
            return;
        };
        match store.accept(event("push"), now) {
            Ok(accepted) => self.accepted.push(accepted.id),
            Err(error) => assert!(!self.nodes.has_way(node), "{error:?}"),
        }
    }

    /// What becomes of nodes, where there are several.
    fn harm(&mut self) {
        let node = self.nodes.any();
        match self.random.u8(0..8) {
            0 => self.nodes.kill(node),
            1 => self.nodes.stop(node),
            2 | 3 => self.nodes.start(node, &self.net),
            4 => self.nodes.cut(node),
            5 => self.nodes.mend(node),
            6 => self.nodes.toggle_sleep(node),
            _ => self.nodes.harm_all(),
        }
    }

    /// Some delivery in one of these states.
    fn any(&mut self, states: &[State]) -> Option<DeliveryRecord> {
        let all = self.store().deliveries(&Selection::default(), 40).unwrap();
        let fitting: Vec<DeliveryRecord> = all
            .into_iter()
            .filter(|row| states.contains(&row.state))
            .collect();
        let index = self.random.usize(0..fitting.len().max(1));
        fitting.into_iter().nth(index)
    }

    /// Whether a delivery's event is pending at its endpoint.
    fn is_pending(&self, row: &DeliveryRecord) -> bool {
        let filter = Selection {
            event: Some(row.event),
            state: Some(State::Pending),
            ..Selection::default()
        };
        let pending = self.store().deliveries(&filter, 100).unwrap();
        pending.iter().any(|other| other.endpoint == row.endpoint)
    }

    fn step(&mut self) {
        let now = self.clock.now();
        let endpoint = ENDPOINTS[self.random.usize(0..ENDPOINTS.len())];
        match self.random.u8(0..20) {
            0..8 => {
                for _ in 0..self.random.usize(1..4) {
                    self.accept();
                }
            }
            8..11 => {
                let weather = WEATHERS[self.random.usize(0..WEATHERS.len())];
                let mut net = self.net.state.lock().unwrap();
                net.weather.insert(endpoint.to_owned(), weather);
            }
            11 => {
                let held = self.store().hold_endpoint(endpoint, "by chance", now);
                held.unwrap();
                self.nodes.wait_until_known(&[endpoint]);
            }
            12 | 13 => {
                self.store().resume_endpoint(endpoint).unwrap();
                self.nodes.wait_until_known(&[endpoint]);
            }
            14 => {
                if let Some(row) = self.any(&[State::Delivered, State::Dead, State::Cancelled]) {
                    let asked = vec![row.id];
                    let is_pending = self.is_pending(&row);
                    let replayed = self.store().replay(asked, ReplayOptions::default(), now);
                    // What is pending there anyway is not made twice.
                    assert_eq!(replayed.is_err(), is_pending, "{replayed:?}");
                    if replayed.is_ok() {
                        *self.replays.entry((row.event.0, row.endpoint)).or_default() += 1;
                    }
                }
            }
            15 => {
                if let Some(row) = self.any(&[State::Pending]) {
                    self.store().cancel(row.id, now).unwrap();
                }
            }
            16 if self.nodes.are_several() => self.harm(),
            16 => {
                self.nodes.stop(0);
                self.nodes.start(0, &self.net);
            }
            17 => {
                let sends = self.random.usize(0..6);
                self.net.state.lock().unwrap().dies_in = Some(sends);
            }
            18 if self.sets_clock => {
                let wall = match self.random.u8(0..3) {
                    0 => Timestamp(10_000),
                    1 => now.plus(Duration::from_secs(self.random.u64(0..86_400))),
                    _ => NOON.plus(Duration::from_secs(self.random.u64(0..10 * 86_400))),
                };
                self.clock.set_wall(wall);
                self.net.state.lock().unwrap().is_clock_set = true;
            }
            _ if self.nodes.are_several() => self.harm(),
            _ => {}
        }
        self.run();
        let span = match self.random.u8(0..4) {
            0 => Duration::from_millis(self.random.u64(1..2_000)),
            1 => Duration::from_secs(self.random.u64(1..300)),
            2 => Duration::from_secs(self.random.u64(300..7_200)),
            _ => Duration::from_secs(self.random.u64(7_200..50_000)),
        };
        self.clock.advance(span);
    }

    /// The network comes up and stays, nobody interferes: everything settles.
    fn settle(&mut self) {
        {
            let mut net = self.net.state.lock().unwrap();
            net.weather
                .values_mut()
                .for_each(|weather| *weather = Weather::Up);
            net.dies_in = None;
            net.is_harmful = false;
        }
        self.nodes.start_all(&self.net);
        for name in ENDPOINTS {
            self.store().resume_endpoint(name).unwrap();
        }
        self.nodes.wait_until_known(&ENDPOINTS);
        for _ in 0..2_000 {
            self.run();
            if self.store().stats().unwrap().pending == 0 {
                return;
            }
            self.clock.advance(Duration::from_secs(600));
        }
        let left = self.any(&[State::Pending]);
        panic!("something never settles: {left:?}");
    }

    /// What must hold of a whole life.
    fn judge(&self) {
        let store = self.store();
        let mut all = Vec::new();
        let mut filter = Selection::default();
        loop {
            let page = store.deliveries(&filter, PAGE_MAX).unwrap();
            filter.before = page.last().map(|row| row.id.0);
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        let net = self.net.state.lock().unwrap();
        assert!(net.broken.is_empty(), "{:?}", net.broken);
        let events = store.stats().unwrap().events;
        assert_eq!(events, self.accepted.len() as i64);
        let mut rows: HashMap<Owed, Vec<&DeliveryRecord>> = HashMap::new();
        for row in &all {
            rows.entry((row.event.0, row.endpoint.clone()))
                .or_default()
                .push(row);
        }
        for event in &self.accepted {
            for name in ENDPOINTS {
                let owed = (event.0, name.to_owned());
                let rows = rows.get(&owed).map_or(&[][..], Vec::as_slice);
                let count = |of: &HashMap<Owed, usize>| of.get(&owed).copied().unwrap_or(0);
                let (taken, replays) = (count(&net.taken), count(&self.replays));
                assert_eq!(
                    rows.len(),
                    1 + replays,
                    "{owed:?} is owed once and replayed"
                );
                let delivered = rows
                    .iter()
                    .filter(|row| row.state == State::Delivered)
                    .count();
                assert!(
                    taken >= delivered,
                    "{owed:?}: delivered {delivered}, taken {taken}"
                );
                let bound = 1 + replays + count(&net.lost);
                assert!(
                    taken <= bound,
                    "{owed:?}: taken {taken} times, at most {bound}"
                );
                for row in rows {
                    let endpoint = store.endpoint_report(name).unwrap().endpoint;
                    let tries_max = i64::from(endpoint.set.tries_max());
                    assert!(row.tries <= tries_max, "{owed:?}: {} tries", row.tries);
                    match row.state {
                        State::Pending => panic!("{owed:?} is pending"),
                        State::Delivered => {}
                        State::Dead => self.judge_dead(row, &endpoint),
                        State::Cancelled => {
                            assert_eq!(row.reason.as_deref(), Some("cancelled by hand"));
                        }
                    }
                }
            }
        }
        if !net.is_clock_set {
            let mut ordered: Vec<&DeliveryRecord> = all
                .iter()
                .filter(|row| row.endpoint == "ordered" && row.state != State::Cancelled)
                .collect();
            ordered.sort_by_key(|row| row.id);
            assert!(
                ordered.is_sorted_by_key(|row| row.settled),
                "each was settled before the next"
            );
        }
        let stats = store.stats().unwrap();
        let settled = stats.delivered + stats.dead + stats.cancelled + stats.superseded;
        assert_eq!(
            settled,
            all.len() as i64,
            "the counts are those of the rows"
        );
    }
}

impl Drop for Life {
    /// The nodes know the network, and it knows them.
    fn drop(&mut self) {
        // A life that failed has other things to say.
        if !std::thread::panicking() {
            self.nodes.end();
        }
    }
}

impl Life {
    /// Nothing is given up but for what the endpoint's policy says.
    fn judge_dead(&self, row: &DeliveryRecord, endpoint: &Endpoint) {
        let reason = row.reason.as_deref().unwrap();
        let is_spent = row.tries == i64::from(endpoint.set.tries_max());
        let is_gone = reason.starts_with("410 Gone");
        // Wall times mean little where the clock was set.
        let lasted = row.settled.unwrap().since(row.created);
        let is_old = endpoint.set.expire.is_some_and(|expire| {
            reason.starts_with("expired") && (self.sets_clock || lasted >= expire)
        });
        assert!(is_spent || is_gone || is_old, "given up too early: {row:?}");
    }
}

/// In memory where there is a place for that: what is tried here is not the disk.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn live(place: Place<'_>, seed: u64) {
    let mut life = Life::begin(place, seed);
    for _ in 0..STEPS {
        life.step();
    }
    life.settle();
    life.judge();
}

/// Lives so many lives, or that of `HOOKBOX_SEED`; says which one failed.
fn live_all(live_one: impl Fn(u64) + Sync + std::panic::RefUnwindSafe, seeds: u64, at_once: usize) {
    if let Ok(seed) = std::env::var("HOOKBOX_SEED") {
        return live_one(seed.parse().unwrap());
    }
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    if let Err(why) = catch_unwind(|| live_one(seed)) {
                        let why = why.downcast_ref::<String>();
                        let why = why.map_or("see above", String::as_str);
                        panic!("{why}\nlive it again: HOOKBOX_SEED={seed} cargo test simulation");
                    }
                }
            });
        }
    });
}

#[test]
fn whatever_happens_nothing_is_lost_early_late_or_out_of_order() {
    let live_one = |seed| live(Place::File(folder().path()), seed);
    // More than there are cores: a life mostly waits for its disk.
    live_all(live_one, number_from("HOOKBOX_SEEDS", SEEDS), 8);
}

#[test]
fn whatever_happens_to_nodes_nothing_is_lost_early_late_or_out_of_order() {
    if no_server() {
        return;
    }
    let live_one = |seed| live(Place::Server(TestDb::new()), seed);
    // A life mostly waits for its nodes to hear of each other.
    live_all(live_one, number_from("HOOKBOX_NODE_SEEDS", NODE_SEEDS), 12);
}

#[test]
fn a_year_of_operation_loses_nothing() {
    let folder = folder();
    let mut life = Life::begin(Place::File(folder.path()), 2026);
    life.sets_clock = false;
    let end = NOON.plus(Duration::from_secs(365 * 86_400));
    while life.clock.now() < end {
        life.step();
        life.clock.advance(Duration::from_secs(20 * 3_600));
    }
    life.settle();
    life.judge();
    let stats = life.store().stats().unwrap();
    assert!(stats.events > 150, "{stats:?}");
    assert!(stats.delivered > 2 * stats.events, "{stats:?}");
}
