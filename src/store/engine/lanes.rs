//! Which lanes this process works on: those of all endpoints, or those that it leased as one of several
//! nodes.
//!
//! A lane is an endpoint. Whoever has it is the only one that sends to the endpoint, so what the scheduler
//! knows of the endpoint in memory (rate, order, circuit, window) is true.

use std::collections::HashMap;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::model::id::EndpointId;

/// The lanes of this process.
#[derive(Debug, Default)]
pub(crate) struct Lanes(RwLock<Held>);

#[derive(Debug, Default)]
enum Held {
    /// This process is the only one: it has all lanes, without a lease.
    #[default]
    All,
    Leased {
        lanes: HashMap<EndpointId, Lease>,
        /// When the leases end, on the clock of [`Clock::elapsed`](crate::time::Clock::elapsed). The server
        /// lets another node have them a little later.
        until: Duration,
        /// Whether this is the first of the nodes that live.
        is_first: bool,
    },
}

/// The lease of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Grows with each hand-over: what is written with an older one is refused.
    pub(crate) token: i64,
    pub(crate) phase: Phase,
}

/// How far a hand-over is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The lane is this node's.
    Held,
    /// Nothing more is sent; what is on the wire is awaited and recorded.
    Draining,
    /// Nothing is on the wire any more: another node may have the lane.
    Drained,
}

impl Lanes {
    /// Whether this process may send to an endpoint now.
    pub(crate) fn may_send(&self, endpoint: EndpointId, elapsed: Duration) -> bool {
        match &*self.read() {
            Held::All => true,
            Held::Leased { lanes, until, .. } => {
                let lease = lanes.get(&endpoint);
                elapsed < *until && lease.is_some_and(|lease| lease.phase == Phase::Held)
            }
        }
    }

    /// Whether this process does what one of all nodes is enough for: removing what is old, say. Two may think
    /// so for a moment; what they do must bear that.
    pub(crate) fn is_first(&self) -> bool {
        match &*self.read() {
            Held::All => true,
            Held::Leased { is_first, .. } => *is_first,
        }
    }

    /// The token of a leased lane; `None` where no lease is needed.
    ///
    /// # Errors
    /// With nothing when the lane is leased to another node.
    pub(crate) fn token(&self, endpoint: EndpointId) -> Result<Option<i64>, NotLeased> {
        match &*self.read() {
            Held::All => Ok(None),
            Held::Leased { lanes, .. } => match lanes.get(&endpoint) {
                Some(lease) => Ok(Some(lease.token)),
                None => Err(NotLeased),
            },
        }
    }

    /// The scheduler holds no lanes but these: of all others nothing is on the wire, and nothing is sent.
    pub(crate) fn rest_but(&self, is_held: impl Fn(EndpointId) -> bool) {
        if let Held::Leased { lanes, .. } = &mut *self.write() {
            for (endpoint, lease) in lanes {
                if lease.phase == Phase::Draining && !is_held(*endpoint) {
                    lease.phase = Phase::Drained;
                }
            }
        }
    }

    /// The leases now.
    pub(crate) fn leases(&self) -> HashMap<EndpointId, Lease> {
        match &*self.read() {
            Held::All => HashMap::new(),
            Held::Leased { lanes, .. } => lanes.clone(),
        }
    }

    /// Takes over what the server says of the leases, which end at `until`. Returns whether another lane may
    /// be sent to than just before.
    ///
    /// Where a lane has become free of requests meanwhile, it stays so.
    pub(crate) fn set(
        &self,
        new: HashMap<EndpointId, Lease>,
        until: Duration,
        elapsed: Duration,
        is_first: bool,
    ) -> bool {
        let mut held = self.write();
        let (old, ended) = match std::mem::replace(
            &mut *held,
            Held::Leased {
                lanes: HashMap::new(),
                until,
                is_first,
            },
        ) {
            Held::All => (HashMap::new(), Duration::ZERO),
            Held::Leased { lanes, until, .. } => (lanes, until),
        };
        let held_in = |lanes: &HashMap<EndpointId, Lease>| {
            let mut held: Vec<(EndpointId, i64)> = lanes
                .iter()
                .filter(|(_, lease)| lease.phase == Phase::Held)
                .map(|(endpoint, lease)| (*endpoint, lease.token))
                .collect();
            held.sort_unstable();
            held
        };
        let is_changed = ended <= elapsed || held_in(&old) != held_in(&new);
        let mut lanes = new;
        for (endpoint, lease) in &mut lanes {
            let was = old.get(endpoint);
            if was.is_some_and(|was| was.token == lease.token && was.phase == Phase::Drained) {
                lease.phase = Phase::Drained;
            }
        }
        *held = Held::Leased {
            lanes,
            until,
            is_first,
        };
        is_changed
    }

    fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.0.read().expect(NO_PANIC)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Held> {
        self.0.write().expect(NO_PANIC)
    }
}

/// No code panics while it holds this lock.
const NO_PANIC: &str = "nobody panics with the lanes locked";

/// The lane is leased to another node, or to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotLeased;

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE: EndpointId = EndpointId(1);

    fn leased(token: i64, phase: Phase) -> HashMap<EndpointId, Lease> {
        HashMap::from([(EDGE, Lease { token, phase })])
    }

    fn second(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    #[test]
    fn a_process_alone_has_all_lanes_and_a_node_those_that_it_leased_until_they_end() {
        let lanes = Lanes::default();
        assert!(lanes.may_send(EDGE, second(9)));
        assert_eq!(lanes.token(EDGE), Ok(None));
        let set = |leases, until| lanes.set(leases, second(until), second(1), true);
        assert!(set(HashMap::new(), 10));
        assert!(!lanes.may_send(EDGE, second(9)));
        assert_eq!(lanes.token(EDGE), Err(NotLeased));
        assert!(set(leased(3, Phase::Held), 10));
        assert!(lanes.may_send(EDGE, second(9)));
        assert!(!lanes.may_send(EDGE, second(10)));
        assert!(!lanes.may_send(EndpointId(2), second(9)));
        assert_eq!(lanes.token(EDGE), Ok(Some(3)));
        assert!(!set(leased(3, Phase::Held), 20));
        assert!(set(leased(4, Phase::Held), 20));
        // The leases had ended here before they were renewed.
        assert!(lanes.set(leased(4, Phase::Held), second(30), second(20), true));
    }

    #[test]
    fn a_lane_is_handed_over_when_nothing_is_on_the_wire() {
        let lanes = Lanes::default();
        let set = |phase, until| lanes.set(leased(1, phase), second(until), second(1), true);
        set(Phase::Held, 10);
        lanes.rest_but(|_| false);
        assert_eq!(lanes.leases(), leased(1, Phase::Held));
        assert!(set(Phase::Draining, 10));
        assert!(!lanes.may_send(EDGE, second(1)));
        // What is on the wire is still recorded.
        assert_eq!(lanes.token(EDGE), Ok(Some(1)));
        lanes.rest_but(|endpoint| endpoint == EDGE);
        assert_eq!(lanes.leases(), leased(1, Phase::Draining));
        // Also one that the scheduler never held.
        lanes.rest_but(|_| false);
        assert!(!set(Phase::Draining, 20));
        assert_eq!(lanes.leases(), leased(1, Phase::Drained));
    }
}
