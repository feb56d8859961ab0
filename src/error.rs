//! The errors that stop an operation of hookbox.
//!
//! A receiver's refusal, timeout or reset is never an [`Error`]: it is an outcome, stored and shown. An
//! [`Error`] means that hookbox could not do its own work.
//!
//! `Display` prints only this layer; `source()` returns the cause; `main` joins the chain.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every error that can stop an operation.
///
/// It is cheap to clone, since one failed commit answers many callers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for something that cannot be done.
    ///
    /// For example a bad URL, an unknown kind, an empty secret or a name used twice. Nothing was changed.
    /// The text says what to do.
    Misuse(String),
    /// The named thing does not exist. Nothing was changed.
    NotFound(String),
    /// A check failed, e.g. a signature does not match. The text says why.
    Refused(String),
    /// This node does not have the lane of the endpoint any more: another one may send there.
    LaneLost,
    /// There is no database of hookbox's at this path or URL. Create one with `hookbox init`.
    NoDatabase(String),
    /// The file is another program's database, and the caller did not allow what it takes to use it.
    ///
    /// Add `--into-existing`, or `--wal` where `mode` is given.
    ForeignDatabase {
        /// The database file.
        path: PathBuf,
        /// Its journal mode, if it must be put into WAL mode (permanently) to be used.
        mode: Option<String>,
    },
    /// There can be no database in this place.
    ///
    /// The file is no database, is on a network file system, is mounted by itself or has several names; or
    /// the database is gone, and only its log is left. The text says what to do.
    BadPlace {
        /// The database file.
        path: PathBuf,
        /// The problem, as the rest of a sentence.
        why: String,
    },
    /// The file was written by a newer hookbox. Use that version, or another file.
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// The schema version in the file.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The file was made before the first release, by a version that is not supported.
    ///
    /// Use another file.
    OlderSchema {
        /// The database file.
        path: PathBuf,
        /// The schema version in the file.
        found: i64,
        /// The version that this program needs.
        needed: i64,
    },
    /// Another `serve` already works on this file.
    AlreadyServing {
        /// The database file.
        path: PathBuf,
        /// The other process's id, if it could be read.
        pid: Option<u32>,
    },
    /// Another program has the database open.
    ///
    /// It would go on with a file that no longer exists. End that program first.
    InUse(PathBuf),
    /// The database failed. [`Error::is_unavailable`] says whether trying later may help.
    Database {
        /// The operation.
        doing: &'static str,
        /// The kind of the failure.
        fault: DatabaseFault,
        /// The database's own error.
        cause: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The operating system failed: a file, a socket, a thread.
    Io {
        /// The operation, with the path or address.
        doing: String,
        /// The operating system's error.
        cause: Arc<io::Error>,
    },
    /// The store accepts nothing now: its file is damaged or replaced, or the disk is nearly full.
    ///
    /// The text says which, and what to do. Nothing was written.
    Closed(String),
    /// The store's writer has stopped, since the process is stopping.
    Stopped,
}

/// The kind of a database failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatabaseFault {
    /// Another program holds the write lock; it will release the lock sooner or later.
    Locked,
    /// Another node changed the same rows at the same moment; trying again helps.
    Conflict,
    /// The file is damaged or no longer a database: a person must fix it.
    Damaged,
    /// The file cannot be used now: the disk is full or read-only, I/O failed, memory is short.
    Unavailable,
    /// Anything else: trying again does not help.
    Other,
}

