//! The circuit of an endpoint: open while the endpoint cannot be reached. Pure.
//!
//! While the circuit is open, one probe at a time is sent instead of all deliveries. So being offline costs
//! nothing and spends no tries. Times are on the monotonic clock.

use std::time::Duration;

/// Wait before the first probe after an endpoint became unreachable.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);

/// Largest share by which a wait is shortened at random, so that many endpoints on one uplink are not all
/// probed at once.
const JITTER: f64 = 0.20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Circuit {
    /// The endpoint was reached, or was never tried.
    #[default]
    Closed,
    /// The endpoint could not be reached.
    Open {
        /// Time of the next probe.
        probe_at: Duration,
        /// The wait before that probe, without jitter.
        backoff: Duration,
    },
}

impl Circuit {
    /// A circuit that was already open when the process started: its first probe is due at once.
    pub(super) fn reopened() -> Circuit {
        Circuit::Open {
            probe_at: Duration::ZERO,
            backoff: BACKOFF_FIRST,
        }
    }

    /// Returns how many requests may be on the wire now, at most `concurrency`.
    pub(super) fn allowed(&self, now: Duration, concurrency: usize) -> usize {
        match self {
            Circuit::Closed => concurrency,
            Circuit::Open { probe_at, .. } if *probe_at <= now => 1,
            Circuit::Open { .. } => 0,
        }
    }

    /// Returns the time of the next probe, while the circuit is open.
    pub(super) fn probe_at(&self) -> Option<Duration> {
        match self {
            Circuit::Closed => None,
            Circuit::Open { probe_at, .. } => Some(*probe_at),
        }
    }

    /// Closes the circuit: a response came.
    pub(super) fn reached(&mut self) {
        *self = Circuit::Closed;
    }

    /// Opens the circuit, or keeps it open: the endpoint could not be reached.
    ///
    /// `chance` is a random number from 0 to 1. Requests that fail at the same time count once: only a
    /// probe that was due doubles the wait, up to `longest`.
    pub(super) fn unreachable(&mut self, now: Duration, chance: f64, longest: Duration) {
        let backoff = match self {
            Circuit::Closed => BACKOFF_FIRST.min(longest),
            Circuit::Open { probe_at, .. } if *probe_at > now => return,
            Circuit::Open { backoff, .. } => (*backoff * 2).min(longest),
        };
        let wait = backoff.mul_f64(1.0 - JITTER * chance.clamp(0.0, 1.0));
        *self = Circuit::Open {
            probe_at: now + wait,
            backoff,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::PROBE_MAX_DEFAULT;

    #[test]
    fn probes_back_off_from_one_second_to_a_minute_and_an_answer_closes_it() {
        let mut circuit = Circuit::default();
        let mut now = Duration::from_secs(100);
        assert_eq!(circuit.allowed(now, 4), 4);
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            circuit.unreachable(now, 0.0, PROBE_MAX_DEFAULT);
            let probe_at = circuit.probe_at().unwrap();
            assert_eq!(probe_at - now, Duration::from_secs(expected));
            assert_eq!(circuit.allowed(probe_at - Duration::from_millis(1), 4), 0);
            assert_eq!(circuit.allowed(probe_at, 4), 1);
            now = probe_at;
        }
        circuit.reached();
        assert_eq!(circuit.allowed(now, 4), 4);
    }

    #[test]
    fn requests_that_fail_together_count_once() {
        let mut circuit = Circuit::default();
        let now = Duration::from_secs(5);
        circuit.unreachable(now, 0.0, PROBE_MAX_DEFAULT);
        let first = circuit;
        circuit.unreachable(now, 0.9, PROBE_MAX_DEFAULT);
        assert_eq!(circuit, first);
    }
}
