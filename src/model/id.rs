//! Ids: integers inside, `evt_<box>_<n>_<mark>` outside.
//!
//! The box is drawn once when the file is created, so that ids of different files are never equal. The mark
//! is drawn by each process that creates rows, so that ids of a file and of its copies are never equal.
//! Inside, each noun has its own integer type, so that one cannot be used for another.

use std::fmt;
use std::sync::{Arc, RwLock};

use crate::error::{Error, Result};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);
    };
}

id!(
    /// A source's row id.
    SourceId
);
id!(
    /// An endpoint's row id.
    EndpointId
);
id!(
    /// An event's row id; ascending in the order of acceptance, never used twice.
    EventId
);
id!(
    /// A delivery's row id; ascending in the order of creation, never used twice.
    DeliveryId
);
id!(
    /// A bulk replay's row id; ascending in the order of creation.
    ReplayId
);
id!(
    /// An attempt's row id; ascending in the order of recording, never used twice.
    AttemptId
);

id!(
    /// An alert's row id.
    AlertId
);

/// How many ids of attempts are reserved for each delivery.
const ATTEMPTS: i64 = 1_024;

/// A mark: the first rows that one process created, and the text in their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) id: i64,
    pub(crate) mark: String,
    pub(crate) event_from: i64,
    pub(crate) delivery_from: i64,
}

/// The parts of outer ids besides the number: the file's own ten lower-case hex digits, and the marks.
/// Clones share the marks.
#[derive(Debug, Clone)]
pub struct BoxId {
    text: Arc<str>,
    marks: Arc<RwLock<Vec<Mark>>>,
}

impl PartialEq for BoxId {
    fn eq(&self, other: &BoxId) -> bool {
        self.text == other.text
    }
}

impl Eq for BoxId {}

/// No code panics while it holds this lock.
const NO_PANIC: &str = "nobody panics with the marks locked";

impl BoxId {
    /// The box as stored in the file, without marks.
    pub fn new(text: impl Into<String>) -> BoxId {
        BoxId {
            text: text.into().into(),
            marks: Arc::default(),
        }
    }

    /// The row id of the newest known mark.
    pub(crate) fn newest_mark(&self) -> Option<i64> {
        let marks = self.marks.read().expect(NO_PANIC);
        marks.last().map(|mark| mark.id)
    }

    /// Replaces all marks; the oldest comes first.
    pub(crate) fn set_marks(&self, marks: Vec<Mark>) {
        *self.marks.write().expect(NO_PANIC) = marks;
    }

    /// Adds a mark that was drawn just now.
    pub(crate) fn add_mark(&self, mark: Mark) {
        let mut marks = self.marks.write().expect(NO_PANIC);
        marks.retain(|held| held.id < mark.id);
        marks.push(mark);
    }

    /// An outer id. Its mark is that of the row with number `row`, counted as `from` says.
    fn outer(&self, prefix: &str, number: i64, row: i64, from: fn(&Mark) -> i64) -> String {
        let marks = self.marks.read().expect(NO_PANIC);
        let behind = marks.partition_point(|mark| from(mark) <= row);
        match behind.checked_sub(1).map(|index| &marks[index].mark) {
            Some(mark) => format!("{prefix}_{self}_{number}_{mark}"),
            None => format!("{prefix}_{self}_{number}"),
        }
    }

    /// The outer id of an event, which is also its `webhook-id`.
    pub fn event(&self, id: EventId) -> String {
        self.outer("evt", id.0, id.0, |mark| mark.event_from)
    }

    /// The outer id of a delivery.
    pub fn delivery(&self, id: DeliveryId) -> String {
        self.outer("dlv", id.0, id.0, |mark| mark.delivery_from)
    }

    /// The outer id of an attempt; its mark is its delivery's.
    pub fn attempt(&self, id: AttemptId) -> String {
        self.outer("att", id.0, id.0 / ATTEMPTS, |mark| mark.delivery_from)
    }

    /// The outer id of a bulk replay.
    pub fn replay(&self, id: ReplayId) -> String {
        format!("rpl_{self}_{}", id.0)
    }

    /// Parses an event's id: the outer form, or the bare number.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is the id of another noun, of another box, of another copy of the file, or
    /// not an id.
    pub fn parse_event(&self, text: &str) -> Result<EventId> {
        self.parse("event", "evt", text, |number| self.event(EventId(number)))
            .map(EventId)
    }

