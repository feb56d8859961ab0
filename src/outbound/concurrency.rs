//! Finds how many concurrent requests an endpoint can take. Pure.
//!
//! The window starts at one request and grows by one with every success, so it doubles with every round of
//! responses (slow start). It starts at one again after an outage: otherwise the whole backlog would hit a
//! receiver that has just come up. After the start the window follows the response time. While the response
//! time is steady, there is room for one more request. When the response time rises above the average, more
//! requests only wait in a queue at the receiver (or on this machine), so the window shrinks. The endpoint's
//! `concurrency` is the upper limit.
//!
//! The algorithm is that of Netflix's concurrency-limits (`Gradient2`): the window shrinks by the ratio of
//! the average response time to the last one, and grows by a fixed room for a queue. Only successes change
//! the average: a proxy that answers 502 while its receiver restarts does so at once. A refused attempt
//! makes the window a little smaller.

use std::time::Duration;

/// How many times the average a response may take before the window shrinks.
const TOLERANCE: f64 = 2.0;

/// The smallest factor that one slow response applies to the window, before smoothing.
const GRADIENT_MIN: f64 = 0.5;

/// Requests that may wait in a queue at the receiver: the window grows by this number.
const QUEUE: f64 = 1.0;

/// Weight of one response in the window.
const SMOOTHING: f64 = 0.2;

/// Number of responses in the long average, and in the first one.
const MEMORY: f64 = 600.0;
const FIRST_FEW: f64 = 4.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ConcurrencyLimiter {
    window: f64,
    /// The window doubles each round until the first slow response or refused attempt.
    is_starting: bool,
    /// Average response time of a success, in seconds, and the number of successes.
    average: f64,
    answers: f64,
}

impl ConcurrencyLimiter {
    pub(super) fn new() -> ConcurrencyLimiter {
        ConcurrencyLimiter {
            window: 1.0,
            is_starting: true,
            average: 0.0,
            answers: 0.0,
        }
    }

    /// Returns how many requests may be on the wire, at most `concurrency`.
    pub(super) fn window(&self, concurrency: usize) -> usize {
        (self.window as usize).clamp(1, concurrency)
    }

    /// Starts again with one request: the endpoint was unreachable.
    pub(super) fn restart(&mut self) {
        *self = ConcurrencyLimiter::new();
    }

    /// Records that an attempt was refused, or timed out.
    pub(super) fn refused(&mut self) {
        self.is_starting = false;
        self.window = (self.window * (1.0 - SMOOTHING * (1.0 - GRADIENT_MIN))).max(1.0);
    }

    /// Records a success: its response time, and how many requests were on the wire.
    pub(super) fn succeeded(&mut self, took: Duration, on_wire: usize, concurrency: usize) {
        let took = took.as_secs_f64().max(f64::MIN_POSITIVE);
        self.answers += 1.0;
        // The first few responses set the average. After that it changes slowly: otherwise a queue that
        // builds up at the receiver would soon count as average.
        let memory = if self.answers <= FIRST_FEW {
            self.answers
        } else {
            MEMORY
        };
        self.average += (took - self.average) / memory;
        let average = self.average;
        let gradient = (TOLERANCE * average / took).clamp(GRADIENT_MIN, 1.0);
        if gradient < 1.0 {
            self.is_starting = false;
        }
        // With fewer requests than the window allows, the response time does not show whether more would
        // fit.
        if 2 * on_wire < self.window(concurrency) {
            return;
        }
        if self.is_starting {
            self.window += 1.0;
        } else {
            let wished = self.window * gradient + QUEUE;
            self.window += SMOOTHING * (wished - self.window);
        }
        self.window = self.window.clamp(1.0, concurrency as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Simulates a receiver that works on `capacity` requests at a time, each for 10 ms; the others wait.
    /// Responses come one by one, and the window is always full.
    fn settle(
        flow: &mut ConcurrencyLimiter,
        capacity: usize,
        concurrency: usize,
        answers: usize,
    ) -> usize {
        for _ in 0..answers {
            let on_wire = flow.window(concurrency);
            let queued = on_wire.div_ceil(capacity) as u32;
            flow.succeeded(10 * MS * queued, on_wire, concurrency);
        }
        flow.window(concurrency)
    }

    #[test]
    fn it_begins_with_one_and_doubles_with_every_round() {
        let mut flow = ConcurrencyLimiter::new();
        let mut windows = Vec::new();
        for _ in 0..5 {
            let window = flow.window(16);
            windows.push(window);
            for _ in 0..window {
                flow.succeeded(10 * MS, window, 16);
            }
        }
        assert_eq!(windows, [1, 2, 4, 8, 16]);
        flow.restart();
        assert_eq!(flow.window(16), 1);
    }

    #[test]
    fn a_receiver_that_keeps_up_gets_all_that_the_endpoint_allows() {
        assert_eq!(settle(&mut ConcurrencyLimiter::new(), 100, 64, 1_000), 64);
        assert_eq!(settle(&mut ConcurrencyLimiter::new(), 100, 1, 1_000), 1);
    }

    #[test]
    fn a_receiver_that_queues_gets_about_what_it_can_use() {
        let window = settle(&mut ConcurrencyLimiter::new(), 4, 64, 300);
        assert!((4..=16).contains(&window), "{window}");
    }

    #[test]
    fn when_answers_get_slower_there_are_fewer_and_then_more_again() {
        let mut flow = ConcurrencyLimiter::new();
        assert_eq!(settle(&mut flow, 100, 16, 1_000), 16);
        for _ in 0..20 {
            flow.succeeded(200 * MS, flow.window(16), 16);
        }
        let slowed = flow.window(16);
        assert!(slowed <= 4, "{slowed}");
        assert_eq!(settle(&mut flow, 100, 16, 300), 16);
    }

    #[test]
    fn one_slow_answer_among_many_changes_little() {
        let mut flow = ConcurrencyLimiter::new();
        settle(&mut flow, 100, 16, 1_000);
        flow.succeeded(10_000 * MS, 16, 16);
        assert!(flow.window(16) >= 14, "{}", flow.window(16));
    }

    #[test]
    fn refusals_make_it_smaller_and_teach_nothing_of_what_is_usual() {
        let mut flow = ConcurrencyLimiter::new();
        assert_eq!(settle(&mut flow, 100, 16, 1_000), 16);
        let average = flow.average;
        for _ in 0..100 {
            flow.refused();
        }
        assert_eq!((flow.window(16), flow.average), (1, average));
        assert_eq!(settle(&mut flow, 100, 16, 100), 16);
    }

    #[test]
    fn a_receiver_with_quick_and_slow_answers_gets_all_that_is_allowed() {
        let mut flow = ConcurrencyLimiter::new();
        for round in 0..2_000 {
            let took = if round % 2 == 0 { 5 * MS } else { 100 * MS };
            flow.succeeded(took, flow.window(16), 16);
        }
        assert_eq!(flow.window(16), 16);
    }

    #[test]
    fn a_quiet_endpoint_learns_nothing_about_more() {
        let mut flow = ConcurrencyLimiter::new();
        settle(&mut flow, 100, 16, 3);
        let window = flow.window(16);
        for _ in 0..1_000 {
            flow.succeeded(MS, 1, 16);
        }
        assert_eq!(flow.window(16), window);
    }
}
