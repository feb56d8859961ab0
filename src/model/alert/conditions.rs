//! What an alert can be about, as it is written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::time::{parse_span, show_span};

/// How long an endpoint is offline or refuses before somebody is told, unless said otherwise.
const LASTING_DEFAULT: Duration = Duration::from_secs(600);

/// How many requests a source rejects within an hour before somebody is told, unless said otherwise.
const REJECTED_DEFAULT: u32 = 10;

/// What somebody wants to be told about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// An endpoint is held, by a person or since it answered 410.
    Held,
    /// An endpoint cannot be reached for so long.
    Offline(Duration),
    /// An endpoint refuses whatever it is sent for so long.
    Refusing(Duration),
    /// A delivery is given up.
    Dead,
    /// The disk fills, or the store cannot write.
    Disk,
    /// Nothing came for so long through any source that something came through, or through this one.
    Silent(Duration, Option<String>),
    /// Any source, or this one, rejected so many requests within an hour.
    Rejected(u32, Option<String>),
}

impl FromStr for Condition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Condition> {
        let mut parts = text.split(':').map(str::trim);
        let (name, value, source) = (parts.next(), parts.next(), parts.next());
        let source = source.filter(|name| !name.is_empty()).map(str::to_owned);
        let span = |default: Option<Duration>| match (value, default) {
            (None, Some(default)) => Ok(default),
            (Some(value), _) => parse_span(value),
            (None, None) => Err(unknown(text)),
        };
        let condition = match name {
            Some("held") if value.is_none() => Condition::Held,
            Some("dead") if value.is_none() => Condition::Dead,
            Some("disk") if value.is_none() => Condition::Disk,
            Some("offline") if source.is_none() => Condition::Offline(span(Some(LASTING_DEFAULT))?),
            Some("refusing") if source.is_none() => {
                Condition::Refusing(span(Some(LASTING_DEFAULT))?)
            }
            Some("silent") => Condition::Silent(span(None)?, source),
            Some("rejected") => {
                let count = value.map_or(Ok(REJECTED_DEFAULT), str::parse);
                let count = count.ok().filter(|count| *count > 0);
                Condition::Rejected(count.ok_or_else(|| unknown(text))?, source)
            }
            _ => return Err(unknown(text)),
        };
        match parts.next() {
            None => Ok(condition),
            Some(_) => Err(unknown(text)),
        }
    }
}

fn unknown(text: &str) -> Error {
    Error::misuse(format!(
        "an alert cannot be about `{text}`; write held, offline:10m, refusing:10m, dead, disk, silent:1d, silent:1d:SOURCE, rejected:10 or rejected:10:SOURCE"
    ))
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self {
            Condition::Held => return f.write_str("held"),
            Condition::Dead => return f.write_str("dead"),
            Condition::Disk => return f.write_str("disk"),
            Condition::Offline(span) => return write!(f, "offline:{}", show_span(*span)),
            Condition::Refusing(span) => return write!(f, "refusing:{}", show_span(*span)),
            Condition::Silent(span, source) => {
                write!(f, "silent:{}", show_span(*span))?;
                source
            }
            Condition::Rejected(count, source) => {
                write!(f, "rejected:{count}")?;
                source
            }
        };
        source.iter().try_for_each(|source| write!(f, ":{source}"))
    }
}

/// What one alert is about: conditions, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions(Vec<Condition>);

impl Conditions {
    /// All of them.
    pub fn all(&self) -> &[Condition] {
        &self.0
    }

    /// The sources that are named.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|condition| match condition {
            Condition::Silent(_, source) | Condition::Rejected(_, source) => source.as_deref(),
            _ => None,
        })
    }
}

impl Default for Conditions {
    /// What stops events on their way.
    fn default() -> Conditions {
        Conditions(vec![
            Condition::Held,
            Condition::Offline(LASTING_DEFAULT),
            Condition::Refusing(LASTING_DEFAULT),
            Condition::Dead,
            Condition::Disk,
            Condition::Rejected(REJECTED_DEFAULT, None),
        ])
    }
}

impl FromStr for Conditions {
    type Err = Error;

    fn from_str(text: &str) -> Result<Conditions> {
        let written = text.split(',').map(str::trim);
        let written = written.filter(|condition| !condition.is_empty());
        let all: Vec<Condition> = written.map(str::parse).collect::<Result<_>>()?;
        match all.is_empty() {
            true => Err(unknown(text)),
            false => Ok(Conditions(all)),
        }
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, condition) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            condition.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "held,offline:10m,refusing:10m,dead,disk",
            "silent:1d,silent:2h:gogs,rejected:3:gitee,rejected:10",
        ] {
            let read: Conditions = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
        }
        let short: Conditions = " offline , rejected, refusing:1h".parse().unwrap();
        assert_eq!(short.to_string(), "offline:10m,rejected:10,refusing:1h");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "",
            ",",
            "down",
            "held:1m",
            "silent",
            "silent:gogs",
            "rejected:0",
            "rejected:-1",
            "offline:10m:ci",
            "silent:1d:gogs:x",
            "offline:",
        ] {
            assert!(text.parse::<Conditions>().is_err(), "{text:?}");
        }
    }
}
