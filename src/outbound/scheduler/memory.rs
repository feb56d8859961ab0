//! Limits the memory of the bodies on the wire.
//!
//! An endpoint may use at most as much as is still free. So an endpoint that hangs with large bodies leaves
//! room for all others.

use std::collections::HashMap;

use crate::model::id::EndpointId;

/// Bytes of bodies on the wire at a time; the last body may exceed it.
const BYTES_MAX: usize = 16 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Memory {
    total: usize,
    of: HashMap<EndpointId, usize>,
}

impl Memory {
    /// Whether an endpoint may send one more body.
    pub(super) fn has_room_for(&self, endpoint: EndpointId) -> bool {
        let own = self.of.get(&endpoint).copied().unwrap_or(0);
        self.total < BYTES_MAX && own <= BYTES_MAX - self.total
    }

    pub(super) fn take(&mut self, endpoint: EndpointId, bytes: usize) {
        self.total += bytes;
        *self.of.entry(endpoint).or_default() += bytes;
    }

    pub(super) fn give_back(&mut self, endpoint: EndpointId, bytes: usize) {
        self.total = self.total.saturating_sub(bytes);
        if let Some(own) = self.of.get_mut(&endpoint) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                self.of.remove(&endpoint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_endpoint_with_large_bodies_leaves_room_for_others_and_gets_it_all_back() {
        const MIB: usize = 1024 * 1024;
        let (slow, other) = (EndpointId(1), EndpointId(2));
        let mut memory = Memory::default();
        let mut held = 0;
        while memory.has_room_for(slow) {
            memory.take(slow, MIB);
            held += 1;
        }
        assert_eq!(held, 9);
        assert!(memory.has_room_for(other));
        for _ in 0..held {
            memory.give_back(slow, MIB);
        }
        assert!(memory.of.is_empty() && memory.total == 0);
        // A body larger than the limit is sent alone.
        memory.take(slow, 3 * BYTES_MAX);
        assert!(!memory.has_room_for(other));
        memory.give_back(slow, 3 * BYTES_MAX);
        assert!(memory.has_room_for(slow));
    }
}
