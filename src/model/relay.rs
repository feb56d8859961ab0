//! A relay: many events in one request, from one hookbox to another.
//!
//! The body is a zstd stream of lines, each a JSON object: a head, and the events as a bundle has them. The
//! answer says of each event what became of it.

use std::io::{Read, Write};

use serde::{Deserialize, Serialize};
use zstd::stream::read::Decoder;
use zstd::stream::write::Encoder;

use crate::error::{Error, Result};
use crate::model::carried::CarriedEvent;

/// The content type of a relay's request, by which a source knows it.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.hookbox.events+jsonl";

/// The coding of its body.
pub(crate) const CONTENT_ENCODING: &str = "zstd";

/// A header in which a box may name itself.
pub(crate) const NAME_HEADER: &str = "Hookbox-Name";

/// The version of the form.
const VERSION: u32 = 1;

/// Most events in one request: the answer has room for what is said of each.
pub(crate) const EVENTS_MAX: usize = 100;

/// Most bytes of an error in the answer.
const ERROR_BYTES_MAX: usize = 80;

/// zstd's level: its own usual one.
const LEVEL: i32 = 3;

/// The memory that a packed stream may ask for, as a power of two: 8 MiB. What is written here asks for 2.
const WINDOW_LOG_MAX: u32 = 23;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// The version.
    hookbox_relay: u32,
    /// The box that sends it.
    #[serde(rename = "box")]
    from: String,
    /// Whether what follows an event that is not taken in is not taken in either.
    ordered: bool,
}

/// What a request holds.
#[derive(Debug)]
pub(crate) struct Relayed {
    /// The box that sends it.
    pub(crate) from: String,
    /// Whether what follows an event that is not taken in is not taken in either.
    pub(crate) is_ordered: bool,
    /// The events.
    pub(crate) events: Vec<CarriedEvent>,
}

/// What became of one event of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    /// As of a request of its own: 202 taken in, 200 known already, 4xx or 5xx not taken in.
    pub(crate) status: u16,
    /// Its id there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) id: Option<String>,
    /// Why it was not taken in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) error: Option<String>,
}

impl Taken {
    pub(crate) fn refused(status: u16, why: &str) -> Taken {
        let mut told = String::new();
        for letter in why.chars() {
            if told.len() + letter.len_utf8() > ERROR_BYTES_MAX {
                break;
            }
            // What JSON would write in more bytes.
            let is_plain = !letter.is_control() && !matches!(letter, '"' | '\\');
            told.push(if is_plain { letter } else { ' ' });
        }
        Taken {
            status,
            id: None,
            error: Some(told),
        }
    }
}

/// The answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    /// Of each event of the request, in its order.
    pub(crate) results: Vec<Taken>,
}

/// Packs a request.
///
/// # Errors
/// [`Error::Io`] when an event cannot be written.
pub(crate) fn pack(relayed: &Relayed) -> Result<Vec<u8>> {
    let failed = |error| Error::io("pack events", error);
    let mut to = Encoder::new(Vec::new(), LEVEL).map_err(failed)?;
    let head = Head {
        hookbox_relay: VERSION,
        from: relayed.from.clone(),
        ordered: relayed.is_ordered,
    };
    let mut put = |line: serde_json::Result<Vec<u8>>| {
        let line = line.map_err(std::io::Error::other)?;
        to.write_all(&line)?;
        to.write_all(b"\n")
    };
    put(serde_json::to_vec(&head)).map_err(failed)?;
    for event in &relayed.events {
        put(serde_json::to_vec(event)).map_err(failed)?;
    }
    to.finish().map_err(failed)
}

/// Unpacks the lines of a request; `None` if they are more than so many bytes.
///
/// # Errors
/// [`Error::Misuse`] when it is damaged.
pub(crate) fn lines(packed: &[u8], bytes_max: usize) -> Result<Option<Vec<u8>>> {
    let damaged =
        |error| Error::misuse(format!("it is no relay of hookbox's, or damaged: {error}"));
    let mut decoder = Decoder::new(packed).map_err(damaged)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(damaged)?;
    let mut lines = Vec::new();
    let mut limited = decoder.take(bytes_max as u64 + 1);
    limited.read_to_end(&mut lines).map_err(damaged)?;
    Ok((lines.len() <= bytes_max).then_some(lines))
}

impl Relayed {
    /// Reads the lines of a request.
    ///
    /// # Errors
    /// [`Error::Misuse`] when they are of another form or version, or too many.
    pub(crate) fn read(lines: &[u8]) -> Result<Relayed> {
        let mut lines = lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let first = lines.next();
        let head: Option<Head> = first.and_then(|line| serde_json::from_slice(line).ok());
        let head = head.ok_or_else(|| Error::misuse("this is no relay of hookbox's"))?;
        if head.hookbox_relay != VERSION {
            return Err(Error::misuse(format!(
                "it is of version {}, which this hookbox does not know; use a newer one here",
                head.hookbox_relay
            )));
        }
        let is_box =
            head.from.len() == 10 && head.from.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_box {
            return Err(Error::misuse("it does not say which box sends it"));
        }
        let mut events = Vec::new();
        for line in lines {
            if events.len() == EVENTS_MAX {
                return Err(Error::misuse(format!(
                    "it has more than {EVENTS_MAX} events"
                )));
            }
            let event = serde_json::from_slice(line)
                .map_err(|error| Error::misuse(format!("event {}: {error}", events.len() + 1)))?;
            events.push(event);
        }
        Ok(Relayed {
            from: head.from,
            is_ordered: head.ordered,
            events,
        })
    }
}
