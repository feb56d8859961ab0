//! What is being worked on right now, written down beside the lock: whoever starts after a process that
//! ended of itself sees on which piece of work it did.
//!
//! A piece that was in hand when the process ended, twice in a row, is set aside, whatever the cause. It is
//! written without waiting for the disk: a process that ends leaves what it wrote, and what was written before
//! the machine was started anew says nothing.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::model::id::{DeliveryId, EndpointId};
use crate::store::engine::Store;
use crate::store::engine::sqlite::lock::{LINE_BYTES, Watched};

/// Ends in a row after which a piece is set aside.
pub(crate) const ENDS_MAX: u32 = 2;

/// How long the ends of others' work are watched one by one, in pieces of work: until then the piece that was
/// the cause has come up again.
const WATCHED_PIECES: u32 = 1_000;

/// Why a piece is set aside.
pub(crate) const REASON: &str = "it ended the process, twice in a row";

/// A piece of work that is done on what strangers sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WorkItem {
    /// Making what is sent of an event.
    Delivery(EndpointId, DeliveryId),
    /// Making an event of a row of the outbox.
    Row(i64),
}

impl WorkItem {
    fn line(self, ends: u32) -> String {
        let text = match self {
            WorkItem::Delivery(endpoint, delivery) => {
                format!("delivery {} {}", endpoint.0, delivery.0)
            }
            WorkItem::Row(id) => format!("row {id} 0"),
        };
        let (text, width) = (format!("{text} {ends}"), LINE_BYTES - 1);
        format!("{text:<width$}\n")
    }

    fn read(line: &str) -> Option<(WorkItem, u32)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| words.get(index)?.parse().ok();
        let piece = match *words.first()? {
            "delivery" => WorkItem::Delivery(EndpointId(number(1)?), DeliveryId(number(2)?)),
            "row" => WorkItem::Row(number(1)?),
            _ => return None,
        };
        Some((piece, words.get(3)?.parse().ok()?))
    }
}

/// What the process before left in hand: each piece with how many ended with it in a row.
fn left(lines: &[u8]) -> Vec<(WorkItem, u32)> {
    let lines = lines.chunks_exact(LINE_BYTES);
    lines
        .filter_map(|line| WorkItem::read(std::str::from_utf8(line).ok()?))
        .collect()
}

/// All that is in hand of this process.
#[derive(Debug, Default)]
pub(crate) struct WorkLog {
    state: Mutex<State>,
    free_again: Condvar,
}

#[derive(Debug, Default)]
struct State {
    file: Watched,
    /// Which lines are used.
    used: Vec<bool>,
    /// What was in hand when the process before ended. As long as there are any, one piece at a time is:
    /// so that the next end is put down to the right one.
    suspects: HashMap<WorkItem, u32>,
    /// Pieces until the suspects are forgotten.
    watched: u32,
}

impl State {
    fn write(&self, line: usize, text: &str) {
        // Where it cannot be written, nothing is set aside; the lock's keeper speaks of a file that is gone.
        let _ = self.file.write_line(line, text.as_bytes());
    }
}

/// Nobody panics with the lines locked.
const NO_PANIC: &str = "nobody panics with what is in hand locked";

impl WorkLog {
    /// Writes a piece down, as long as what is returned is held.
    pub(crate) fn take(self: &Arc<WorkLog>, piece: WorkItem) -> Held {
        let state = self.lock();
        let mut state = self
            .free_again
            .wait_while(state, |state| {
                !state.suspects.is_empty() && state.used.contains(&true)
            })
            .expect(NO_PANIC);
        let free = state.used.iter().position(|used| !used);
        let line = free.unwrap_or_else(|| {
            state.used.push(false);
            state.used.len() - 1
        });
        state.used[line] = true;
        let ends = state.suspects.get(&piece).copied().unwrap_or(0) + 1;
        state.write(line, &piece.line(ends));
        Held {
            work_log: self.clone(),
            piece,
            line,
        }
    }

    /// What the process before left, and how often it ended with each.
    pub(crate) fn suspects(&self) -> Vec<(WorkItem, u32)> {
        self.lock().suspects.clone().into_iter().collect()
    }

    /// A piece is no suspect any more: it is set aside.
    pub(crate) fn clear(&self, piece: WorkItem) {
        self.lock().suspects.remove(&piece);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(NO_PANIC)
    }
}

/// A piece that is in hand; dropping it says that it is done.
#[derive(Debug)]
pub(crate) struct Held {
    work_log: Arc<WorkLog>,
    piece: WorkItem,
    line: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.work_log.lock();
        state.used[self.line] = false;
        let blank = " ".repeat(LINE_BYTES - 1) + "\n";
        state.write(self.line, &blank);
        if !state.suspects.is_empty() {
            state.suspects.remove(&self.piece);
            state.watched = state.watched.saturating_sub(1);
            if state.watched == 0 {
                state.suspects.clear();
            }
            self.work_log.free_again.notify_all();
        }
    }
}

impl Store {
    /// What is in hand; see [`WorkLog::take`].
    pub(crate) fn work_log(&self) -> Arc<WorkLog> {
        self.published().work_log.clone()
    }

    /// Begins to write down what is in hand, and remembers what the process before left.
    pub(crate) fn watch_hands(&self, file: Watched, lines: &[u8]) {
        let mut state = self.published().work_log.lock();
        *state = State {
            file,
            used: Vec::new(),
            suspects: left(lines).into_iter().collect(),
            watched: WATCHED_PIECES,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_nothing_else_is() {
        let delivery = WorkItem::Delivery(EndpointId(7), DeliveryId(i64::MAX));
        let mut lines = String::new();
        for (piece, ends) in [(delivery, 1), (WorkItem::Row(12), 2)] {
            assert_eq!(piece.line(ends).len(), LINE_BYTES);
            lines.push_str(&piece.line(ends));
        }
        lines.push_str(&" ".repeat(LINE_BYTES));
        lines.push_str(&"\0".repeat(LINE_BYTES));
        lines.push_str("delivery 1");
        assert_eq!(
            left(lines.as_bytes()),
            [(delivery, 1), (WorkItem::Row(12), 2)]
        );
        assert_eq!(left(&[0xff; 3 * LINE_BYTES]), []);
    }

    #[test]
    fn while_there_are_suspects_one_piece_is_in_hand_at_a_time() {
        let work_log = Arc::new(WorkLog::default());
        let (bad, good) = (WorkItem::Row(1), WorkItem::Row(2));
        work_log.lock().suspects.insert(bad, 1);
        work_log.lock().watched = WATCHED_PIECES;
        let held = work_log.take(good);
        let (other, second) = (work_log.clone(), std::sync::mpsc::channel());
        let thread = std::thread::spawn(move || {
            let held = other.take(bad);
            second.0.send(()).unwrap();
            held
        });
        assert!(second.1.try_recv().is_err());
        drop(held);
        second.1.recv().unwrap();
        drop(thread.join().unwrap());
        assert!(work_log.lock().suspects.is_empty());
        let _both = (work_log.take(good), work_log.take(bad));
    }
}
