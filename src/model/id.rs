//! Ids: integers inside, `evt_<box>_<n>` outside.
//!
//! The box is drawn once when the file is made, so ids from many boxes never meet. Inside, each
//! noun has its own integer type, so that one cannot be taken for another.

use std::fmt;

use crate::error::{Error, Result};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);
    };
}

id!(
    /// A source's row.
    SourceId
);
id!(
    /// An endpoint's row.
    EndpointId
);
id!(
    /// An event's row; ascending in the order of acceptance, never used twice.
    EventId
);
id!(
    /// A delivery's row; ascending in the order of creation, never used twice.
    DeliveryId
);
id!(
    /// A bulk replay's row; ascending in the order of creation.
    ReplayId
);
id!(
    /// An attempt's row; ascending in the order of recording, never used twice.
    AttemptId
);

/// The part of outer ids that names the file: ten lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxId(String);

impl BoxId {
    /// Takes the box as the file has it.
    pub fn new(text: impl Into<String>) -> BoxId {
        BoxId(text.into())
    }

    /// The outer id of an event, which is also its `webhook-id`.
    pub fn event(&self, id: EventId) -> String {
        format!("evt_{self}_{}", id.0)
    }

    /// The outer id of a delivery.
    pub fn delivery(&self, id: DeliveryId) -> String {
        format!("dlv_{self}_{}", id.0)
    }

    /// The outer id of an attempt.
    pub fn attempt(&self, id: AttemptId) -> String {
        format!("att_{self}_{}", id.0)
    }

    /// The outer id of a bulk replay.
    pub fn replay(&self, id: ReplayId) -> String {
        format!("rpl_{self}_{}", id.0)
    }

    /// Reads an event's id: the outer form, or the bare number.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is another noun's id, another box's, or no id at all.
    pub fn parse_event(&self, text: &str) -> Result<EventId> {
        self.parse("event", "evt", text).map(EventId)
    }

    /// Reads a delivery's id: the outer form, or the bare number.
    ///
    /// # Errors
    /// As [`BoxId::parse_event`].
    pub fn parse_delivery(&self, text: &str) -> Result<DeliveryId> {
        self.parse("delivery", "dlv", text).map(DeliveryId)
    }

    /// Reads an attempt's id: the outer form, or the bare number.
    ///
    /// # Errors
    /// As [`BoxId::parse_event`].
    pub fn parse_attempt(&self, text: &str) -> Result<AttemptId> {
        self.parse("attempt", "att", text).map(AttemptId)
    }

    /// Reads a bulk replay's id: the outer form, or the bare number.
    ///
    /// # Errors
    /// As [`BoxId::parse_event`].
    pub fn parse_replay(&self, text: &str) -> Result<ReplayId> {
        self.parse("replay", "rpl", text).map(ReplayId)
    }

    fn parse(&self, noun: &str, prefix: &str, text: &str) -> Result<i64> {
        let bad = || {
            let article = if noun.starts_with(['a', 'e']) {
                "an"
            } else {
                "a"
            };
            Error::misuse(format!(
                "`{text}` is not {article} {noun} id; write such as {prefix}_{self}_7"
            ))
        };
        let number = match text
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('_'))
        {
            None => text,
            Some(rest) => {
                let (box_id, number) = rest.split_once('_').ok_or_else(bad)?;
                if box_id != self.0 {
                    return Err(Error::misuse(format!(
                        "`{text}` is of box {box_id}, this file is box {self}"
                    )));
                }
                number
            }
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        number.parse().map_err(|_| bad())
    }
}

impl fmt::Display for BoxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
        ] {
            assert!(here.parse_event(text).is_err(), "{text}");
        }
    }
}
