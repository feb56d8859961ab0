//! Keeps the file within the set age and size, on a thread of its own.
//!
//! It takes at most a tenth of the writer's time, so that incoming events hardly wait.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::worker::{Stop, Worker};
use crate::error::Result;
use crate::store::{Retention, Store};
use crate::time::Clock;

/// How often the size is checked, and how often ages are.
const PERIOD: Duration = Duration::from_secs(10);
const AGES_PERIOD: Duration = Duration::from_secs(300);

/// How many times longer than a piece of work the pause after it is.
const REST_SHARE: u32 = 10;
const REST_MIN: Duration = Duration::from_millis(5);
const REST_MAX: Duration = Duration::from_millis(500);

pub(super) fn start(store: Store, clock: Arc<dyn Clock>, retention: Retention) -> Result<Worker> {
    Worker::start("retention_worker", move |stop| {
        Work {
            store,
            clock,
            retention,
            stop,
            since: Cell::default(),
        }
        .run();
    })
}

struct Work {
    store: Store,
    clock: Arc<dyn Clock>,
    retention: Retention,
    stop: Stop,
    /// Start of the current piece of work.
    since: Cell<Duration>,
}

impl Work {
    fn run(&self) {
        let mut ages_at = Duration::ZERO;
        loop {
            let now = self.clock.elapsed();
            let is_time = now >= ages_at;
            if is_time {
                ages_at = now + AGES_PERIOD;
            }
            if let Err(error) = self.round(is_time) {
                tracing::warn!(error = error.chain(), "store.cannot_prune");
            }
            if self.stop.rest(PERIOD) {
                return;
            }
        }
    }

    fn round(&self, ages: bool) -> Result<()> {
        // One of several nodes is enough.
        if !self.store.is_first_node() {
            return Ok(());
        }
        let now = self.clock.now();
        self.since.set(self.clock.elapsed());
        let mut events = 0;
        if ages {
            let pruned = self
                .store
                .remove_aged(&self.retention, now, |_| self.goes_on())?;
            events += u64::try_from(pruned.events).unwrap_or(0);
        }
        events += self
            .store
            .remove_oldest(&self.retention, now, |_| self.goes_on())?;
        while self.goes_on() && self.store.give_back(false)? {}
        if events > 0 {
            tracing::info!(events, "store.pruned");
        }
        Ok(())
    }

    /// Pauses in proportion to the work before; returns false when the thread must stop.
    fn goes_on(&self) -> bool {
        let took = self.clock.elapsed().saturating_sub(self.since.get());
        let is_over = self
            .stop
            .rest((took * REST_SHARE).clamp(REST_MIN, REST_MAX));
        self.since.set(self.clock.elapsed());
        !is_over
    }
}
