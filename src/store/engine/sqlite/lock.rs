//! One scheduler per file: a lock that is held as long as its process lives.
//!
//! What is in flight is known only in the memory of the one scheduler, so a second scheduler would send
//! everything twice. The lock is on a file beside the database, never on the database itself: closing any
//! file descriptor of the database would release SQLite's own locks (POSIX locks belong to the process).

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use rustix::fs::OFlags;

use crate::error::{Error, Result};
use crate::store::engine::sqlite::permission::{denied, give_to, open_as};
use crate::store::engine::sqlite::place::{beside, folder_of, identity};

/// The right to run the scheduler on a file. The lock ends when this is dropped or the process dies.
#[derive(Debug)]
pub(crate) struct ServeLock {
    // Shared with the code that checks whether the file still has its name.
    file: Arc<Mutex<File>>,
    /// The lines that the last process left after the header.
    left: Vec<u8>,
}

/// No code panics while it holds this mutex.
const NO_PANIC: &str = "nobody panics with the lock's file locked";

impl ServeLock {
    /// Takes the lock of a database file and writes this process's id into the lock file.
    ///
    /// # Errors
    /// [`Error::AlreadyServing`] with the holder's process id when another process holds the lock;
    /// [`Error::Io`] when the lock file cannot be created, or the name belongs to something else.
    pub(crate) fn take(database: &Path) -> Result<ServeLock> {
        let (file, left) = take(database)?;
        Ok(ServeLock {
            file: Arc::new(Mutex::new(file)),
            left,
        })
    }

    /// Records which file is served, after another file got this name.
    pub(crate) fn renew(&self, database: &Path) {
        let mut file = self.file.lock().expect(NO_PANIC);
        if let Err(error) = write_words(&mut file, database) {
            tracing::debug!(%error, "the lock file names another database still");
        }
    }

    /// The lines that the last process left after the header; empty if the machine was restarted since.
    pub(crate) fn left(&self) -> &[u8] {
        &self.left
    }

    /// A handle for other code to watch the lock, as long as it is held.
    pub(crate) fn watched(&self) -> Watched {
        Watched(Arc::downgrade(&self.file))
    }
}

impl Drop for ServeLock {
    fn drop(&mut self) {
        // The file stays: if it were removed, two processes could hold locks on two files with one name.
        let _ = self.file.lock().expect(NO_PANIC).unlock();
    }
}

/// A handle to the lock, which other code in this process owns.
#[derive(Debug, Default)]
pub(crate) struct Watched(Weak<Mutex<File>>);

impl Watched {
    /// Whether the lock is held.
    pub(crate) fn is_held(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// Writes a line after the header.
    pub(crate) fn write_line(&self, line: usize, text: &[u8]) -> io::Result<()> {
        let Some(held) = self.0.upgrade() else {
            return Ok(());
        };
        let place = WORDS_BYTES + line * LINE_BYTES;
        held.lock()
            .expect(NO_PANIC)
            .write_all_at(text, place as u64)
    }

    /// Takes the lock again if the lock file was removed, so that no other process can take it.
    ///
    /// # Errors
    /// As [`ServeLock::take`]: another process took it first.
    pub(crate) fn keep(&self, database: &Path) -> Result<()> {
        let Some(held) = self.0.upgrade() else {
            return Ok(());
        };
        let mut held = held.lock().expect(NO_PANIC);
        let of = |found: Metadata| (found.dev(), found.ino());
        let named = std::fs::symlink_metadata(beside(database, ".lock")).map(of);
        if named.is_ok() && named.ok() == held.metadata().map(of).ok() {
            return Ok(());
        }
        *held = take(database)?.0;
        tracing::warn!(database = %database.display(), "the lock file was removed, and is made again");
        Ok(())
    }
}

/// The locked file, and the lines that the last process left in it.
fn take(database: &Path) -> Result<(File, Vec<u8>)> {
    let path = beside(database, ".lock");
    let mut file = open(database, &path).map_err(|error| not_one(&path, error))?;
    if !lock_patiently(&file).map_err(|error| Error::io_at("lock", &path, error))? {
        return Err(Error::AlreadyServing {
            path: database.to_owned(),
            pid: read_pid(&mut file),
        });
    }
    let left = read_left(&mut file);
    // A full disk must not keep the service from starting: the lock works without the process id.
    if let Err(error) = write_words(&mut file, database) {
        tracing::warn!(%error, path = %path.display(), "cannot write the process id into the lock file");
    }
    Ok((file, left))
}

/// The lines after the header; empty if the machine was restarted since.
fn read_left(file: &mut File) -> Vec<u8> {
    let is_of_now = read_words(file).is_some_and(|words| words.trim_end().ends_with(&boot()));
    let mut lines = Vec::new();
    let place = SeekFrom::Start(WORDS_BYTES as u64);
    let read = file.seek(place).and_then(|_| {
        let few = (MOST_LINES * LINE_BYTES) as u64;
        file.take(few).read_to_end(&mut lines)
    });
    match is_of_now && read.is_ok() {
        true => lines,
        false => Vec::new(),
    }
}

/// Whether a process serves this database right now.
pub(crate) fn is_served(database: &Path) -> bool {
    held(database).is_some()
}

/// The process that serves this database right now.
#[cfg(feature = "cli")]
pub(crate) fn serving_process(database: &Path) -> Option<u32> {
    read_pid(&mut held(database)?)
}

/// The lock file, if a process holds its lock.
fn held(database: &Path) -> Option<File> {
    let file = reading().open(beside(database, ".lock")).ok()?;
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then_some(file)
}

/// How the lock file is opened for reading. A symbolic link is not followed: it may lead to a file that is
/// not ours to write.
fn reading() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32);
    options
}

