//! Creates the deliveries of bulk replays, on a thread of its own.
//!
//! It creates them a few hundred ahead of sending. So a large replay floods neither the store nor an
//! endpoint that is unreachable.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::id::ReplayId;
use crate::model::replay::{ReplayRecord, ReplayTransition};
use crate::store::{Listening, REPLAY_BATCH, Store, Woken};
use crate::time::Clock;

use super::rate_limiter::RateLimiter;

/// How often running replays are checked: between two checks no more than a few hundred are sent.
const PERIOD: Duration = Duration::from_millis(20);

/// Longest wait between two checks while no delivery can be created: the wait doubles up to this.
const IDLE_PERIOD: Duration = Duration::from_millis(250);

/// Wait after the store could not be read or written.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Creates the deliveries of replays.
///
/// It can run without a thread: see [`Replayer::step`].
pub struct Replayer {
    store: Store,
    clock: Arc<dyn Clock>,
    signal: Arc<WakeSignal>,
    /// Rate limiters of the replays that have a rate.
    paces: HashMap<ReplayId, RateLimiter>,
    _listening: Listening,
}

/// Result of one check of the running replays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pulse {
    /// No replay is running.
    Asleep,
    /// Replays are running, but no delivery could be created.
    Waiting,
    /// Deliveries were created.
    Making,
}

#[derive(Default)]
struct WakeSignal {
    state: Mutex<SignalState>,
    changed: Condvar,
}

#[derive(Default)]
struct SignalState {
    is_set: bool,
    stop: bool,
}

impl WakeSignal {
    fn lock(&self) -> MutexGuard<'_, SignalState> {
        self.state
            .lock()
            .expect("nobody panics with the signal locked")
    }

    fn set(&self) {
        self.lock().is_set = true;
        self.changed.notify_one();
    }

    /// Waits until the signal is set, or for `wait`; returns true when the thread must stop.
    fn wait(&self, wait: Option<Duration>) -> bool {
        let state = self.lock();
        let mut state = match wait {
            None => self.changed.wait_while(state, |state| !state.is_set),
            Some(wait) => self
                .changed
                .wait_timeout_while(state, wait, |state| !state.is_set)
                .map(|(state, _)| state)
                .map_err(|poisoned| std::sync::PoisonError::new(poisoned.into_inner().0)),
        }
        .expect("nobody panics with the signal locked");
        state.is_set = false;
        state.stop
    }
}

impl Replayer {
    /// Creates a replayer for a store.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Replayer {
        let signal = Arc::new(WakeSignal::default());
        let heard = signal.clone();
        let listening = store.on_wake(move |woken| match woken {
            Woken::Replays | Woken::All => heard.set(),
            Woken::Endpoints(_) => {}
        });
        Replayer {
            store,
            clock,
            signal,
            paces: HashMap::new(),
            _listening: listening,
        }
    }

    /// Creates some deliveries of every running replay.
    ///
    /// # Errors
    /// [`Error::Database`] when the store cannot be read or written.
    pub fn step(&mut self) -> Result<Pulse> {
        // One of several nodes is enough.
        if !self.store.is_first_node() {
            return Ok(Pulse::Waiting);
        }
        let running = self.store.running_replays()?;
        self.paces
            .retain(|id, _| running.iter().any(|replay| replay.id == *id));
        let mut pulse = Pulse::Asleep;
        for replay in &running {
            let made = match self.materialize_batch(replay) {
                Ok(made) => made,
                Err(Error::NotFound(reason)) => {
                    // The endpoint was removed, so the rest of the replay has no receiver.
                    let id = self.store.box_id().replay(replay.id);
                    tracing::warn!(replay = id, reason, "replay.paused");
                    let pause = ReplayTransition::Pause;
                    self.store.move_replay(replay.id, pause, self.clock.now())?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            pulse = pulse.max(if made { Pulse::Making } else { Pulse::Waiting });
        }
        Ok(pulse)
    }

    /// Creates some deliveries of one replay, at most what its rate allows.
    ///
    /// Returns true if there may be more to create.
    fn materialize_batch(&mut self, replay: &ReplayRecord) -> Result<bool> {
        let elapsed = self.clock.elapsed();
        let rate = replay.asked.rate.as_ref();
        let pace = self.paces.entry(replay.id).or_default();
        // Deliveries that still wait count against the rate, so that they do not pile up while the endpoint
        // is unreachable.
        let pending = usize::try_from(replay.ahead).unwrap_or(usize::MAX);
        let room = match rate {
            None => REPLAY_BATCH,
            Some(_) => pace.room(elapsed, pending, rate),
        };
        let step = self
            .store
            .materialize_batch(replay, room, self.clock.now())?;
        for _ in 0..step.made {
            pace.ended(elapsed, rate);
        }
        Ok(step.goes_on)
    }

    /// Starts the replayer on a thread of its own.
    ///
    /// # Errors
    /// [`Error::Io`] when the thread cannot be started.
    pub fn start(self) -> Result<RunningReplayer> {
        let signal = self.signal.clone();
        let thread = std::thread::Builder::new()
            .name("replayer".to_owned())
            .spawn(move || self.work())
            .map_err(|error| Error::io("start the replayer's thread", error))?;
        Ok(RunningReplayer {
            signal,
            thread: Some(thread),
        })
    }

    fn work(mut self) {
        let mut idle = PERIOD;
        loop {
            let wait = match self.step() {
                Ok(Pulse::Making) => {
                    idle = PERIOD;
                    Some(PERIOD)
                }
                Ok(Pulse::Waiting) => {
                    idle = (idle * 2).min(IDLE_PERIOD);
                    Some(idle)
                }
                Ok(Pulse::Asleep) => None,
                Err(error) => {
                    tracing::error!(
                        error = error.chain(),
                        "cannot make a replay's deliveries; trying again"
                    );
                    Some(STORE_RETRY)
                }
            };
            if self.signal.wait(wait) {
                return;
            }
        }
    }
}

/// A running replayer. Dropping it stops it.
pub struct RunningReplayer {
    signal: Arc<WakeSignal>,
    thread: Option<JoinHandle<()>>,
}

impl RunningReplayer {
    /// Stops the replayer. Unfinished replays continue after the next start.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.signal.lock().stop = true;
        self.signal.set();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the replayer's thread panicked");
        }
    }
}

impl Drop for RunningReplayer {
    fn drop(&mut self) {
        self.join();
    }
}
