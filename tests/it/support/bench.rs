//! A store and a scheduler without threads, on a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use hookbox::model::delivery::DeliveryRecord;
use hookbox::model::endpoint::NewEndpoint;
use hookbox::model::id::EndpointId;
use hookbox::model::settings::Selection;
use hookbox::outbound::{Scheduler, Transport};
use hookbox::store::{Missing, PAGE_MAX, Store};
use hookbox::time::{Clock, ManualClock, Timestamp};

use super::{NOON, Script, TestDb, at, event};

/// A store and a scheduler without threads, on a clock that stands still.
pub struct Bench {
    pub store: Store,
    pub clock: Arc<ManualClock>,
    pub script: Script,
    pub transport: Arc<dyn Transport>,
    pub scheduler: Scheduler,
    /// The last field: dropping it removes the database.
    _database: TestDb,
}

impl Bench {
    pub fn new(script: Script) -> Bench {
        let mut bench = Bench::over(|_, _| Arc::new(script.clone()));
        bench.script = script;
        bench
    }

    /// A bench with a transport of the test's own, which may use the store and the clock.
    pub fn over(transport: impl FnOnce(&Store, &Arc<ManualClock>) -> Arc<dyn Transport>) -> Bench {
        Bench::at(TestDb::new(), transport)
    }

    /// A bench whose database is a file, for what opens it as another program would.
    pub fn in_file(script: Script) -> Bench {
        let mut bench = Bench::at(TestDb::in_file(), |_, _| Arc::new(script.clone()));
        bench.script = script;
        bench
    }

    /// A bench over this database.
    pub fn at(
        database: TestDb,
        transport: impl FnOnce(&Store, &Arc<ManualClock>) -> Arc<dyn Transport>,
    ) -> Bench {
        let store = Store::open(database.location(), Missing::Create).unwrap();
        let clock = Arc::new(ManualClock::at(NOON));
        let transport = transport(&store, &clock);
        let scheduler = Scheduler::new(store.clone(), clock.clone(), transport.clone(), 7).unwrap();
        Bench {
            store,
            clock,
            script: Script::default(),
            transport,
            scheduler,
            _database: database,
        }
    }

    /// A bench whose clock shows this, with an endpoint `edge` that is set so.
    pub fn with_edge(script: Script, now: &str, set: impl FnOnce(&mut NewEndpoint)) -> Bench {
        let bench = Bench::new(script);
        bench.clock.set_wall(at(now));
        bench.endpoint_with("edge", set);
        bench
    }

    /// The process ends and another begins, with a clock of its own beginning.
    pub fn restart(&mut self) {
        let began = Clock::elapsed(self.clock.as_ref());
        let clock = Arc::new(Restarted(self.clock.clone(), began));
        let transport = self.transport.clone();
        self.scheduler = Scheduler::new(self.store.clone(), clock, transport, 8).unwrap();
    }

    pub fn endpoint(&self, name: &str) -> EndpointId {
        self.endpoint_with(name, |_| {})
    }

    pub fn endpoint_with(&self, name: &str, change: impl FnOnce(&mut NewEndpoint)) -> EndpointId {
        let mut new = NewEndpoint::new(name, "http://127.0.0.1:9/hook".parse().unwrap());
        change(&mut new);
        self.store.add_endpoint(new, NOON).unwrap()
    }

    /// Changes an endpoint.
    pub fn set(&self, name: &str, change: impl Fn(&mut NewEndpoint) + Send + 'static) {
        let change = move |endpoint: &mut NewEndpoint| {
            change(endpoint);
            Ok(())
        };
        self.store.set_endpoint(name, change, self.now()).unwrap();
    }

    pub fn event(&self) {
        self.store.accept(event("push"), self.now()).unwrap();
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    pub fn run_due(&mut self) -> usize {
        self.scheduler.run_due().unwrap()
    }

    /// The deliveries, oldest first.
    pub fn deliveries(&self) -> Vec<DeliveryRecord> {
        let filter = Selection::default();
        let mut all = self.store.deliveries(&filter, PAGE_MAX).unwrap();
        all.reverse();
        all
    }

    /// What each delivery waits for.
    pub fn waiting(&self) -> Vec<Option<&'static str>> {
        let all = self.deliveries();
        all.iter().map(|row| row.waiting(self.now())).collect()
    }

    /// The ids of the events that were sent since the last look.
    pub fn sent_events(&self) -> Vec<u32> {
        let sent = self.script.take_sent();
        let ids = sent.into_iter().map(|(_, request)| {
            let mut headers = request.headers.iter();
            let id = headers.find(|(name, _)| name == "webhook-id");
            let number = id.unwrap().1.split('_').nth(2).unwrap();
            number.parse().unwrap()
        });
        ids.collect()
    }
}

/// The clock of a process that began when the other showed this.
struct Restarted(Arc<ManualClock>, Duration);

impl Clock for Restarted {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed() - self.1
    }
}
