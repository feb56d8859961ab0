//! Reads bundles: looks through all of one, and then takes it in.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zstd::stream::read::Decoder;

use super::line::{AckLine, End, Head, LINE_BYTES_MAX, Line, VERSION};
use crate::error::{Error, Result};
use crate::model::carried::CarriedEvent;
use crate::model::event::{Accepted, NewEvent};
use crate::model::id::EventId;
use crate::model::source::Source;
use crate::signature::{Secret, bundle};
use crate::store::Store;
use crate::time::Timestamp;

/// The memory that a packed stream may ask for, as a power of two: 8 MiB. What is written here asks for 2.
const WINDOW_LOG_MAX: u32 = 23;

/// How many events are looked up, and handed to the store, at a time, and of how many bytes about.
const BATCH: usize = 128;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// How what `age` has encrypted begins.
const ENCRYPTED: &[u8] = b"age-encryption.org/";

const CUT_OFF: &str = "it is cut off; copy it again, or export it again";

/// Most of a hostile text that is told.
const TOLD_CHARS_MAX: usize = 300;

/// What became of a bundle of events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenIn {
    /// The box that it comes from.
    pub from: String,
    /// Events in it.
    pub seen: usize,
    /// Those of them that were here already.
    pub had: usize,
    /// Those that have been at this source before, and went round.
    pub went_round: usize,
    /// Those that were taken in; of a dry run: that would be.
    pub taken: usize,
}

/// What became of a bundle that says what arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// The box that wrote it.
    pub from: String,
    /// Events of this box that arrived there.
    pub arrived: usize,
    /// Events of other boxes, or of another copy of this one.
    pub of_others: usize,
    /// Deliveries that were pending for that, and are delivered now; of a dry run: that would be.
    pub settled: usize,
}

impl TakenIn {
    /// The JSON object of the command line.
    pub fn json(&self, source: &str, is_dry: bool) -> Value {
        json!({
            "box": self.from,
            "source": source,
            "seen": self.seen,
            "had": self.had,
            "went_round": self.went_round,
            "taken": self.taken,
            "dry_run": is_dry,
        })
    }
}

impl Acknowledged {
    /// The JSON object of the command line.
    pub fn json(&self, endpoint: &str, is_dry: bool) -> Value {
        json!({
            "box": self.from,
            "endpoint": endpoint,
            "arrived": self.arrived,
            "of_others": self.of_others,
            "settled": self.settled,
            "dry_run": is_dry,
        })
    }
}

/// Takes the events of a bundle in through a source, each once: its key is the id that it has at the box that
/// it comes from.
///
/// # Errors
/// [`Error::Misuse`] when it is no bundle of events, damaged, cut off or beyond a limit; [`Error::Refused`]
/// when it is not signed by the source's secret. Nothing is taken in then. [`Error::Database`] when the store
/// cannot be written; what was taken in until then stays, and is not taken in again.
pub fn take_in(
    store: &Store,
    path: &Path,
    source: &str,
    is_dry: bool,
    now: Timestamp,
) -> Result<TakenIn> {
    let directory = store.fresh_directory()?;
    let source = directory.require_source(source)?;
    let secrets = source.secrets_at(now);
    if secrets.is_empty() && source.path_token.is_some() {
        return Err(Error::Refused(format!(
            "source {} has a token in its path and no secret: what a bundle has cannot be proved; give it a secret",
            source.name
        )));
    }
    let mut bundle = Bundle::open(path, store)?;
    let head = bundle.check(&secrets, |line: CarriedEvent| {
        event_of(store, source, line).map(drop)
    })?;
    let mut done = TakenIn {
        from: head.from,
        ..TakenIn::default()
    };
    let (answer, answers) = channel();
    let mut batch = Vec::with_capacity(BATCH);
    let (mut bytes, mut waiting) = (0, 0);
    bundle.each(|line: CarriedEvent| {
        done.seen += 1;
        match event_of(store, source, line)? {
            None => done.went_round += 1,
            Some(event) => {
                bytes += event.body.len();
                batch.push(event);
            }
        }
        if batch.len() == BATCH || bytes >= BATCH_BYTES {
            let events = std::mem::take(&mut batch);
            bytes = 0;
            // One batch is on its way to the disk while the next one is read.
            wait_for(&answers, &mut waiting)?;
            waiting += hand_in(store, source, events, &mut done, is_dry, now, &answer)?;
        }
        Ok(())
    })?;
    waiting += hand_in(store, source, batch, &mut done, is_dry, now, &answer)?;
    wait_for(&answers, &mut waiting)?;
    Ok(done)
}

type Answer = Result<Accepted>;

