//! What stops an endpoint's lane from sending.
//!
//! That is a hold, the send window, the rate limit, the concurrency limit, throttling or an outage.
//!
//! It knows nothing of deliveries. The endpoint's settings are passed as an argument.

use std::time::Duration;

use crate::model::attempt::Decision;
use crate::model::delivery::Transition;
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

/// The shortest time a restart of the process can take.
const RESTART: Duration = Duration::from_secs(2);

/// Backoff after a throttling response without a wait time: the first pause, and the longest.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
const BUSY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// Longest gap between two failures that still counts as failing time: a little more than the longest step
/// of the default retry schedule. In a longer gap the endpoint was not asked.
const FAILING_GAP_MAX: Duration = Duration::from_secs(30 * 3_600);

/// How long every request to an endpoint has been refused: the sum of the gaps between the failures.
#[derive(Debug, Clone, Copy, Default)]
struct FailingFor {
    lasting: Duration,
    /// Time of the last failure, if the endpoint has neither succeeded nor been unreachable since.
    last: Option<Duration>,
}

#[derive(Debug)]
pub(in crate::outbound) struct SendLimits {
    pub(in crate::outbound) circuit: Circuit,
    flow: ConcurrencyLimiter,
    pace: RateLimiter,
    /// The last computed state of the send window, and when it was computed.
    opening: Option<(Timestamp, Opening)>,
    /// Set while every request is refused.
    failing: Option<FailingFor>,
    /// Number of requests on the wire.
    on_wire: usize,
    /// Number of throttling responses in a row.
    consecutive_throttles: u32,
    /// Number of responses that hold the endpoint and are not on disk yet.
    holds: usize,
}

impl SendLimits {
    pub(super) fn new(circuit: Circuit, pace: RateLimiter) -> SendLimits {
        SendLimits {
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

    /// Returns how many requests are on the wire.
    pub(in crate::outbound) fn on_wire(&self) -> usize {
        self.on_wire
    }

    /// Counts a request that goes out.
    pub(super) fn put_on_wire(&mut self) {
        self.on_wire += 1;
    }

    /// Counts a request that has ended: it got a response, broke off, or was never made.
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
        let room = self.pace.room(elapsed, self.on_wire, endpoint.set.rate());
        self.on_wire < allowed && room > 0
    }

    /// Returns the time until another request may go out, if there is something to send after `work`.
    ///
    /// `None` when only a response or a changed setting can allow it.
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
        let work = work.max(self.pace.wait(elapsed, self.on_wire, endpoint.set.rate())?);
        match self.circuit.probe_at() {
            None => Some(work),
            Some(_) if self.on_wire > 0 => None,
            Some(probe_at) => Some(work.max(probe_at.saturating_sub(elapsed))),
        }
    }

    /// Whether the next request is a probe of an unreachable endpoint.
    pub(super) fn is_probing(&self) -> bool {
        self.circuit.probe_at().is_some()
    }

