//! What holds an endpoint's lane back: a hold, its window, its rate, how busy it is, an outage.
//!
//! It knows nothing of deliveries. What was set of the endpoint is an argument.

use std::time::Duration;

use crate::model::attempt::Decision;
use crate::model::delivery::Move;
use crate::model::endpoint::Endpoint;
use crate::model::rate::Rates;
use crate::model::window::Opening;
use crate::outbound::circuit::Circuit;
use crate::outbound::concurrency::ConcurrencyLimiter;
use crate::outbound::policy::PAUSE_MAX;
use crate::outbound::rate_limiter::RateLimiter;
use crate::store::{FailingChange, RecentPace};
use crate::time::Timestamp;

use super::Moment;

/// How long a restart takes at least.
const RESTART: Duration = Duration::from_secs(2);

/// How long an endpoint that has too much to do is left alone where it does not say for how long:
/// at first, and at most.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
const BUSY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// Longest time between two refusals that counts: a little more than the longest step of the usual
/// ladder. In a longer one the endpoint was not asked.
const REFUSING_GAP_MAX: Duration = Duration::from_secs(30 * 3_600);

/// For how long an endpoint has refused whatever it was sent: the time between its refusals.
#[derive(Debug, Clone, Copy, Default)]
struct FailingFor {
    lasting: Duration,
    /// When the last of them was, if nothing else has been since.
    last: Option<Duration>,
}

#[derive(Debug)]
pub(in crate::outbound) struct Brakes {
    pub(in crate::outbound) circuit: Circuit,
    flow: ConcurrencyLimiter,
    pace: RateLimiter,
    /// Whether its window is open, as of that moment and until that says.
    opening: Option<(Timestamp, Opening)>,
    /// It refuses whatever it is sent.
    failing: Option<FailingFor>,
    /// Requests on the wire.
    on_wire: usize,
    /// How often it said, one time after the other, that it is busy for now.
    consecutive_throttles: u32,
    /// Answers that say that the endpoint is no more, and are not on disk yet.
    holds: usize,
}

impl Brakes {
    pub(super) fn new(circuit: Circuit, pace: RateLimiter) -> Brakes {
        Brakes {
            circuit,
            flow: ConcurrencyLimiter::new(),
            pace,
            opening: None,
            failing: None,
            on_wire: 0,
            consecutive_throttles: 0,
            holds: 0,
        }
    }

    /// How many requests are on the wire.
    pub(in crate::outbound) fn on_wire(&self) -> usize {
        self.on_wire
    }

    /// A request goes out.
    pub(super) fn put_on_wire(&mut self) {
        self.on_wire += 1;
    }

    /// A request is on the wire no more: it was answered or broken off, or never made.
    pub(in crate::outbound) fn off_wire(&mut self) {
        self.on_wire = self.on_wire.saturating_sub(1);
    }

    /// Whether another request may go out now.
    pub(super) fn lets_go(&mut self, endpoint: &Endpoint, moment: Moment) -> bool {
        let Moment { wall, elapsed, .. } = moment;
        if self.is_held(endpoint) || !matches!(self.opening(endpoint, wall), Opening::Open { .. }) {
            return false;
        }
        let allowed = self.circuit.allowed(elapsed, self.window(endpoint));
        let room = self.pace.room(elapsed, self.on_wire, endpoint.rate());
        self.on_wire < allowed && room > 0
    }

    /// How long until another may, where there is something to send in `work`; `None` when only an answer
    /// or a change lets it.
    pub(super) fn wait(
        &mut self,
        endpoint: &Endpoint,
        moment: Moment,
        work: Duration,
    ) -> Option<Duration> {
        let Moment { wall, elapsed, .. } = moment;
        if self.is_held(endpoint) || self.on_wire >= self.window(endpoint) {
            return None;
        }
        let work = match self.opening(endpoint, wall) {
            Opening::Open { .. } => work,
            Opening::Closed { until } => work.max(until?.since(wall)),
        };
        let work = work.max(self.pace.wait(elapsed, self.on_wire, endpoint.rate())?);
        match self.circuit.probe_at() {
            None => Some(work),
            Some(_) if self.on_wire > 0 => None,
            Some(probe_at) => Some(work.max(probe_at.saturating_sub(elapsed))),
        }
    }

    /// Whether what goes out now is a probe of an endpoint that cannot be reached.
    pub(super) fn is_probing(&self) -> bool {
        self.circuit.probe_at().is_some()
    }

    /// A request ended that the endpoint has seen: its rates count it. It may have asked to be left
    /// alone for a while.
    /// Each time that it says so again, for no message in between, it is left alone for longer.
    pub(in crate::outbound) fn spent(
        &mut self,
        elapsed: Duration,
        endpoint: &Endpoint,
        decision: &Decision,
    ) {
        self.pace.ended(elapsed, endpoint.rate());
        let is_paused = !self.pace.pause_left(elapsed).is_zero();
        match decision.change {
            Move::Postpone => {
                self.consecutive_throttles = self.consecutive_throttles.saturating_add(1)
            }
            // Those that were on the wire together count once.
            _ if decision.is_busy && is_paused => return,
            _ if decision.is_busy => {
                self.consecutive_throttles = self.consecutive_throttles.saturating_add(1)
            }
            _ => self.consecutive_throttles = 0,
        }
        let (pause, longest) = match decision.pause {
            Some(pause) => (pause, PAUSE_MAX),
            None if decision.is_busy => (BUSY_PAUSE, BUSY_PAUSE_MAX),
            None => return,
        };
        let times = 1_u32 << self.consecutive_throttles.saturating_sub(1).min(16);
        let pause = pause.min(longest) * times;
        self.pace.pause(elapsed, pause.min(longest));
    }

