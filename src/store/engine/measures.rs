//! Measurements since the process began, for `/metrics`.
//!
//! Only what leaves no row is measured here: how long things took. Counts of rows come from the
//! file.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use crate::store::engine::Store;
use crate::time::Clock;

/// Up to five minutes: the longest timeout.
const ATTEMPT_SECONDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 300.0,
];

/// An SD card takes about 20 ms for a commit.
const COMMIT_SECONDS: [f64; 10] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5,
];

const GROUP_JOBS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// The labels of an attempt: its endpoint and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabels {
    /// The endpoint's name.
    pub endpoint: String,
    /// `delivered`, `refused` or `unreachable`.
    pub outcome: &'static str,
}

/// The label for how an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// `delivered`, `refused` or `unreachable`.
    pub outcome: &'static str,
}

/// The measurements.
pub struct Measures {
    /// Attempts made.
    pub attempts: Family<AttemptLabels, Counter>,
    /// How long they took.
    pub attempt_seconds: Family<OutcomeLabel, Histogram>,
    /// How long commits took.
    pub commit_seconds: Histogram,
    /// Jobs in a commit.
    pub group_jobs: Histogram,
    /// The clock that measures commits.
    clock: OnceLock<Arc<dyn Clock>>,
}

impl Measures {
    pub(crate) fn new() -> Measures {
        Measures {
            attempts: Family::default(),
            attempt_seconds: Family::new_with_constructor(|| Histogram::new(ATTEMPT_SECONDS)),
            commit_seconds: Histogram::new(COMMIT_SECONDS),
            group_jobs: Histogram::new(GROUP_JOBS),
            clock: OnceLock::new(),
        }
    }

    /// The time on the commit clock; `None` while commits are not timed.
    pub(crate) fn elapsed(&self) -> Option<Duration> {
        self.clock.get().map(|clock| clock.elapsed())
    }

    pub(crate) fn committed(&self, began: Option<Duration>, jobs: usize) {
        self.group_jobs.observe(jobs as f64);
        if let (Some(began), Some(now)) = (began, self.elapsed()) {
            let took = now.saturating_sub(began);
            self.commit_seconds.observe(took.as_secs_f64());
        }
    }
}

impl Store {
    /// The measurements since the process began.
    #[doc(hidden)]
    pub fn measures(&self) -> &Measures {
        &self.published().measures
    }

    /// Measures the duration of commits with this clock from now on.
    #[doc(hidden)]
    pub fn time_commits(&self, clock: Arc<dyn Clock>) {
        // A second clock is ignored: there is one per process.
        let _ = self.measures().clock.set(clock);
    }
}
