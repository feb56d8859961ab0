//! Limits connections and body memory, and closes connections to make room.
//!
//! A complete request always gets its response. When there is no room, a connection without a complete
//! request is closed: the oldest one of the address that uses the most. So a stranger who opens thousands
//! of connections, or holds back the last byte of hundreds of bodies, takes room from nobody else.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::{Mutex as Mutual, Notify};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::time::Clock;

/// One address's share of the connections: an eighth, and at least `SHARE_MIN`.
const SHARES: usize = 8;
const SHARE_MIN: usize = 8;

/// How long a connection may be silent before it can be closed to make room: longest and shortest.
///
/// An honest sender's request comes with its connection or directly after it, and is seen as soon as this
/// thread reads from the connection.
const GRACE_MAX: Duration = Duration::from_millis(100);
pub(super) const GRACE_MIN: Duration = Duration::from_millis(25);

/// A body larger than `SMALL_BYTES` takes memory from others only after they have had `BODY_GRACE`.
/// Otherwise hundreds of large bodies would only close each other and come again.
const SMALL_BYTES: usize = 64 * 1024;
const BODY_GRACE: Duration = Duration::from_millis(250);

/// Connections accepted in a second when thousands want to connect: as many as this thread has time for.
/// The grace is computed from it.
const ENTRIES_A_SECOND: usize = 10_000;

/// The limiter's lock is never held by a thread that panics.
const NO_PANIC: &str = "nobody panics with the limiter locked";

/// The limits.
#[derive(Debug, Clone)]
pub(super) struct Room {
    /// Connections at a time.
    pub(super) connections: usize,
    /// Bytes of bodies in memory at a time.
    pub(super) bytes: usize,
    /// Addresses that stand for many clients (proxies): they are not limited to one address's share.
    pub(super) trusted: Vec<IpNet>,
}

/// All open connections.
pub(super) struct ConnectionLimiter {
    room: Room,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Notifies when a connection or memory was released.
    freed: Notify,
    /// Large bodies wait for memory in this queue, one after the other. Otherwise hundreds of them would
    /// try whenever some memory is released.
    queue: Mutual<()>,
}

#[derive(Debug, Default)]
struct State {
    slots: HashMap<u64, SlotState>,
    addresses: HashMap<Address, Held>,
    bytes: usize,
    /// Next number, for connections and for the order in which they began to wait. Later ones are greater.
    next: u64,
}

/// The address that a connection counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Address {
    /// This machine, or a proxy: many clients with one address.
    Trusted,
    One(IpAddr),
}

/// What the connections of one address use.
#[derive(Debug, Default)]
struct Held {
    connections: usize,
    bytes: usize,
    /// Connections without a complete request: since when, and which.
    waiting: BTreeSet<(u64, u64)>,
}

#[derive(Debug)]
struct SlotState {
    address: Address,
    bytes: usize,
    /// Since when the connection has no complete request, as a number; `None` while a request is being
    /// answered.
    waits_since: Option<u64>,
    /// The same as a time.
    waits_from: Duration,
    task: Option<AbortHandle>,
}

impl fmt::Debug for ConnectionLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionLimiter").finish_non_exhaustive()
    }
}

impl ConnectionLimiter {
    pub(super) fn new(room: Room, clock: Arc<dyn Clock>) -> Arc<ConnectionLimiter> {
        Arc::new(ConnectionLimiter {
            room,
            clock,
            state: Mutex::default(),
            freed: Notify::new(),
            queue: Mutual::new(()),
        })
    }

    /// Waits until one more connection can be accepted.
    ///
    /// That takes time only while every open connection is being answered or is new.
    pub(super) async fn has_room(&self) {
        loop {
            let freed = self.freed.notified();
            match self.wait() {
                Some(wait) if wait.is_zero() => return,
                Some(wait) => drop(timeout(wait, freed).await),
                None => freed.await,
            }
        }
    }