/// The result of an operation of hookbox.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Makes an error for bad input; the text says what to do.
    pub(crate) fn misuse(text: impl Into<String>) -> Error {
        Error::Misuse(text.into())
    }

    /// Makes an error for a thing that does not exist.
    pub(crate) fn not_found(text: impl Into<String>) -> Error {
        Error::NotFound(text.into())
    }

    /// Makes an error for a database that is not as the program expects it.
    pub(crate) fn unexpected(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Database {
            doing: "use the database",
            fault: DatabaseFault::Other,
            cause: Arc::from(what.into()),
        }
    }

    /// Makes an error for an operating-system failure on a path.
    pub(crate) fn io_at(doing: &str, path: &Path, cause: io::Error) -> Error {
        Error::io(format!("{doing} {}", path.display()), cause)
    }

    /// Makes an error for an operating-system failure.
    pub(crate) fn io(doing: impl Into<String>, cause: io::Error) -> Error {
        Error::Io {
            doing: doing.into(),
            cause: Arc::new(cause),
        }
    }

    /// Whether the store cannot write *now*, so that trying again later may work.
    ///
    /// The disk is full or read-only, an I/O call failed, another program holds the write lock, or the file
    /// is damaged or gone (which a person must fix).
    ///
    /// The HTTP listener answers 503 with `Retry-After` for these errors (RFC 9110, section 15.6.4).
    pub fn is_unavailable(&self) -> bool {
        match self {
            Error::Database { fault, .. } => *fault != DatabaseFault::Other,
            Error::Stopped | Error::Closed(_) => true,
            _ => false,
        }
    }

    /// Whether trying again later may work without a person's help: the store is unavailable, but not
    /// damaged.
    pub(crate) fn may_pass(&self) -> bool {
        self.is_unavailable() && !self.is_damage()
    }

    /// Whether another program holds the write lock, which it will release sooner or later.
    pub(crate) fn is_locked_out(&self) -> bool {
        self.is_fault(DatabaseFault::Locked)
    }

    /// Whether another node changed the same rows at the same moment.
    pub(crate) fn is_conflict(&self) -> bool {
        self.is_fault(DatabaseFault::Conflict)
    }

    /// Whether the database is damaged.
    pub(crate) fn is_damage(&self) -> bool {
        self.is_fault(DatabaseFault::Damaged)
    }

    fn is_fault(&self, wanted: DatabaseFault) -> bool {
        matches!(self, Error::Database { fault, .. } if *fault == wanted)
    }

    /// The error for an address that cannot be listened on; `option` sets another one.
    pub(crate) fn cannot_listen(
        address: std::net::SocketAddr,
        what: &str,
        option: &str,
        error: std::io::Error,
    ) -> Error {
        let error = match error.kind() {
            std::io::ErrorKind::AddrInUse => std::io::Error::new(
                error.kind(),
                format!(
                    "another program listens there; end it, or choose another address: {option}"
                ),
            ),
            _ => error,
        };
        Error::io(format!("listen on {address} for {what}"), error)
    }

    /// Returns the exit code of the command line: 1 failed, 2 misused, 3 not found.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Misuse(_) | Error::InUse(_) => 2,
            Error::NotFound(_) | Error::NoDatabase(_) => 3,
            _ => 1,
        }
    }

    /// Returns this error and its causes, joined by `: `.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Misuse(text)
            | Error::NotFound(text)
            | Error::Refused(text)
            | Error::Closed(text) => f.write_str(text),
            Error::LaneLost => f.write_str(
                "this node does not have the endpoint's lane any more; whoever has it sends what is not recorded",
            ),
            // A URL is shown without its password.
            Error::NoDatabase(place) if place.contains("://") => write!(
                f,
                "hookbox's tables are not at {place}; make them with `hookbox init` and this URL, or name another"
            ),
            Error::NoDatabase(place) => write!(
                f,
                "no database at {place}; name another one, or make one with `hookbox init --db {place}`"
            ),
            Error::ForeignDatabase { path, mode: None } => write!(
                f,
                "{} is another program's database; to add hookbox's tables to it, run `hookbox init --into-existing --db {}`",
                path.display(),
                path.display()
            ),
            Error::ForeignDatabase {
                path,
                mode: Some(mode),
            } => write!(
                f,
                "{} is another program's too, and in {mode} mode; hookbox needs WAL mode, which the file keeps for every program that opens it (writers and readers go on beside each other; two files, -wal and -shm, lie beside it): to put it in WAL mode run `hookbox init --into-existing --wal --db {}`",
                path.display(),
                path.display()
            ),
            Error::BadPlace { path, why } => write!(f, "{} {why}", path.display()),
            Error::NewerSchema { path, found, known } => write!(
                f,
                "{} has schema version {found}, this hookbox knows up to {known}; use the newer hookbox",
                path.display()
            ),
            Error::OlderSchema {
                path,
                found,
                needed,
            } => write!(
                f,
                "{} has schema version {found} of before the first release, this hookbox works with {needed}; move it away and begin with a new file",
                path.display()
            ),
            Error::AlreadyServing {
                path,
                pid: Some(pid),
            } => write!(
                f,
                "{} is already being served by process {pid}; stop that one first, or serve another file",
                path.display()
            ),
            Error::AlreadyServing { path, pid: None } => write!(
                f,
                "{} is already being served by another process; stop that one first, or serve another file",
                path.display()
            ),
            Error::InUse(path) => write!(
                f,
                "another program has {} open; end it first",
                path.display()
            ),
            Error::Database { doing, .. } => write!(f, "cannot {doing}"),
            Error::Io { doing, .. } => write!(f, "cannot {doing}"),
            Error::Stopped => f.write_str("the store has stopped"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Database { cause, .. } => Some(cause.as_ref()),
            Error::Io { cause, .. } => Some(cause.as_ref()),
            _ => None,
        }
    }
}