    /// What the next process must know of the endpoint's pace; `None` while nothing limits it.
    pub(in crate::outbound) fn recent_pace(
        &self,
        endpoint: &Endpoint,
        now: Timestamp,
        elapsed: Duration,
    ) -> Option<RecentPace> {
        let rate = endpoint.rate();
        let wait = self.pace.wait(elapsed, self.on_wire, rate);
        if rate.is_none() && wait == Some(Duration::ZERO) {
            return None;
        }
        // Of limits that are over before a process has started, nothing need be known.
        let limits = rate.map_or(&[][..], Rates::limits).iter();
        let long = limits.filter(|limit| limit.span >= RESTART);
        let kept = long.map(|limit| limit.count as usize).max().unwrap_or(0);
        let ages: Vec<Duration> = self.pace.ages(elapsed).collect();
        let latest = &ages[ages.len().saturating_sub(kept)..];
        let pause = self.pace.pause_left(elapsed);
        Some(RecentPace {
            ended: latest.iter().map(|age| now.minus(*age)).collect(),
            not_before: now.plus(pause),
            until: now.plus(wait.unwrap_or(pause)),
        })
    }

    /// An answer said that the endpoint is no more: nothing is sent while that is written.
    pub(in crate::outbound) fn hold(&mut self) {
        self.holds += 1;
    }

    /// It was written.
    pub(in crate::outbound) fn hold_written(&mut self) {
        self.holds = self.holds.saturating_sub(1);
    }

    fn is_held(&self, endpoint: &Endpoint) -> bool {
        self.holds > 0 || endpoint.held.is_some()
    }

    /// The endpoint was reached; `took` says how long it worked on a request that it took. Comes
    /// before [`Brakes::off_wire`].
    pub(in crate::outbound) fn reached(&mut self, endpoint: &Endpoint, took: Option<Duration>) {
        if self.is_probing() {
            self.flow.restart();
        }
        self.circuit.reached();
        match took {
            Some(took) => {
                let concurrency = endpoint.concurrency() as usize;
                self.flow.succeeded(took, self.on_wire, concurrency);
            }
            None => self.flow.refused(),
        }
    }

    /// How many requests may be on the wire, as far as the endpoint's pace goes.
    fn window(&self, endpoint: &Endpoint) -> usize {
        self.flow.window(endpoint.concurrency() as usize)
    }

    /// Whether it may be sent to at this moment, as far as its window goes.
    fn opening(&mut self, endpoint: &Endpoint, wall: Timestamp) -> Opening {
        let Some(window) = &endpoint.window else {
            return Opening::Open { until: wall };
        };
        if let Some((asked, known)) = self.opening {
            let until = match known {
                Opening::Open { until } => Some(until),
                Opening::Closed { until } => until,
            };
            if asked <= wall && until.is_none_or(|until| wall < until) {
                return known;
            }
        }
        let opening = window.at(wall);
        self.opening = Some((wall, opening));
        opening
    }

    /// The endpoint was changed. One that is now elsewhere is probed there at once; one that a person wants
    /// to be tried is asked at once.
    pub(super) fn replaced(&mut self, old: &Endpoint, new: &Endpoint) {
        let has_moved = new.url != old.url;
        let is_resumed = old.held.is_some() && new.held.is_none();
        let is_nudged = is_asked_for(old, new);
        let connects_otherwise = new.connection != old.connection
            || new.probe_max != old.probe_max
            || new.timeout != old.timeout;
        if self.is_probing() && (has_moved || is_nudged || connects_otherwise) {
            self.circuit = Circuit::reopened();
        }
        if is_nudged {
            self.pace.go_on();
        }
        if has_moved {
            self.pace = RateLimiter::default();
        }
        if has_moved || is_nudged {
            self.consecutive_throttles = 0;
        }
        if has_moved || is_resumed {
            self.failing = None;
        }
        if new.window != old.window {
            self.opening = None;
        }
    }

    /// What a former process knew: it refuses whatever it is sent, for so long by now.
    pub(in crate::outbound) fn refuses_for(&mut self, lasting: Duration) {
        self.failing = Some(FailingFor {
            lasting,
            last: None,
        });
    }

    /// It could not be reached: the time until it is counts for nothing.
    pub(in crate::outbound) fn is_away(&mut self) {
        if let Some(failing) = &mut self.failing {
            failing.last = None;
        }
    }

    /// It took something, or refused it: whether that is a change, and for how long it has refused
    /// whatever it was sent.
    pub(in crate::outbound) fn answered(
        &mut self,
        is_taken: bool,
        elapsed: Duration,
    ) -> FailingChange {
        if is_taken {
            return match self.failing.take() {
                None => FailingChange::Same,
                Some(_) => FailingChange::Over,
            };
        }
        let failing = self.failing.get_or_insert_default();
        let gap = failing.last.map(|last| elapsed.saturating_sub(last));
        failing.lasting += gap
            .filter(|gap| *gap <= REFUSING_GAP_MAX)
            .unwrap_or_default();
        failing.last = Some(elapsed);
        FailingChange::For(failing.lasting)
    }
}

/// Whether a person wants whatever waits to be tried at once: it was resumed, or that was asked for.
pub(super) fn is_asked_for(old: &Endpoint, new: &Endpoint) -> bool {
    let is_resumed = old.held.is_some() && new.held.is_none();
    is_resumed || new.manual_retry_seq != old.manual_retry_seq
}
