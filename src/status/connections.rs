//! Limits the gate's connections, and closes one if there is no room.
//!
//! A request in progress is never closed. If all places are taken, a connection is closed whose request is
//! not complete or whose response is not read: first the oldest one from another machine, then the oldest
//! one from this machine.

use std::collections::BTreeMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Connections at a time; each has a thread, since people look at pages, not programs.
///
/// Some of the places are only for this machine.
const PLACES: usize = 40;
const PLACES_OF_STRANGERS: usize = 32;

/// More places, only for health checks.
const PLACES_FOR_HEALTH: usize = 8;

/// How long a connection may be silent before it can be closed to make room.
const GRACE: Duration = Duration::from_millis(100);

/// The connections' lock is never held by a thread that panics.
const NO_PANIC: &str = "nobody panics with the connections locked";

/// All open connections.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// By number, the oldest first.
    present: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    /// Used to close the connection from another thread.
    stream: Arc<TcpStream>,
    is_stranger: bool,
    is_worked_on: bool,
    came: Duration,
}

impl Connections {
    /// Returns how long a new connection must wait, so that the earlier ones have had their grace.
    pub(super) fn wait(&self, peer: IpAddr, now: Duration) -> Duration {
        let state = self.lock();
        let oldest = match state.is_full_for(is_stranger(peer)) {
            true => state.oldest(true).or_else(|| state.oldest(false)),
            false => None,
        };
        let came = oldest.and_then(|number| Some(state.present.get(&number)?.came));
        came.map_or(Duration::ZERO, |came| {
            GRACE.saturating_sub(now.saturating_sub(came))
        })
    }

    /// Gives a connection a place; `None` if all places, those for health checks too, are taken by requests
    /// in progress.
    pub(super) fn enter(
        self: &Arc<Connections>,
        stream: Arc<TcpStream>,
        peer: IpAddr,
        now: Duration,
    ) -> Option<Place> {
        let is_stranger = is_stranger(peer);
        let mut state = self.lock();
        if state.is_full_for(is_stranger) {
            let of_strangers = state.oldest(true);
            let own = || {
                state
                    .oldest(false)
                    .filter(|_| !is_stranger || state.present.len() >= PLACES)
            };
            if let Some(oldest) = of_strangers.or_else(own) {
                state.close(oldest);
            }
        }
        let is_full = state.is_full_for(is_stranger);
        if state.present.len() >= PLACES + PLACES_FOR_HEALTH {
            return None;
        }
        let number = state.next;
        state.next += 1;
        let connection = Connection {
            stream,
            is_stranger,
            is_worked_on: false,
            came: now,
        };
        state.present.insert(number, connection);
        Some(Place {
            connections: self.clone(),
            number,
            is_for_health: is_full,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect(NO_PANIC)
    }
}

impl State {
    fn strangers(&self) -> usize {
        let present = self.present.values();
        present.filter(|connection| connection.is_stranger).count()
    }

    fn is_full_for(&self, is_stranger: bool) -> bool {
        self.present.len() >= PLACES || (is_stranger && self.strangers() >= PLACES_OF_STRANGERS)
    }

    /// Returns the oldest connection of this kind without a request in progress.
    fn oldest(&self, is_stranger: bool) -> Option<u64> {
        let mut present = self.present.iter();
        let oldest = present.find(|(_, connection)| {
            connection.is_stranger == is_stranger && !connection.is_worked_on
        });
        oldest.map(|(number, _)| *number)
    }

    /// Closes a connection: its thread's next read or write fails, and the thread ends.
    fn close(&mut self, number: u64) {
        if let Some(connection) = self.present.remove(&number) {
            let _ = connection.stream.shutdown(Shutdown::Both);
        }
    }
}

fn is_stranger(peer: IpAddr) -> bool {
    !peer.to_canonical().is_loopback()
}

/// A connection's place; it is released when dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    number: u64,
    is_for_health: bool,
}

impl Place {
    /// Whether the place is one of those only for health checks.
    pub(super) fn is_for_health(&self) -> bool {
        self.is_for_health
    }

    /// Sets whether the request is in progress.
    pub(super) fn works(&self, is_worked_on: bool) {
        if let Some(connection) = self.connections.lock().present.get_mut(&self.number) {
            connection.is_worked_on = is_worked_on;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().present.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Makes a connection; returns both ends.
    fn connection() -> (Arc<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Arc::new(listener.accept().unwrap().0), far)
    }

    fn is_there(place: &Place) -> bool {
        place.connections.lock().present.contains_key(&place.number)
    }

    #[test]
    fn the_oldest_that_is_not_worked_on_goes_and_this_machine_has_places_of_its_own() {
        let connections = Arc::new(Connections::default());
        let (stream, _far) = connection();
        let enter =
            |peer: &str| connections.enter(stream.clone(), peer.parse().unwrap(), Duration::ZERO);
        let strangers: Vec<Place> = (0..100).map(|_| enter("192.0.2.1").unwrap()).collect();
        let held = strangers.iter().filter(|place| is_there(place)).count();
        assert_eq!(held, PLACES_OF_STRANGERS);
        let own: Vec<Place> = (0..8).map(|_| enter("127.0.0.1").unwrap()).collect();
        assert!(strangers[99].connections.lock().strangers() == PLACES_OF_STRANGERS);
        // Now every connection has a request in progress.
        for place in strangers.iter().chain(&own) {
            place.works(true);
        }
        let health: Vec<Place> = (0..PLACES_FOR_HEALTH)
            .map(|_| {
                let place = enter("127.0.0.1").unwrap();
                place.works(true);
                place
            })
            .collect();
        assert!(
            health
                .iter()
                .all(|place| place.is_for_health() && is_there(place))
        );
        assert!(!own[0].is_for_health());
        assert!(enter("127.0.0.1").is_none());
        // A connection from another machine is closed before one from this machine.
        own[0].works(false);
        strangers[99].works(false);
        drop(health);
        let wait = |now| connections.wait("127.0.0.1".parse().unwrap(), now);
        assert_eq!((wait(Duration::ZERO), wait(GRACE)), (GRACE, Duration::ZERO));
        let last = enter("127.0.0.1").unwrap();
        assert!(is_there(&own[0]) && !is_there(&strangers[99]) && !last.is_for_health());
    }
}