    /// Returns the time until one more connection can be accepted; `None` if only a response can make room.
    fn wait(&self) -> Option<Duration> {
        let state = self.lock();
        if state.slots.len() < self.room.connections {
            return Some(Duration::ZERO);
        }
        let to_close = state.to_close(None)?;
        Some(state.left_of(self.grace(), to_close, self.clock.elapsed()))
    }

    /// Waits until no connection is open.
    pub(super) async fn is_gone(&self) {
        loop {
            let freed = self.freed.notified();
            if self.lock().slots.is_empty() {
                return;
            }
            freed.await;
        }
    }

    /// Accepts a connection; `None` if all connections of its address are new or are being answered.
    pub(super) fn enter(self: &Arc<ConnectionLimiter>, peer: IpAddr) -> Option<ConnectionSlot> {
        let (address, now) = (self.address(peer), self.clock.elapsed());
        let mut state = self.lock();
        let share = (self.room.connections / SHARES).max(SHARE_MIN);
        let own = state
            .addresses
            .get(&address)
            .map_or(0, |held| held.connections);
        if matches!(address, Address::One(_)) && own >= share {
            let (_, oldest) = state.oldest_of(address, None)?;
            if !state.left_of(self.grace(), oldest, now).is_zero() {
                return None;
            }
            state.close(oldest);
        }
        if state.slots.len() >= self.room.connections {
            let to_close = state.to_close(None)?;
            state.close(to_close);
        }
        let (id, since) = (state.next, state.next + 1);
        state.next += 2;
        let held = state.addresses.entry(address).or_default();
        held.connections += 1;
        held.waiting.insert((since, id));
        let taken = SlotState {
            address,
            bytes: 0,
            waits_since: Some(since),
            waits_from: now,
            task: None,
        };
        state.slots.insert(id, taken);
        Some(ConnectionSlot {
            limiter: self.clone(),
            id,
        })
    }

    /// Returns the grace of a new connection: with fewer places it is shorter.
    fn grace(&self) -> Duration {
        let of_all =
            Duration::from_secs(1) * self.room.connections as u32 / ENTRIES_A_SECOND as u32;
        of_all.clamp(GRACE_MIN, GRACE_MAX)
    }

    /// Returns how many connections are accepted before the open ones get a turn.
    ///
    /// It is an eighth of the limit; that many file descriptors are kept in reserve.
    pub(super) fn batch(&self) -> usize {
        (self.room.connections / SHARES).max(1)
    }

    /// Closes the connection that must make room; returns false if there is none.
    pub(super) fn make_room(&self) -> bool {
        let mut state = self.lock();
        let to_close = state.to_close(None);
        to_close
            .into_iter()
            .for_each(|to_close| state.close(to_close));
        to_close.is_some()
    }