/// Opens the lock file, or creates one with the same permissions as the database.
fn open(database: &Path, path: &Path) -> io::Result<File> {
    let mut options = reading();
    options.write(true);
    match options.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        opened => return opened,
    }
    match options.create_new(true).mode(0o600).open(path) {
        // Another process created it in the meantime.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            options.create_new(false).open(path)
        }
        Err(error) => Err(error),
        Ok(file) => {
            match std::fs::metadata(database) {
                Ok(found) => open_as(&file, &found)?,
                // There is no database yet: a backup is to be restored here.
                Err(_) => give_to(&file, &std::fs::metadata(folder_of(database))?)?,
            }
            Ok(file)
        }
    }
}

fn not_one(path: &Path, error: io::Error) -> Error {
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        let text = "it is a link or a folder, and is left alone; remove it";
        return Error::io_at("lock", path, io::Error::new(ErrorKind::InvalidInput, text));
    }
    denied("open", path).unwrap_or_else(|| Error::io_at("open", path, error))
}

/// Size of the header. A service writes into it its process id, the device and inode of the database file
/// that it serves, and the boot id that these numbers belong to. The header is padded to overwrite a longer
/// old one.
const WORDS_BYTES: usize = 64;

/// Size of a line after the header: an item in progress, for the next process to read.
pub(crate) const LINE_BYTES: usize = 64;

/// Maximum lines that are read: more than there are threads.
const MOST_LINES: usize = 1_024;

/// The boot id, if the system has one: eight digits that differ after each start of the machine.
fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.chars().take(8).collect()
}

/// Writes the header, unless the file holds something that no service wrote.
fn write_words(file: &mut File, database: &Path) -> io::Result<()> {
    let length = file.metadata()?.len();
    let words = read_words(file).unwrap_or_default();
    let is_ours = words.len() == WORDS_BYTES && words.ends_with('\n') && read_pid(file).is_some();
    if length > 0 && !is_ours {
        let text = "it holds something else, which is left as it is";
        return Err(io::Error::new(ErrorKind::InvalidData, text));
    }
    let (device, inode) = identity(database).unwrap_or_default();
    let words = format!("{} {device} {inode} {}", std::process::id(), boot());
    let width = WORDS_BYTES - 1;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{words:<width$}\n").as_bytes())?;
    file.set_len(WORDS_BYTES as u64)
}

/// Whether a process serves the very file that this path leads to now. If the file was replaced, the
/// service of the old file still holds the lock.
pub(crate) fn is_this_served(database: &Path) -> bool {
    let served = served_file(database);
    served.is_some() && served == identity(database) && is_served(database)
}

/// The file that was last served with this name, if that was since the machine was started.
fn served_file(database: &Path) -> Option<(u64, u64)> {
    let mut file = reading().open(beside(database, ".lock")).ok()?;
    let words = read_words(&mut file)?;
    let mut words = words.split_whitespace().skip(1);
    let (device, inode) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (words.next()? == boot()).then_some((device, inode))
}

/// Whether the log beside a file belongs to another file, which was served with this name and then
/// replaced: `SQLite` would read that log into this file.
pub(crate) fn has_others_log(database: &Path) -> bool {
    let served = served_file(database);
    if served.is_none() || served == identity(database) {
        return false;
    }
    let log = std::fs::metadata(beside(database, "-wal")).map_or(0, |found| found.len());
    if log == 0 {
        // From now on the name stands for this file, and its log will be here.
        rename_served(database);
    }
    log > 0
}

/// Records which file the name stands for from now on, if no process serves one.
fn rename_served(database: &Path) {
    let Ok(file) = reading().write(true).open(beside(database, ".lock")) else {
        return;
    };
    if file.try_lock().is_ok() {
        let lock = ServeLock {
            file: Arc::new(Mutex::new(file)),
            left: Vec::new(),
        };
        lock.renew(database);
    }
}

/// Tries to take the lock, a little longer than [`is_served`] holds it: a command that only checks must not
/// keep a service from starting. Returns false when another process holds the lock.
#[allow(
    clippy::disallowed_methods,
    reason = "a lock of another process cannot be waited on for a bounded time"
)]
fn lock_patiently(file: &File) -> std::io::Result<bool> {
    const TRIES: u32 = 5;
    const BETWEEN: Duration = Duration::from_millis(50);
    for attempt in 1..=TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if attempt < TRIES => std::thread::sleep(BETWEEN),
            Err(TryLockError::WouldBlock) => {}
        }
    }
    Ok(false)
}

fn read_words(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(WORDS_BYTES as u64)
        .read_to_string(&mut text)
        .ok()?;
    Some(text)
}

fn read_pid(file: &mut File) -> Option<u32> {
    read_words(file)?.split_whitespace().next()?.parse().ok()
}
