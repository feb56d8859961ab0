//! When many events become one chat message.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::time::{parse_span, show_span};

/// Most events in one chat message: each has a line in it, whatever the chat's limit.
pub const EVENTS_MAX: usize = 25;

/// A chat is behind if more than so many messages wait for it.
pub const BEHIND: usize = 20;

/// Allowed values of the time in which events are collected.
const SPAN: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(10)..=Duration::from_secs(7 * 86_400);

/// When many events become one chat message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Digest {
    /// While the chat is behind.
    #[default]
    Behind,
    /// Never: each event is a message.
    Never,
    /// Events are collected for so long, counted from the first.
    Every(Duration),
}

impl Digest {
    /// From what a database has: null, 0, or a time in milliseconds.
    pub(crate) fn stored(span: Option<Duration>) -> Digest {
        match span {
            None => Digest::Behind,
            Some(Duration::ZERO) => Digest::Never,
            Some(span) => Digest::Every(span),
        }
    }

    /// What a database gets.
    pub(crate) fn to_store(self) -> Option<Duration> {
        match self {
            Digest::Behind => None,
            Digest::Never => Some(Duration::ZERO),
            Digest::Every(span) => Some(span),
        }
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Digest> {
        match text {
            "" | "behind" => Ok(Digest::Behind),
            "none" => Ok(Digest::Never),
            text => {
                let span = parse_span(text).map_err(|_| {
                    Error::misuse(format!(
                        "`{text}` is no digest: write 10m or another time from 10s to 7d, behind, or none"
                    ))
                })?;
                if !SPAN.contains(&span) {
                    return Err(Error::misuse(format!(
                        "--digest is {}, allowed is 10s to 7d; none for a message for each event, behind for one for many while the chat is behind",
                        show_span(span)
                    )));
                }
                Ok(Digest::Every(span))
            }
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Digest::Behind => f.write_str("behind"),
            Digest::Never => f.write_str("none"),
            Digest::Every(span) => f.write_str(&show_span(*span)),
        }
    }
}