    fn address(&self, peer: IpAddr) -> Address {
        let peer = peer.to_canonical();
        if peer.is_loopback() || self.room.trusted.iter().any(|net| net.contains(&peer)) {
            return Address::Trusted;
        }
        match peer {
            IpAddr::V4(_) => Address::One(peer),
            // One household has a whole /64 network of IPv6 addresses.
            IpAddr::V6(whole) => {
                let network = whole.to_bits() >> 64 << 64;
                Address::One(Ipv6Addr::from_bits(network).into())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(NO_PANIC)
    }
}

impl State {
    /// Returns the connection that must be closed, to make room for a connection or for the bytes of one.
    ///
    /// It is the oldest one of the address that uses most of what is short. Addresses of others come before
    /// trusted ones.
    fn to_close(&self, bytes_for: Option<u64>) -> Option<u64> {
        let of_most = |(address, held): (&Address, &Held)| {
            let (since, oldest) = self.oldest_of(*address, bytes_for)?;
            let holds = match bytes_for {
                // Addresses with few connections count the same. Otherwise an address with two connections
                // would be closed before a thousand addresses with one.
                None => held.connections.max(SHARE_MIN),
                Some(_) => held.bytes,
            };
            let is_stranger = *address != Address::Trusted;
            (holds > 0).then_some((is_stranger, holds, Reverse(since), oldest))
        };
        let most = self.addresses.iter().filter_map(of_most).max();
        most.map(|(.., oldest)| oldest)
    }

    /// Returns the oldest connection of an address without a complete request, and since when it waits.
    ///
    /// If bytes are short (`bytes_for` is set), only other connections that hold bytes count.
    fn oldest_of(&self, address: Address, bytes_for: Option<u64>) -> Option<(u64, u64)> {
        let mut waiting = self.addresses.get(&address)?.waiting.iter();
        let found = waiting.find(|(_, id)| match bytes_for {
            Some(other) => *id != other && self.slots.get(id).is_some_and(|slot| slot.bytes > 0),
            None => true,
        });
        found.copied()
    }

    /// Returns how much of its grace a connection has left.
    fn left_of(&self, grace: Duration, id: u64, now: Duration) -> Duration {
        let from = self
            .slots
            .get(&id)
            .map_or(Duration::ZERO, |taken| taken.waits_from);
        grace.saturating_sub(now.saturating_sub(from))
    }

    /// Closes a connection: aborting its task drops the socket.
    fn close(&mut self, id: u64) {
        if let Some(task) = self.leave(id).and_then(|taken| taken.task) {
            task.abort();
        }
    }

    fn leave(&mut self, id: u64) -> Option<SlotState> {
        let taken = self.slots.remove(&id)?;
        self.bytes -= taken.bytes;
        if let Some(held) = self.addresses.get_mut(&taken.address) {
            held.connections -= 1;
            held.bytes -= taken.bytes;
            if let Some(since) = taken.waits_since {
                held.waiting.remove(&(since, id));
            }
            if held.connections == 0 {
                self.addresses.remove(&taken.address);
            }
        }
        Some(taken)
    }
}

/// A connection's place; it is released when dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    limiter: Arc<ConnectionLimiter>,
    id: u64,
}

impl ConnectionSlot {
    /// Sets the task that is aborted when this connection must be closed.
    pub(super) fn sits(&self, task: AbortHandle) {
        match self.limiter.lock().slots.get_mut(&self.id) {
            Some(taken) => taken.task = Some(task),
            None => task.abort(),
        }
    }

    /// Waits until the body may use this many bytes in all, and reserves them.
    ///
    /// It is called as bytes arrive: a sender that declares a large body and sends nothing uses no memory.
    pub(super) async fn hold(&self, bytes: usize) {
        if self.can_hold(bytes) {
            return;
        }
        let _turn = match bytes <= SMALL_BYTES {
            true => None,
            false => Some(self.limiter.queue.lock().await),
        };
        loop {
            let freed = self.limiter.freed.notified();
            if self.can_hold(bytes) {
                return;
            }
            // All the memory belongs to complete requests, which are answered soon, or to connections that
            // have just come.
            let _ = timeout(GRACE_MIN, freed).await;
        }
    }

    fn can_hold(&self, bytes: usize) -> bool {
        let now = self.limiter.clock.elapsed();
        let mut state = self.limiter.lock();
        loop {
            let Some(own) = state.slots.get(&self.id) else {
                // This connection was closed a moment ago, and its task is about to be dropped.
                return true;
            };
            let (address, more) = (own.address, bytes.saturating_sub(own.bytes));
            if state.bytes + more <= self.limiter.room.bytes {
                state.bytes += more;
                if let Some(held) = state.addresses.get_mut(&address) {
                    held.bytes += more;
                }
                if let Some(own) = state.slots.get_mut(&self.id) {
                    own.bytes += more;
                }
                return true;
            }
            match state.to_close(Some(self.id)) {
                Some(to_close)
                    if bytes <= SMALL_BYTES
                        || state.left_of(BODY_GRACE, to_close, now).is_zero() =>
                {
                    state.close(to_close);
                }
                _ => return false,
            }
        }
    }

