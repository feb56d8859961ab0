//! Makes the deliveries of bulk replays, on a thread of its own: as many as go out, a few hundred
//! ahead, so that neither what comes in nor an endpoint that is away has to bear a flood.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::id::ReplayId;
use crate::model::replay::{ReplayMove, ReplayRecord};
use crate::store::{Listening, REPLAY_BATCH, Store, Woken};
use crate::time::Clock;

use super::rate_limiter::RateLimiter;

/// How often running replays are looked at: between two looks no more than a few hundred go out.
const PERIOD: Duration = Duration::from_millis(20);

/// How often at least, while nothing can be made: the wait doubles up to it.
const IDLE_PERIOD: Duration = Duration::from_millis(250);

/// Wait after the store could not be read or written.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// The maker of replays' deliveries. It can run with no thread at all: [`Replayer::step`].
pub struct Replayer {
    store: Store,
    clock: Arc<dyn Clock>,
    bell: Arc<Bell>,
    /// What was made lately of those with a rate.
    paces: HashMap<ReplayId, RateLimiter>,
    _listening: Listening,
}

/// What a look at the running replays came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pulse {
    /// None runs.
    Asleep,
    /// Some run, and nothing could be made.
    Waiting,
    /// Some were made.
    Making,
}

#[derive(Default)]
struct Bell {
    state: Mutex<Rung>,
    rung: Condvar,
}

#[derive(Default)]
struct Rung {
    is_rung: bool,
    stop: bool,
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.state
            .lock()
            .expect("nobody panics with the bell locked")
    }

    fn ring(&self) {
        self.lock().is_rung = true;
        self.rung.notify_one();
    }

    /// Waits until it is rung, or so long; true when it is time to stop.
    fn wait(&self, wait: Option<Duration>) -> bool {
        let rung = self.lock();
        let mut rung = match wait {
            None => self.rung.wait_while(rung, |rung| !rung.is_rung),
            Some(wait) => self
                .rung
                .wait_timeout_while(rung, wait, |rung| !rung.is_rung)
                .map(|(rung, _)| rung)
                .map_err(|poisoned| std::sync::PoisonError::new(poisoned.into_inner().0)),
        }
        .expect("nobody panics with the bell locked");
        rung.is_rung = false;
        rung.stop
    }
}

impl Replayer {
    /// A maker for a store.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Replayer {
        let bell = Arc::new(Bell::default());
        let heard = bell.clone();
        let listening = store.on_wake(move |woken| match woken {
            Woken::Replays | Woken::All => heard.ring(),
            Woken::Endpoints(_) => {}
        });
        Replayer {
            store,
            clock,
            bell,
            paces: HashMap::new(),
            _listening: listening,
        }
    }

    /// Makes a few deliveries of every running replay.
    ///
    /// # Errors
    /// [`Error::Database`] when the store cannot be read or written.
    pub fn step(&mut self) -> Result<Pulse> {
        let running = self.store.running_replays()?;
        self.paces
            .retain(|id, _| running.iter().any(|replay| replay.id == *id));
        let mut pulse = Pulse::Asleep;
        for replay in &running {
            let made = match self.materialize_batch(replay) {
                Ok(made) => made,
                Err(Error::NotFound(reason)) => {
                    // Its endpoint was removed: there is nobody to send the rest to.
                    let id = self.store.box_id().replay(replay.id);
                    tracing::warn!(replay = id, reason, "replay.paused");
                    let pause = ReplayMove::Pause;
                    self.store.move_replay(replay.id, pause, self.clock.now())?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            pulse = pulse.max(if made { Pulse::Making } else { Pulse::Waiting });
        }
        Ok(pulse)
    }

    /// Makes a few deliveries of one, no more than its rate allows; true when there may be more.
    fn materialize_batch(&mut self, replay: &ReplayRecord) -> Result<bool> {
        let elapsed = self.clock.elapsed();
        let rate = replay.asked.rate.as_ref();
        let pace = self.paces.entry(replay.id).or_default();
        // Those that wait count too: where an endpoint is away they do not pile up.
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

    /// Gives it its thread.
    ///
    /// # Errors
    /// [`Error::Io`] when there is no thread to be had.
    pub fn start(self) -> Result<RunningReplayer> {
        let bell = self.bell.clone();
        let thread = std::thread::Builder::new()
            .name("replayer".to_owned())
            .spawn(move || self.work())
            .map_err(|error| Error::io("start the replayer's thread", error))?;
        Ok(RunningReplayer {
            bell,
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
            if self.bell.wait(wait) {
                return;
            }
        }
    }
}

/// A running maker of replays' deliveries. Dropping it stops it.
pub struct RunningReplayer {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl RunningReplayer {
    /// Stops it; what it is about is gone on with after the next start.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.bell.lock().stop = true;
        self.bell.ring();
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
