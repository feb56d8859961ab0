//! The network of a simulated life: what becomes of each request, and what the receivers were owed.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use hookbox::model::attempt::Timing;
use hookbox::model::delivery::State;
use hookbox::model::endpoint::Endpoint;
use hookbox::model::id::EventId;
use hookbox::model::settings::Selection;
use hookbox::model::window::Opening;
use hookbox::outbound::{Exchange, OutboundRequest, SendResult, Transport};
use hookbox::store::PAGE_MAX;
use hookbox::time::{Clock, ManualClock, Timestamp};

use super::nodes::Nodes;
use crate::support::{replied, replied_with, unreachable};

/// How an endpoint fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    Up,
    Down,
    Slow,
    Refuse,
    /// It takes the request and the answer is lost.
    Lost,
    /// What comes back is no reply.
    Garbage,
}

pub const WEATHERS: [Weather; 6] = [
    Weather::Up,
    Weather::Down,
    Weather::Slow,
    Weather::Refuse,
    Weather::Lost,
    Weather::Garbage,
];

/// What unwinds when a process dies; not a failure.
pub struct Crash;

/// An event and the name of an endpoint.
pub type Owed = (i64, String);

pub struct Net {
    pub clock: Arc<ManualClock>,
    pub nodes: OnceLock<Arc<Nodes>>,
    pub state: Mutex<NetState>,
}

/// The network as a node has it.
pub struct NodeNet {
    pub net: Arc<Net>,
    pub node: usize,
}

pub struct NetState {
    pub random: fastrand::Rng,
    pub weather: HashMap<String, Weather>,
    /// How often each receiver has taken each event, and how often nobody could know that.
    pub taken: HashMap<Owed, usize>,
    pub lost: HashMap<Owed, usize>,
    /// Whether nodes may come to harm while a request is on the wire.
    pub is_harmful: bool,
    /// The process dies in so many sends.
    pub dies_in: Option<usize>,
    /// When an endpoint with a rate answered, by the monotonic clock, and whether that could be recorded.
    pub paced: Vec<(Duration, bool)>,
    /// The wall clock was set, so that due times cannot be told from it.
    pub is_clock_set: bool,
    pub broken: Vec<String>,
}

impl NetState {
    /// What must hold whenever something is sent.
    fn check(&mut self, nodes: &Nodes, endpoint: &Endpoint, event: i64, now: Timestamp) {
        let store = nodes.store();
        let of_event = Selection {
            endpoint: Some(endpoint.set.name.clone()),
            event: Some(EventId(event)),
            ..Selection::default()
        };
        let rows = store.deliveries(&of_event, PAGE_MAX).unwrap();
        let is_due = rows.iter().any(|row| row.due.is_some_and(|due| due <= now));
        let mut complain = |what: String| self.broken.push(what);
        if !is_due && !self.is_clock_set {
            complain(format!(
                "{} got event {event} before it was due",
                endpoint.set.name
            ));
        }
        if let Some(Opening::Closed { .. }) =
            endpoint.set.window.as_ref().map(|window| window.at(now))
        {
            complain(format!(
                "{} got event {event} out of its window",
                endpoint.set.name
            ));
        }
        let report = store.endpoint_report(&endpoint.set.name).unwrap();
        if report.endpoint.held.is_some() {
            complain(format!(
                "{} got event {event} while held",
                endpoint.set.name
            ));
        }
        // Of an ordered one, all that is pending says what goes first.
        let mut pending = rows.iter().filter(|row| row.state == State::Pending);
        if endpoint.set.is_ordered && pending.all(|row| row.endpoint_waits.behind.is_some()) {
            complain(format!(
                "{} got event {event} out of order",
                endpoint.set.name
            ));
        }
    }