/// Hands those events in that are not here; returns how many answers will come.
fn hand_in(
    store: &Store,
    source: &Source,
    events: Vec<NewEvent>,
    done: &mut TakenIn,
    is_dry: bool,
    now: Timestamp,
    answer: &Sender<Answer>,
) -> Result<usize> {
    let keys = events.iter().filter_map(|event| event.key.clone());
    let known = store.known_keys(source.id, keys.collect())?;
    let mut handed_in = 0;
    for (event, is_known) in events.into_iter().zip(known) {
        if is_known {
            done.had += 1;
            continue;
        }
        done.taken += 1;
        if !is_dry {
            let answer = answer.clone();
            store.accept_then(event, now, move |accepted| {
                // Nobody waits any more after an error.
                let _ = answer.send(accepted);
            });
            handed_in += 1;
        }
    }
    Ok(handed_in)
}

/// Waits for all answers that will come.
fn wait_for(answers: &Receiver<Answer>, waiting: &mut usize) -> Result<()> {
    while *waiting > 0 {
        answers.recv().unwrap_or(Err(Error::Stopped))?;
        *waiting -= 1;
    }
    Ok(())
}

/// The event of a line; `None` when it went round.
fn event_of(store: &Store, source: &Source, line: CarriedEvent) -> Result<Option<NewEvent>> {
    line.into_event(store.box_id(), source.id, &source.name)
}

/// Settles the pending deliveries to an endpoint whose events arrived, as a bundle says.
///
/// # Errors
/// As [`take_in`]; [`Error::Refused`] also when the endpoint has no secret.
pub fn acknowledge(
    store: &Store,
    path: &Path,
    endpoint: &str,
    is_dry: bool,
    now: Timestamp,
) -> Result<Acknowledged> {
    let directory = store.fresh_directory()?;
    let held = directory.require_endpoint(endpoint)?;
    let secrets = held.secrets_at(now);
    if secrets.is_empty() {
        return Err(Error::Refused(format!(
            "endpoint {endpoint} has no secret: that something arrived cannot be proved; give it one (--sign standard --secret-file FILE), at both sides"
        )));
    }
    let mut bundle = Bundle::open(path, store)?;
    let head = bundle.check(&secrets, |_: AckLine| Ok(()))?;
    let mut done = Acknowledged {
        from: head.from,
        ..Acknowledged::default()
    };
    let mut batch: Vec<EventId> = Vec::with_capacity(BATCH);
    let settle = |batch: &mut Vec<EventId>, done: &mut Acknowledged| {
        let events = std::mem::take(batch);
        done.arrived += events.len();
        done.settled += store.settle_arrived(endpoint, events, &done.from, is_dry, now)?;
        Ok::<(), Error>(())
    };
    bundle.each(|line: AckLine| {
        // Several boxes may send to one source. Without its mark a number may be that of another event.
        let ours = Some(line.arrived.as_str()).filter(|id| id.starts_with("evt_"));
        match ours.map(|id| store.box_id().parse_event(id)) {
            Some(Ok(event)) => batch.push(event),
            _ => done.of_others += 1,
        }
        match batch.len() {
            BATCH => settle(&mut batch, &mut done),
            _ => Ok(()),
        }
    })?;
    settle(&mut batch, &mut done)?;
    Ok(done)
}

/// A bundle, copied: what is checked is what is taken in, whoever writes to the stick meanwhile.
pub(super) struct Bundle<'p> {
    pub(super) path: &'p Path,
    pub(super) copy: File,
    /// The box that reads it.
    pub(super) own: String,
}

impl<'p> Bundle<'p> {
    fn open(path: &'p Path, store: &Store) -> Result<Bundle<'p>> {
        let mut from: Box<dyn Read> = match path == Path::new("-") {
            true => Box::new(std::io::stdin()),
            false => {
                let file = File::open(path).map_err(|error| Error::io_at("open", path, error))?;
                Box::new(file)
            }
        };
        // Beside the database is room for what comes into it. The copy has no name, and ends with the process.
        let folder = store.location().file().and_then(Path::parent);
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        let copied = match folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        };
        let copied = copied.and_then(|mut copy| {
            std::io::copy(&mut from, &mut copy)?;
            Ok(copy)
        });
        copied
            .map(|copy| Bundle {
                path,
                copy,
                own: store.box_id().to_string(),
            })
            .map_err(|error| Error::io_at("copy, to look through it,", path, error))
    }

    /// Looks through all of it: each line, the end, the signature.
    pub(super) fn check<L: Line>(
        &mut self,
        secrets: &[&Secret],
        each: impl FnMut(L) -> Result<()>,
    ) -> Result<Head> {
        secrets
            .iter()
            .try_for_each(|secret| bundle::check_secret(secret))?;
        let (head, end) = self.pass(each)?;
        let is_signed = |secret: &&Secret| {
            let signature = end.signature.as_deref();
            signature.is_some_and(|signature| bundle::verify(secret, &end.sha256, signature))
        };
        if !secrets.is_empty() && !secrets.iter().any(is_signed) {
            let why = match end.signature {
                None => "it is not signed, and a secret is set here; export it with that secret",
                Some(_) => "it is signed with another secret than the one that is set here",
            };
            return Err(Error::Refused(format!("{}: {why}", self.path.display())));
        }
        Ok(head)
    }

