//! How many deliveries of an endpoint go in one request.

use crate::model::digest::{BEHIND, Digest};
use crate::model::endpoint::{Endpoint, Format};

/// Bytes of the events in one request, before the last one. On a slow uplink they must arrive within the
/// time-out of an attempt.
const BYTES_MAX: usize = 256 * 1024;

/// Room for more deliveries in a request.
#[derive(Debug, Clone, Copy)]
pub(in crate::outbound) struct Room {
    deliveries: usize,
    bytes: usize,
}

impl Room {
    /// Room for this many deliveries.
    pub(super) fn of(deliveries: usize) -> Room {
        Room {
            deliveries,
            bytes: BYTES_MAX,
        }
    }

    pub(super) fn is_full(self) -> bool {
        self.deliveries == 0 || self.bytes == 0
    }

    /// What is left after a delivery whose body has so many bytes.
    pub(in crate::outbound) fn after(self, bytes: usize) -> Room {
        Room {
            deliveries: self.deliveries.saturating_sub(1),
            bytes: self.bytes.saturating_sub(bytes),
        }
    }
}

/// Most deliveries in the next request: fewer after one that was refused as a whole, and then more again.
#[derive(Debug)]
pub(in crate::outbound) struct BatchLimit {
    most: usize,
    /// Whether a chat is behind: until nothing more waits, what is left of a backlog is one message too.
    is_behind: bool,
}

impl Default for BatchLimit {
    fn default() -> BatchLimit {
        BatchLimit {
            most: usize::MAX,
            is_behind: false,
        }
    }
}

impl BatchLimit {
    /// Room for the next request of an endpoint, for which this many deliveries are known to be ready.
    pub(super) fn room(&mut self, endpoint: &Endpoint, ready: usize) -> Room {
        self.is_behind = ready > BEHIND || (self.is_behind && ready > 1);
        let most = match (&endpoint.set.format, endpoint.set.digest) {
            (Format::Chat(_), Digest::Behind) if !self.is_behind => 1,
            _ => endpoint.set.batch_max(),
        };
        Room::of(most.min(self.most))
    }

    /// Whether requests are smaller than they might be.
    pub(super) fn is_reduced(&self, batch_max: usize) -> bool {
        self.most < batch_max
    }

    /// A request of so many deliveries was refused as a whole.
    pub(in crate::outbound) fn refused(&mut self, deliveries: usize) {
        self.most = (deliveries / 2).max(1);
    }

    /// A request was accepted.
    pub(in crate::outbound) fn accepted(&mut self) {
        self.most = self.most.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One delivery among many that the endpoint does not take, and that makes it refuse the whole request.
    #[test]
    fn one_that_is_refused_ends_up_alone_and_the_others_arrive() {
        const MOST: usize = 25;
        let mut limit = BatchLimit::default();
        let mut waiting: Vec<u32> = (0..100).collect();
        let mut requests = 0;
        let mut alone = Vec::new();
        while !waiting.is_empty() {
            let count = MOST.min(limit.most).min(waiting.len());
            requests += 1;
            match (waiting[..count].contains(&57), count) {
                (true, 1) => alone.push(waiting.remove(0)),
                (true, count) => limit.refused(count),
                (false, count) => {
                    waiting.drain(..count);
                    limit.accepted();
                }
            }
        }
        assert_eq!(alone, [57]);
        assert!(requests < 30, "{requests}");
    }
}
