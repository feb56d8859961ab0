//! How far a follower has read a table by its ids.
//!
//! On a file a row with a larger id is committed later. On a server it may be committed a moment earlier: the
//! ids between are looked for a while.

use std::collections::BTreeSet;

/// How often an id that is missing is looked for: ten seconds where little happens. Most such ids were set aside
/// and never used.
const LOOKS_MAX: u32 = 50;

/// Ids that are remembered while one before them is missing; a follower reads more than this at a time.
const READ_MAX: usize = 250;

/// A gap that no group of jobs leaves: rows were removed before they were read.
const GAP_MAX: i64 = 1_000;

#[derive(Debug)]
pub(super) struct Place {
    /// Up to this id all is read, or no longer looked for.
    done: i64,
    /// The ids after it that are read.
    read: BTreeSet<i64>,
    /// How often the id after `done` was missing.
    looks: u32,
    /// Whether rows are committed in the order of their ids.
    is_in_order: bool,
}

impl Place {
    pub(super) fn new(done: i64, is_in_order: bool) -> Place {
        Place {
            done,
            read: BTreeSet::new(),
            looks: 0,
            is_in_order,
        }
    }

    /// The id after which to read.
    pub(super) fn done(&self) -> i64 {
        self.done
    }

    /// Whether a row was read, or never will be.
    pub(super) fn is_past(&self, id: i64) -> bool {
        id <= self.done || self.read.contains(&id)
    }

    /// These are the ids of the first rows after [`Place::done`]. Returns how many were passed over that may
    /// have had rows.
    pub(super) fn advance(&mut self, ids: impl Iterator<Item = i64>) -> i64 {
        self.read.extend(ids);
        let mut unseen = 0;
        while let Some(next) = self.read.first().copied() {
            let gap = next - self.done - 1;
            if gap > 0 {
                self.looks += 1;
                let is_awaited = !self.is_in_order && gap <= GAP_MAX;
                if is_awaited && self.looks < LOOKS_MAX && self.read.len() < READ_MAX {
                    break;
                }
                unseen += if is_awaited { 0 } else { gap };
            }
            self.looks = 0;
            self.done = next;
            self.read.remove(&next);
        }
        unseen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_in_between_is_unseen_at_once_where_ids_are_in_order() {
        let mut place = Place::new(4, true);
        assert_eq!(place.advance([5, 6, 9].into_iter()), 2);
        assert_eq!(place.done(), 9);
    }

    #[test]
    fn where_they_are_not_it_is_looked_for_a_while() {
        let mut place = Place::new(4, false);
        assert_eq!(place.advance([5, 7, 8].into_iter()), 0);
        assert_eq!(place.done(), 5);
        assert!(place.is_past(7) && !place.is_past(6));
        // It comes later than those after it.
        assert_eq!(place.advance([6].into_iter()), 0);
        assert_eq!(place.done(), 8);
        // What never comes keeps nobody.
        for _ in 0..LOOKS_MAX {
            assert_eq!(place.done(), 8);
            assert_eq!(place.advance([10].into_iter()), 0);
        }
        assert_eq!(place.done(), 10);
        // Nor does it where many come behind it.
        assert_eq!(place.advance(12..12 + READ_MAX as i64), 0);
        assert_eq!(place.done(), 11 + READ_MAX as i64);
        let last = place.done();
        assert_eq!(place.advance([last + GAP_MAX + 2].into_iter()), GAP_MAX + 1);
    }
}