    /// Records a request that reached the endpoint: it counts against the rate limit.
    ///
    /// If the endpoint answered with throttling, sending pauses. Each further throttling response in a row
    /// doubles the pause, up to a limit; a message that is judged otherwise resets the count.
    pub(in crate::outbound) fn record_request(
        &mut self,
        elapsed: Duration,
        endpoint: &Endpoint,
        decision: &Decision,
    ) {
        self.pace.ended(elapsed, endpoint.set.rate());
        let is_paused = !self.pace.pause_left(elapsed).is_zero();
        match decision.change {
            // A request that is taken apart.
            _ if decision.splits => {}
            Transition::Postpone => {
                self.consecutive_throttles = self.consecutive_throttles.saturating_add(1)
            }
            // Throttling responses to requests that were on the wire together count once.
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

    /// Returns the rate-limit state to keep for the next process; `None` if nothing limits the endpoint.
    pub(in crate::outbound) fn recent_pace(
        &self,
        endpoint: &Endpoint,
        now: Timestamp,
        elapsed: Duration,
    ) -> Option<RecentPace> {
        let rate = endpoint.set.rate();
        let wait = self.pace.wait(elapsed, self.on_wire, rate);
        if rate.is_none() && wait == Some(Duration::ZERO) {
            return None;
        }
        // A limit with a span shorter than a restart is over before the next process sends, so it is not
        // kept.
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

    /// Blocks the lane: the endpoint is to be held, and nothing is sent while that is being written.
    pub(in crate::outbound) fn hold(&mut self) {
        self.holds += 1;
    }

    /// Ends that block: the hold was written, or could not be.
    pub(in crate::outbound) fn hold_written(&mut self) {
        self.holds = self.holds.saturating_sub(1);
    }

    fn is_held(&self, endpoint: &Endpoint) -> bool {
        self.holds > 0 || endpoint.held.is_some()
    }

    /// Closes the circuit: the endpoint was reached.
    ///
    /// `took` is the response time of a successful request. Call this before [`SendLimits::off_wire`].
    pub(in crate::outbound) fn reached(&mut self, endpoint: &Endpoint, took: Option<Duration>) {
        if self.is_probing() {
            self.flow.restart();
        }
        self.circuit.reached();
        match took {
            Some(took) => {
                let concurrency = endpoint.set.concurrency() as usize;
                self.flow.succeeded(took, self.on_wire, concurrency);
            }
            None => self.flow.refused(),
        }
    }

    /// Returns how many requests the concurrency limit allows on the wire.
    fn window(&self, endpoint: &Endpoint) -> usize {
        self.flow.window(endpoint.set.concurrency() as usize)
    }

    /// Returns the state of the endpoint's send window at this moment.
    fn opening(&mut self, endpoint: &Endpoint, wall: Timestamp) -> Opening {
        let Some(window) = &endpoint.set.window else {
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

    /// Applies a changed endpoint.
    ///
    /// An endpoint with a new URL is probed there at once. An endpoint that a person asked to retry is
    /// tried at once.
    pub(super) fn replaced(&mut self, old: &Endpoint, new: &Endpoint) {
        let has_moved = new.set.url != old.set.url;
        let is_resumed = old.held.is_some() && new.held.is_none();
        let is_manual_retry = is_asked_for(old, new);
        let connects_otherwise = new.set.connection != old.set.connection
            || new.set.probe_max != old.set.probe_max
            || new.set.timeout != old.set.timeout;
        if self.is_probing() && (has_moved || is_manual_retry || connects_otherwise) {
            self.circuit = Circuit::reopened();
        }
        if is_manual_retry {
            self.pace.clear_pause();
        }
        if has_moved {
            self.pace = RateLimiter::default();
        }
        if has_moved || is_manual_retry {
            self.consecutive_throttles = 0;
        }
        if has_moved || is_resumed {
            self.failing = None;
        }
        if new.set.window != old.set.window {
            self.opening = None;
        }
    }

    /// Restores from the store how long every request to the endpoint has been refused.
    pub(in crate::outbound) fn restore_failing_for(&mut self, lasting: Duration) {
        self.failing = Some(FailingFor {
            lasting,
            last: None,
        });
    }

    /// Records that the endpoint was unreachable: the gap until it is back does not count as failing time.
    pub(in crate::outbound) fn record_unreachable(&mut self) {
        if let Some(failing) = &mut self.failing {
            failing.last = None;
        }
    }

    /// Records a success or a failure.
    ///
    /// Returns whether that changed anything, and for how long every request has been refused.
    pub(in crate::outbound) fn record_outcome(
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
            .filter(|gap| *gap <= FAILING_GAP_MAX)
            .unwrap_or_default();
        failing.last = Some(elapsed);
        FailingChange::For(failing.lasting)
    }
}

/// Whether a person asked to try the waiting deliveries at once: by a resume, or by a manual retry.
pub(super) fn is_asked_for(old: &Endpoint, new: &Endpoint) -> bool {
    let is_resumed = old.held.is_some() && new.held.is_none();
    is_resumed || new.manual_retry_seq != old.manual_retry_seq
}
