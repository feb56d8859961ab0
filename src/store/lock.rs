//! One scheduler a file: a lock that lives as long as its process.
//!
//! What is in flight is known only in the memory of the one scheduler, so a second one would send
//! everything twice. The lock is on a file beside the database, never on the database itself:
//! closing any handle of that would drop SQLite's own locks (POSIX locks belong to the process).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};

/// The right to run the scheduler on a file. Dropping it, or dying, gives it up.
#[derive(Debug)]
pub struct ServeLock {
    file: File,
}

impl ServeLock {
    /// Takes the lock of a database file and writes this process's id into it.
    ///
    /// # Errors
    /// [`Error::AlreadyServing`] with the holder's process id when somebody has it;
    /// [`Error::Io`] when the lock file cannot be made.
    pub(super) fn take(database: &Path) -> Result<ServeLock> {
        let path = lock_path(database);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options
            .open(&path)
            .map_err(|error| Error::io_at("open", &path, error))?;
        if !lock_patiently(&file).map_err(|error| Error::io_at("lock", &path, error))? {
            return Err(Error::AlreadyServing {
                path: database.to_owned(),
                pid: read_pid(&mut file),
            });
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()));
        // A full disk must not keep the service from starting: the lock holds without the number.
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "cannot write the process id into the lock file");
        }
        Ok(ServeLock { file })
    }
}

impl Drop for ServeLock {
    fn drop(&mut self) {
        // The file stays: removing it would let two processes hold locks on two files of one name.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

/// Whether some process serves this database right now.
pub(super) fn is_served(database: &Path) -> bool {
    match File::open(lock_path(database)) {
        Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

/// Tries for the lock a little longer than [`is_served`] holds it: a command that looks whether
/// somebody serves must not keep a service from starting. False when somebody has it.
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

fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
