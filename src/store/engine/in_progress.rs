//! Crash guard: records which item each thread works on, so that after a crash we know which item caused
//! it.
//!
//! The records are lines in the lock file, or on a server in a file of the node on its own machine. The next process reads which items were in progress when the
//! last process crashed. An item that was in progress at two crashes in a row is set aside, whatever the
//! cause was.
//!
//! The lines are written without an fsync: the operating system keeps what a crashed process wrote. Lines
//! from before a reboot are ignored, since they say nothing about a crash.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::model::id::{DeliveryId, EndpointId};
use crate::store::engine::Store;
use crate::store::engine::sqlite::lock::{LINE_BYTES, Watched};

/// An item is set aside after this many crashes in a row.
pub(crate) const ENDS_MAX: u32 = 2;

/// After a crash, this many items are processed one at a time. By then the item that caused the crash has
/// been tried again.
const WATCHED_PIECES: u32 = 1_000;

/// The reason that is shown for an item that was set aside.
pub(crate) const REASON: &str = "it ended the process, twice in a row";

/// A work item: work on data that comes from outside, which may crash the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WorkItem {
    /// Rendering what is sent for a delivery.
    Delivery(EndpointId, DeliveryId),
    /// Turning a row of the outbox into an event.
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

/// The items that were in progress when the last process ended, each with its number of crashes in a row.
fn left(lines: &[u8]) -> Vec<(WorkItem, u32)> {
    let lines = lines.chunks_exact(LINE_BYTES);
    lines
        .filter_map(|line| WorkItem::read(std::str::from_utf8(line).ok()?))
        .collect()
}

/// All items that this process works on now.
#[derive(Debug, Default)]
pub(crate) struct WorkLog {
    state: Mutex<State>,
    free_again: Condvar,
}

#[derive(Debug, Default)]
struct State {
    file: Watched,
    /// Which lines are in use.
    used: Vec<bool>,
    /// The items that were in progress when the last process crashed. While there are any, only one item is
    /// processed at a time, so that the next crash is attributed to the right item.
    suspects: HashMap<WorkItem, u32>,
    /// Items left to process before the suspects are forgotten.
    watched: u32,
}

impl State {
    fn write(&self, line: usize, text: &str) {
        // If this cannot be written, nothing is set aside. A missing lock file is reported by the code that
        // keeps the lock.
        let _ = self.file.write_line(line, text.as_bytes());
    }
}

/// No code panics while it holds the lock on the lines.
const NO_PANIC: &str = "nobody panics with what is in hand locked";

impl WorkLog {
    /// Records an item as in progress, until the returned value is dropped.
    ///
    /// While there are suspects, this blocks until no other item is in progress.
    pub(crate) fn take(self: &Arc<WorkLog>, piece: WorkItem) -> Held {
        let mut state = self.turn();
        self.record(&mut state, piece)
    }

    /// As [`WorkLog::take`], for items that are worked on together.
    pub(crate) fn take_all(
        self: &Arc<WorkLog>,
        pieces: impl IntoIterator<Item = WorkItem>,
    ) -> Vec<Held> {
        let mut state = self.turn();
        let pieces = pieces.into_iter();
        pieces.map(|piece| self.record(&mut state, piece)).collect()
    }

    /// Whether items are processed one at a time, to see which of them ended the last process.
    pub(crate) fn has_suspects(&self) -> bool {
        !self.lock().suspects.is_empty()
    }

    /// Waits until work may begin.
    fn turn(&self) -> MutexGuard<'_, State> {
        let state = self.lock();
        self.free_again
            .wait_while(state, |state| {
                !state.suspects.is_empty() && state.used.contains(&true)
            })
            .expect(NO_PANIC)
    }

    fn record(self: &Arc<WorkLog>, state: &mut State, piece: WorkItem) -> Held {
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

    /// The items that the last process left, with the number of crashes of each.
    pub(crate) fn suspects(&self) -> Vec<(WorkItem, u32)> {
        self.lock().suspects.clone().into_iter().collect()
    }

    /// Removes an item from the suspects: it was set aside.
    pub(crate) fn clear(&self, piece: WorkItem) {
        self.lock().suspects.remove(&piece);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(NO_PANIC)
    }
}

/// An item in progress; dropping this records that it is done.
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
    /// The items in progress; see [`WorkLog::take`].
    pub(crate) fn work_log(&self) -> Arc<WorkLog> {
        self.published().work_log.clone()
    }

    /// Starts to record the items in progress, and reads the items that the last process left.
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