    /// Parses a delivery's id: the outer form, or the bare number.
    ///
    /// # Errors
    /// As [`BoxId::parse_event`].
    pub fn parse_delivery(&self, text: &str) -> Result<DeliveryId> {
        let outer = |number| self.delivery(DeliveryId(number));
        self.parse("delivery", "dlv", text, outer).map(DeliveryId)
    }

    /// Parses an attempt's id: the outer form, or the bare number.
    ///
    /// # Errors
    /// As [`BoxId::parse_event`].
    pub fn parse_attempt(&self, text: &str) -> Result<AttemptId> {
        let outer = |number| self.attempt(AttemptId(number));
        self.parse("attempt", "att", text, outer).map(AttemptId)
    }

    /// Parses a bulk replay's id: the outer form, or the bare number.
    ///
    /// # Errors
    /// As [`BoxId::parse_event`].
    pub fn parse_replay(&self, text: &str) -> Result<ReplayId> {
        let outer = |number| self.replay(ReplayId(number));
        self.parse("replay", "rpl", text, outer).map(ReplayId)
    }

    /// Parses an id; `outer` returns the correct outer form of a number, to compare with.
    fn parse(
        &self,
        noun: &str,
        prefix: &str,
        text: &str,
        outer: impl Fn(i64) -> String,
    ) -> Result<i64> {
        let bad = || {
            let article = if noun.starts_with(['a', 'e']) {
                "an"
            } else {
                "a"
            };
            let such = outer(7);
            Error::misuse(format!(
                "`{text}` is not {article} {noun} id; write such as {such}"
            ))
        };
        let read = |number: &str| -> Result<i64> {
            if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
                return Err(bad());
            }
            number.parse().map_err(|_| bad())
        };
        let Some(rest) = text
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('_'))
        else {
            return read(text);
        };
        let mut parts = rest.split('_');
        let (box_id, number) = (parts.next(), parts.next());
        let (mark, more) = (parts.next(), parts.next());
        let (Some(box_id), Some(number), None) = (box_id, number, more) else {
            return Err(bad());
        };
        if *box_id != *self.text {
            return Err(Error::misuse(format!(
                "`{text}` is of box {box_id}, this file is box {self}"
            )));
        }
        let number = read(number)?;
        // An id without its mark is accepted, like the bare number.
        if mark.is_some() && outer(number) != text {
            return Err(Error::misuse(format!(
                "`{text}` is of another copy of this file; here {number} is {}",
                outer(number)
            )));
        }
        Ok(number)
    }
}

impl fmt::Display for BoxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_in_both_forms_and_no_other() {
        let here = BoxId::new("00ff00ff00");
        assert_eq!(
            here.parse_event(&here.event(EventId(7))).unwrap(),
            EventId(7)
        );
        assert_eq!(here.parse_event("7").unwrap(), EventId(7));
        for text in [
            "dlv_00ff00ff00_7",
            "evt_1111111111_7",
            "evt_7",
            "evt_00ff00ff00_",
            "-7",
            "+7",
            "",
            "x",
            "evt_00ff00ff00_7_abcde_x",
        ] {
            assert!(here.parse_event(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rows_have_the_mark_of_whoever_made_them() {
        let here = BoxId::new("00ff00ff00");
        let mark = |id, mark: &str, event_from, delivery_from| Mark {
            id,
            mark: mark.to_owned(),
            event_from,
            delivery_from,
        };
        here.set_marks(vec![mark(1, "aaaaa", 5, 9), mark(2, "bbbbb", 8, 9)]);
        let shown = |id| here.event(EventId(id));
        assert_eq!(shown(4), "evt_00ff00ff00_4");
        assert_eq!(shown(5), "evt_00ff00ff00_5_aaaaa");
        assert_eq!(shown(8), "evt_00ff00ff00_8_bbbbb");
        assert_eq!(here.delivery(DeliveryId(9)), "dlv_00ff00ff00_9_bbbbb");
        assert_eq!(
            here.attempt(AttemptId(9 * 1024 + 1)),
            "att_00ff00ff00_9217_bbbbb"
        );
        // An id is accepted with its own mark or without one, never with another mark.
        for text in ["evt_00ff00ff00_8_bbbbb", "evt_00ff00ff00_8", "8"] {
            assert_eq!(here.clone().parse_event(text).unwrap(), EventId(8));
        }
        let other = here.parse_event("evt_00ff00ff00_8_aaaaa").unwrap_err();
        assert!(other.to_string().contains("another copy"), "{other}");
    }
}