    /// Goes through the lines once more.
    fn each<L: Line>(&mut self, each: impl FnMut(L) -> Result<()>) -> Result<()> {
        self.pass(each).map(drop)
    }

    /// Reads all lines. The hash is that of what was read.
    fn pass<L: Line>(&mut self, mut each: impl FnMut(L) -> Result<()>) -> Result<(Head, End)> {
        let failed = |error| Error::io_at("read", self.path, error);
        self.copy.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut beginning = Vec::new();
        (&self.copy)
            .take(ENCRYPTED.len() as u64)
            .read_to_end(&mut beginning)
            .map_err(failed)?;
        if beginning == ENCRYPTED {
            return Err(self.wrong(
                "it is encrypted; decrypt it on the way: age -d -i KEY FILE | hookbox import bundle - ...",
            ));
        }
        self.copy.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut decoder = Decoder::new(&self.copy).map_err(failed)?;
        decoder.window_log_max(WINDOW_LOG_MAX).map_err(failed)?;
        let mut lines = Lines {
            from: BufReader::new(decoder),
            hash: Sha256::new(),
            bytes: Vec::new(),
        };
        let mut head: Option<Head> = None;
        let mut number = 0_u64;
        loop {
            number += 1;
            let at = |error: Error| match error {
                Error::Misuse(why) => self.wrong(format!("line {number}: {why}")),
                other => other,
            };
            if !lines.next().map_err(at)? {
                return Err(self.wrong(CUT_OFF));
            }
            match &head {
                None => {
                    let first: Head = serde_json::from_slice(&lines.bytes)
                        .map_err(|_| self.wrong("this is no bundle of hookbox"))?;
                    if first.hookbox_bundle != VERSION {
                        return Err(self.wrong(format!(
                            "it is of version {}, which this hookbox does not know; use a newer one",
                            first.hookbox_bundle
                        )));
                    }
                    let is_box = first.from.len() == 10
                        && first.from.bytes().all(|byte| byte.is_ascii_hexdigit());
                    if !is_box {
                        return Err(self.wrong("it does not say which box wrote it"));
                    }
                    if first.from == self.own {
                        return Err(self.wrong("this box wrote it itself; it is for another box"));
                    }
                    if first.what != L::WHAT {
                        return Err(self.wrong(first.what.described()));
                    }
                    head = Some(first);
                }
                Some(_) if lines.bytes.starts_with(b"{\"end\":") => {
                    let end: End = serde_json::from_slice(&lines.bytes)
                        .map_err(|error| at(Error::misuse(error.to_string())))?;
                    let before = hex::encode(lines.hash.finalize_reset());
                    if end.sha256 != before || end.end != number - 2 {
                        return Err(self.wrong("it is damaged; copy it again, or export it again"));
                    }
                    if lines.next().map_err(at)? {
                        return Err(self.wrong("something follows its end"));
                    }
                    let head = head.take().expect("the head is the first line");
                    return Ok((head, end));
                }
                Some(_) => {
                    let line: L = serde_json::from_slice(&lines.bytes)
                        .map_err(|error| at(Error::misuse(error.to_string())))?;
                    each(line).map_err(at)?;
                }
            }
            // The last line has the hash of those before it.
            lines.hash.update(&lines.bytes);
        }
    }

    /// An error that may repeat what a stranger wrote: cut, and without control characters.
    fn wrong(&self, why: impl std::fmt::Display) -> Error {
        let why = why.to_string();
        let told = why.chars().take(TOLD_CHARS_MAX);
        let told: String = told.map(|c| if c.is_control() { ' ' } else { c }).collect();
        Error::misuse(format!("{}: {told}", self.path.display()))
    }
}

/// The lines of a packed stream, with the hash of those that were looked at.
struct Lines<R> {
    from: R,
    hash: Sha256,
    bytes: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Reads the next line; false at the end of the stream.
    fn next(&mut self) -> Result<bool> {
        self.bytes.clear();
        let mut limited = (&mut self.from).take(LINE_BYTES_MAX as u64);
        // A stream that is no zstd, or is damaged, says so as an error of reading.
        limited
            .read_until(b'\n', &mut self.bytes)
            .map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => Error::misuse(CUT_OFF),
                _ => Error::misuse(format!(
                    "it is no bundle of hookbox, or damaged ({error}); copy it again, or export it again"
                )),
            })?;
        if self.bytes.is_empty() {
            return Ok(false);
        }
        if !self.bytes.ends_with(b"\n") {
            return match self.bytes.len() {
                LINE_BYTES_MAX.. => Err(Error::misuse("it is longer than a line may be")),
                _ => Ok(false),
            };
        }
        Ok(true)
    }
}