    /// Marks that the request is complete: the connection stays until the request is answered.
    pub(super) fn works(&self) -> RequestInProgress<'_> {
        self.set_waiting(false);
        RequestInProgress(self)
    }

    fn set_waiting(&self, waits: bool) {
        let mut state = self.limiter.lock();
        let state = &mut *state;
        let Some(taken) = state.slots.get_mut(&self.id) else {
            return;
        };
        let Some(held) = state.addresses.get_mut(&taken.address) else {
            return;
        };
        if let Some(since) = taken.waits_since.take() {
            held.waiting.remove(&(since, self.id));
        }
        if waits {
            taken.waits_since = Some(state.next);
            taken.waits_from = self.limiter.clock.elapsed();
            held.waiting.insert((state.next, self.id));
            state.next += 1;
            let bytes = std::mem::take(&mut taken.bytes);
            held.bytes -= bytes;
            state.bytes -= bytes;
            self.limiter.freed.notify_waiters();
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.limiter.lock().leave(self.id);
        self.limiter.freed.notify_waiters();
    }
}

/// A request that is being answered; when dropped, its connection waits for the next request.
#[derive(Debug)]
pub(super) struct RequestInProgress<'a>(&'a ConnectionSlot);

impl Drop for RequestInProgress<'_> {
    fn drop(&mut self) {
        self.0.set_waiting(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{ManualClock, Timestamp};

    /// A limiter in which time passes with every new connection.
    struct Known(Arc<ConnectionLimiter>, Arc<ManualClock>);

    impl Known {
        fn enter(&self, peer: IpAddr) -> Option<ConnectionSlot> {
            self.1.advance(GRACE_MAX);
            self.0.enter(peer)
        }

        fn lock(&self) -> MutexGuard<'_, State> {
            self.0.lock()
        }
    }

    fn limiter(connections: usize, bytes: usize) -> Known {
        let room = Room {
            connections,
            bytes,
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
        };
        let clock = Arc::new(ManualClock::at(Timestamp(0)));
        Known(ConnectionLimiter::new(room, clock.clone()), clock)
    }

    #[test]
    fn who_has_just_come_is_given_a_moment() {
        let Known(limiter, clock) = limiter(1, 0);
        let first = limiter.enter(ip("192.0.2.1")).unwrap();
        assert_eq!(limiter.wait(), Some(GRACE_MIN));
        clock.advance(GRACE_MIN / 2);
        assert_eq!(limiter.wait(), Some(GRACE_MIN / 2));
        clock.advance(GRACE_MIN / 2);
        assert_eq!(limiter.wait(), Some(Duration::ZERO));
        let working = first.works();
        assert_eq!(limiter.wait(), None);
        drop(working);
        assert_eq!(limiter.wait(), Some(GRACE_MIN));
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn is_in(slot: &ConnectionSlot) -> bool {
        slot.limiter.lock().slots.contains_key(&slot.id)
    }

    #[test]
    fn where_it_is_full_the_oldest_of_the_address_with_the_most_goes() {
        let limiter = limiter(160, 0);
        let own = limiter.enter(ip("192.0.2.1")).unwrap();
        let mut others: Vec<ConnectionSlot> = (0..20)
            .map(|_| limiter.enter(ip("192.0.2.2")).unwrap())
            .collect();
        others.extend((0..139).map(|n| limiter.enter(ip(&format!("192.0.3.{n}"))).unwrap()));
        let newest = limiter.enter(ip("192.0.2.3")).unwrap();
        assert!(is_in(&own) && is_in(&newest) && !is_in(&others[0]) && is_in(&others[1]));
    }

    #[test]
    fn an_address_has_a_share_and_a_proxy_and_this_machine_have_none() {
        let limiter = limiter(160, 0);
        let one: Vec<ConnectionSlot> = (0..30)
            .map(|_| limiter.enter(ip("192.0.2.1")).unwrap())
            .collect();
        assert_eq!(one.iter().filter(|slot| is_in(slot)).count(), 20);
        assert!(!is_in(&one[9]) && is_in(&one[10]));
        // An IPv6 network like this is one household.
        let household: Vec<ConnectionSlot> = (0..30)
            .map(|n| limiter.enter(ip(&format!("2001:db8::{n}"))).unwrap())
            .collect();
        assert_eq!(household.iter().filter(|slot| is_in(slot)).count(), 20);
        for trusted in ["127.0.0.1", "::1", "10.1.2.3", "::ffff:127.0.0.1"] {
            let many: Vec<ConnectionSlot> = (0..30)
                .map(|_| limiter.enter(ip(trusted)).unwrap())
                .collect();
            assert!(many.iter().all(is_in), "{trusted}");
        }
    }

    #[test]
    fn who_is_answered_stays_and_then_waits_as_the_youngest() {
        let limiter = limiter(2, 0);
        let (first, second) = (
            limiter.enter(ip("192.0.2.1")).unwrap(),
            limiter.enter(ip("192.0.2.2")).unwrap(),
        );
        let working = first.works();
        let third = limiter.enter(ip("192.0.2.3")).unwrap();
        assert!(is_in(&first) && !is_in(&second) && is_in(&third));
        let other = third.works();
        assert!(limiter.enter(ip("192.0.2.4")).is_none());
        drop(working);
        drop(other);
        drop(limiter.enter(ip("192.0.2.5")).unwrap());
        assert!(!is_in(&first) && is_in(&third));
    }

    #[test]
    fn a_large_body_waits_a_moment_for_memory_and_a_small_one_does_not() {
        let known = limiter(100, 3 * SMALL_BYTES);
        let first = known.enter(ip("192.0.2.1")).unwrap();
        assert!(first.can_hold(3 * SMALL_BYTES));
        let (large, small) = (
            known.enter(ip("192.0.2.2")).unwrap(),
            known.enter(ip("192.0.2.3")).unwrap(),
        );
        assert!(!large.can_hold(2 * SMALL_BYTES) && is_in(&first));
        known.1.advance(BODY_GRACE);
        assert!(large.can_hold(2 * SMALL_BYTES) && !is_in(&first));
        let other = known.enter(ip("192.0.2.4")).unwrap();
        assert!(other.can_hold(SMALL_BYTES));
        assert!(small.can_hold(1_000) && !is_in(&large) && is_in(&other));
    }

    #[test]
    fn memory_goes_to_who_sends_from_who_holds_back() {
        let limiter = limiter(100, 1_000);
        let strangers: Vec<ConnectionSlot> = (0..10)
            .map(|_| limiter.enter(ip("192.0.2.1")).unwrap())
            .collect();
        for stranger in &strangers {
            assert!(stranger.can_hold(100));
        }
        let own = limiter.enter(ip("192.0.2.2")).unwrap();
        assert!(own.can_hold(50) && own.can_hold(150));
        assert!(!is_in(&strangers[0]) && !is_in(&strangers[1]) && is_in(&strangers[2]));
        assert_eq!(limiter.lock().bytes, 950);
        // Memory of complete requests is not taken away.
        let held: Vec<RequestInProgress<'_>> = strangers
            .iter()
            .skip(2)
            .map(ConnectionSlot::works)
            .collect();
        assert!(!own.can_hold(300));
        drop(held);
        assert_eq!(limiter.lock().bytes, 150);
        assert!(own.can_hold(1_000));
        drop(strangers);
        drop(own);
        let state = limiter.lock();
        assert!(state.slots.is_empty() && state.addresses.is_empty() && state.bytes == 0);
    }
}