    /// An endpoint with a rate answers at this moment. In no span has it got more than it wants, but for what
    /// a node that died or was cut off could not tell the others.
    fn answer(&mut self, at: Duration, harm: Harm, endpoint: &Endpoint) {
        self.paced.push((at, !harm.forgets()));
        for limit in endpoint.set.rate().unwrap().limits() {
            let recent = self.paced.iter().rev();
            let told = recent
                .take_while(|(then, _)| *then + limit.span > at)
                .filter(|(_, is_told)| *is_told)
                .count();
            if told > limit.count as usize {
                let name = &endpoint.set.name;
                let span = limit.span;
                self.broken
                    .push(format!("{name} got {told} requests in {span:?}"));
            }
        }
    }
}

impl Net {
    fn nodes(&self) -> &Arc<Nodes> {
        self.nodes.get().expect("they are there from the beginning")
    }
}

/// What becomes of a node while its request is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    None,
    Dies,
    /// It sleeps for longer than its leases last, and the others do not.
    Sleeps,
    LosesServer,
    Reconnects,
}

impl Harm {
    /// Whether others may send the same again.
    fn forgets(self) -> bool {
        !matches!(self, Harm::None | Harm::Reconnects)
    }
}

impl Transport for NodeNet {
    fn send(&self, endpoint: &Endpoint, request: &OutboundRequest) -> Exchange {
        let net = &self.net;
        let nodes = net.nodes();
        let id = request
            .headers
            .iter()
            .find(|(name, _)| name == "webhook-id");
        let number = id.unwrap().1.split('_').nth(2).unwrap();
        let event: i64 = number.parse().unwrap();
        let owed = (event, endpoint.set.name.clone());
        let mut state = net.state.lock().unwrap();
        state.check(nodes, endpoint, event, net.clock.now());
        let weather = state.weather[&endpoint.set.name];
        let dies = state.dies_in.take();
        state.dies_in = dies.and_then(|sends| sends.checked_sub(1));
        let harm = match state.random.u8(0..60) {
            _ if dies == Some(0) => Harm::Dies,
            _ if !state.is_harmful => Harm::None,
            0 => Harm::Sleeps,
            1 => Harm::LosesServer,
            2 => Harm::Reconnects,
            _ => Harm::None,
        };
        let dies_before = harm == Harm::Dies && state.random.bool();
        let takes = matches!(weather, Weather::Up | Weather::Slow | Weather::Lost) && !dies_before;
        if takes {
            *state.taken.entry(owed.clone()).or_default() += 1;
            if harm.forgets() || weather != Weather::Up {
                *state.lost.entry(owed).or_default() += 1;
            }
        }
        let took = match weather {
            Weather::Slow => Duration::from_secs(15),
            _ => Duration::from_millis(state.random.u64(1..400)),
        };
        let refusal = match state.random.u8(0..4) {
            _ if state.random.u8(0..30) == 0 => replied(410),
            0 => replied(404),
            1 => replied_with(503, &[("retry-after", "90")]),
            2 => replied(429),
            _ => replied(500),
        };
        let sets_clock = state.is_clock_set && state.random.u8(0..20) == 0;
        let slept = Duration::from_secs(state.random.u64(5..120));
        if endpoint.set.rate().is_some() && matches!(weather, Weather::Up | Weather::Refuse) {
            state.answer(net.clock.elapsed(), harm, endpoint);
        }
        drop(state);
        net.clock.advance(took);
        if sets_clock {
            // The time is heard while the request is on its way.
            net.clock
                .set_wall(net.clock.now().plus(Duration::from_secs(40_000)));
        }
        match harm {
            Harm::None => {}
            // Without a word on the terminal.
            Harm::Dies => resume_unwind(Box::new(Crash)),
            Harm::Sleeps => nodes.sleep(net, slept),
            Harm::LosesServer => nodes.cut(self.node),
            Harm::Reconnects => nodes.harm(self.node),
        }
        let broken = |error: &str| SendResult::Broken {
            error: error.to_owned(),
        };
        Exchange {
            timing: Timing::default(),
            result: match weather {
                Weather::Up => replied(200),
                Weather::Down => unreachable(),
                Weather::Slow => broken("no reply within 15s"),
                Weather::Refuse => refusal,
                Weather::Lost => broken("no reply: connection reset"),
                Weather::Garbage => broken("no reply: not HTTP"),
            },
        }
    }
}
