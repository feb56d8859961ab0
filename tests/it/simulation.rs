//! A box's life by chance, again and again: events, a network that fails in every way, an operator,
//! restarts and crashes, on a clock that runs as fast as it can. After every step and at the end
//! the promises are checked. A seed that fails is printed; `HOOKBOX_SEED=N cargo test simulation`
//! lives that life again, `HOOKBOX_SEEDS=N` sets how many there are.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookbox::model::delivery::{DeliveryRecord, State};
use hookbox::model::endpoint::{Endpoint, NewEndpoint};
use hookbox::model::settings::Selection;
use hookbox::outbound::Scheduler;
use hookbox::store::{Missing, PAGE_MAX, ReplayOptions, Store};
use hookbox::time::{Clock, ManualClock, Timestamp};
use net::{Crash, Net, NetState, Owed, WEATHERS, Weather};

use crate::support::{NOON, event};

mod net;

/// Lives in a default run; `.ci/run` lives some thousands.
const SEEDS: u64 = 60;

const STEPS: usize = 60;

const ENDPOINTS: [&str; 4] = ["plain", "ordered", "nightly", "paced"];

struct Life {
    file: std::path::PathBuf,
    random: fastrand::Rng,
    clock: Arc<ManualClock>,
    net: Arc<Net>,
    process: Option<(Store, Scheduler)>,
    /// Events that were taken in.
    accepted: i64,
    replays: HashMap<Owed, usize>,
    sets_clock: bool,
}

impl Life {
    fn begin(folder: &Path, seed: u64) -> Life {
        let mut random = fastrand::Rng::with_seed(seed);
        let clock = Arc::new(ManualClock::at(NOON));
        let state = NetState {
            random: random.fork(),
            weather: ENDPOINTS
                .iter()
                .map(|name| ((*name).to_owned(), Weather::Up))
                .collect(),
            store: None,
            taken: HashMap::new(),
            lost: HashMap::new(),
            dies_in: None,
            is_clock_set: false,
            broken: Vec::new(),
        };
        let net = Arc::new(Net {
            clock: clock.clone(),
            state: Mutex::new(state),
        });
        let mut life = Life {
            file: folder.join("hookbox.db"),
            sets_clock: random.u8(0..4) == 0,
            random,
            clock,
            net,
            process: None,
            accepted: 0,
            replays: HashMap::new(),
        };
        life.start();
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
        life
    }

    fn store(&self) -> &Store {
        &self.process.as_ref().expect("a process runs").0
    }

    /// A process begins, whatever became of the one before.
    fn start(&mut self) {
        self.process = None;
        self.net.state.lock().unwrap().store = None;
        let store = Store::open(&self.file, Missing::Create).unwrap();
        let seed = self.random.u64(..);
        let scheduler = Scheduler::new(store.clone(), self.clock.clone(), self.net.clone(), seed);
        self.net.state.lock().unwrap().store = Some(store.clone());
        self.process = Some((store, scheduler.unwrap()));
    }

    /// Does what is due; when the process dies over it, another one begins.
    fn run(&mut self) {
        let (_, scheduler) = self.process.as_mut().expect("a process runs");
        match catch_unwind(AssertUnwindSafe(|| scheduler.run_due())) {
            Ok(done) => drop(done.unwrap()),
            Err(why) if why.is::<Crash>() => self.start(),
            Err(why) => resume_unwind(why),
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
                    self.store().accept(event("push"), now).unwrap();
                    self.accepted += 1;
                }
            }
            8..11 => {
                let weather = WEATHERS[self.random.usize(0..WEATHERS.len())];
                let mut net = self.net.state.lock().unwrap();
                net.weather.insert(endpoint.to_owned(), weather);
            }
            11 => drop(
                self.store()
                    .hold_endpoint(endpoint, "by chance", now)
                    .unwrap(),
            ),
            12 | 13 => drop(self.store().resume_endpoint(endpoint).unwrap()),
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
            16 => self.start(),
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
        }
        for name in ENDPOINTS {
            self.store().resume_endpoint(name).unwrap();
        }
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
        assert_eq!(
            events, self.accepted,
            "every event that was taken in is there"
        );
        let mut rows: HashMap<Owed, Vec<&DeliveryRecord>> = HashMap::new();
        for row in &all {
            rows.entry((row.event.0, row.endpoint.clone()))
                .or_default()
                .push(row);
        }
        for event in 1..=events {
            for name in ENDPOINTS {
                let owed = (event, name.to_owned());
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

fn live(seed: u64, steps: usize) {
    let folder = folder();
    let mut life = Life::begin(folder.path(), seed);
    for _ in 0..steps {
        life.step();
    }
    life.settle();
    life.judge();
}

fn live_or_say(seed: u64, steps: usize) {
    if let Err(why) = catch_unwind(|| live(seed, steps)) {
        let why = why
            .downcast_ref::<String>()
            .map_or("see above", String::as_str);
        panic!("{why}\nlive it again: HOOKBOX_SEED={seed} cargo test simulation");
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap())
}

#[test]
fn whatever_happens_nothing_is_lost_early_late_or_out_of_order() {
    if let Some(seed) = number("HOOKBOX_SEED") {
        return live(seed, STEPS);
    }
    let seeds = number("HOOKBOX_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        // More than there are cores: a life mostly waits for its disk.
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    live_or_say(seed, STEPS);
                }
            });
        }
    });
}

#[test]
fn a_year_of_operation_loses_nothing() {
    let folder = folder();
    let mut life = Life::begin(folder.path(), 2026);
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
