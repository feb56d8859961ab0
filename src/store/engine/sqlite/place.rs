//! The place of the file: what its path must be, and whether it is still the file that was opened.
//!
//! SQLite finds the write-ahead log by the name of the database. If a file has two names, or is mounted
//! alone, there are two logs, and neither has what is in the other. If the file was moved, replaced or
//! overwritten while a process has it open, that process writes to a file that nobody opens again.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::Connection;
use rustix::fs::statfs;

use crate::error::{Error, Result};

/// The path of a file beside the database.
pub(crate) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The folder of a path.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Which file a path leads to: its device and inode.
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Rejects a place where a database in WAL mode cannot work.
pub(crate) fn check(path: &Path) -> Result<()> {
    let bad = |why: String| {
        Err(Error::BadPlace {
            path: path.to_owned(),
            why,
        })
    };
    if let Some(name) = file_system(path)?.and_then(network_name) {
        return bad(format!(
            "lies on a network file system ({name}), on which processes cannot share a SQLite database in WAL mode (https://www.sqlite.org/wal.html); move it to a local disk"
        ));
    }
    if is_mount_point(path) {
        return bad(format!(
            "is mounted by itself (into a container, say), so that its write-ahead log would lie elsewhere and be lost; mount the folder that it is in, such as -v /srv/hookbox:/data, and use {}",
            Path::new("/data")
                .join(path.file_name().unwrap_or_default())
                .display()
        ));
    }
    let links = metadata(path)?.nlink();
    if links > 1 {
        return bad(format!(
            "has {links} names (hard links), and SQLite keeps a write-ahead log for each name; remove the others: find / -xdev -samefile {}",
            path.display()
        ));
    }
    Ok(())
}

fn metadata(path: &Path) -> Result<Metadata> {
    std::fs::metadata(path).map_err(|error| Error::io_at("look at", path, error))
}

/// Finds a trace of a former database with this name: the log that SQLite left, or the lock file of a
/// service.
pub(crate) fn left_of(path: &Path) -> Option<PathBuf> {
    ["-wal", ".lock"]
        .iter()
        .map(|ending| beside(path, ending))
        .find(|file| std::fs::symlink_metadata(file).is_ok())
}

/// The error for a path that is something else.
pub(crate) fn no_database(path: &Path) -> Error {
    Error::BadPlace {
        path: path.to_owned(),
        why: "is not a SQLite database; give another path".to_owned(),
    }
}

/// The error for a database that is gone, though a trace of it is left.
pub(crate) fn gone(path: &Path, left: &Path) -> Error {
    Error::BadPlace {
        path: path.to_owned(),
        why: format!(
            "is gone or empty, and {} says that there was a database: put it back, or a backup with `hookbox restore FILE`; to begin with a new one move its -wal, which may hold events that are nowhere else, and its .lock away",
            left.display()
        ),
    }
}

/// The error for a log beside a file that belongs to another file.
pub(crate) fn others_log(path: &Path) -> Error {
    let log = beside(path, "-wal");
    let lock = beside(path, ".lock");
    Error::BadPlace {
        path: path.to_owned(),
        why: format!(
            "was put in the place of a file that was served, whose log is still there ({}) and may hold events that are nowhere else: put that file back, or put a backup in place with `hookbox restore FILE`; where the file and its log were moved here together, remove {}",
            log.display(),
            lock.display()
        ),
    }
}

/// The magic number of the file system of a file (statfs(2)).
fn file_system(path: &Path) -> Result<Option<u64>> {
    let found = statfs(path).map_err(|error| Error::io_at("look at", path, error.into()))?;
    #[allow(
        clippy::unnecessary_cast,
        reason = "the type differs from one machine to another"
    )]
    Ok(cfg!(target_os = "linux").then_some(found.f_type as u64 & 0xffff_ffff))
}

/// The name of a network file system, by its magic number. File systems in user space (FUSE) share one
/// number, and some of them are local, so they are allowed.
fn network_name(magic: u64) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b => "SMB",
        0xff53_4d42 => "CIFS",
        0xfe53_4d42 => "SMB2",
        0x00c3_6400 => "Ceph",
        0x5346_414f => "AFS",
        0x7375_7245 => "Coda",
        0x0102_1997 => "9P",
        _ => return None,
    })
}

/// Why a file on this file system may be lost: a warning for the operator.
pub(crate) fn fleeting(path: &Path) -> Option<&'static str> {
    match file_system(path).ok()?? {
        0x0102_1994 | 0x8584_58f6 => Some("in memory (tmpfs): a restart of the machine loses it"),
        0x794c_7630 => Some("in a container's own layer (overlay): it goes with the container"),
        _ => None,
    }
}

/// Whether something is mounted at exactly this path, as far as the system shows it.
fn is_mount_point(path: &Path) -> bool {
    let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    is_mounted(path, &mounts)
}

/// Whether a path is the fifth field of a line of mountinfo (proc_pid_mountinfo(5)). Spaces and some other
/// characters are written there as a backslash and three octal digits.
fn is_mounted(path: &Path, mounts: &[u8]) -> bool {
    use std::os::unix::ffi::OsStrExt;

    let mut name = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => name.extend(format!("\\{byte:03o}").bytes()),
            _ => name.push(*byte),
        }
    }
    mounts
        .split(|byte| *byte == b'\n')
        .any(|line| line.split(|byte| *byte == b' ').nth(4) == Some(&name))
}

/// When a file was last written, and its length.
pub(crate) type Written = (Option<SystemTime>, u64);

/// The file that was opened, and its state when it was last checked.
pub(crate) struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
    written: Written,
    moved: Moved,
    /// Frames in the log at which this connection tries a checkpoint after each commit.
    tried_at: i64,
    /// Why the file is lost for good: an overwritten file cannot be restored.
    lost: Option<String>,
}

/// The result of a check of the path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The path is the same file.
    Same,
    /// The file was written to, and nothing shows by whom. Either a copy overwrote it, or another program
    /// is doing a checkpoint right now, which SQLite counts only when it is finished. With when it was written
    /// to.
    Doubtful(String, Written),
    /// The path is not this file any more.
    Gone(String),
}

/// How much of the log was moved into the file, and of which log. Every writer that writes to the file as
/// SQLite does changes this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Moved {
    frames: i64,
    moved: i64,
    salt: [u8; 8],
    /// Changes when another connection commits: an empty log that was filled and emptied again looks the
    /// same as before.
    others: i64,
}

impl Place {
    /// The state of the file that this connection has just opened.
    pub(crate) fn of(path: &Path, connection: &Connection) -> Result<Place> {
        let found = metadata(path)?;
        Ok(Place {
            path: path.to_owned(),
            device: found.dev(),
            inode: found.ino(),
            written: written(&found),
            moved: Moved::read(path, connection)?,
            tried_at: connection.query_row("pragma wal_autocheckpoint", [], |row| row.get(0))?,
            lost: None,
        })
    }

    /// Treats a doubtful file as lost, permanently.
    pub(crate) fn give_up(&mut self, why: String) {
        self.lost = Some(why);
    }

    /// Checks whether the path is still the file that was opened.
    pub(crate) fn look(&mut self, connection: &Connection) -> Look {
        if let Some(why) = &self.lost {
            return Look::Gone(why.clone());
        }
        let found = match std::fs::metadata(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Look::Gone(self.told("was moved or deleted"));
            }
            Err(error) => return Look::Gone(self.told(&format!("cannot be looked at: {error}"))),
        };
        if (found.dev(), found.ino()) != (self.device, self.inode) {
            return Look::Gone(self.told("was replaced by another file"));
        }
        if found.nlink() > 1 {
            return Look::Gone(self.told("was given a second name (hard link)"));
        }
        let is_written = self.written != written(&found);
        // After all of the log was moved into the file, the next commit restarts the log. So a complete
        // move is recorded here even if the file is unchanged: otherwise the next write could not be
        // explained.
        if !is_written && self.moved.moved < self.moved.frames {
            return Look::Same;
        }
        let doubtful = || {
            let why = self.told("was written over by something other than SQLite (a copy?)");
            Look::Doubtful(why, written(&found))
        };
        let moved = match Moved::read(&self.path, connection) {
            Ok(moved) => moved,
            Err(_) if is_written => return doubtful(),
            Err(_) => return Look::Same,
        };
        // A checkpoint moves only what was in the log, and SQLite counts that.
        let is_known = moved.moved != self.moved.moved
            || moved.salt != self.moved.salt
            || (moved.frames == 0 && moved.others != self.moved.others)
            // A checkpoint that fails midway, on a full disk, counts nothing; it is tried again and again.
            || (moved.frames >= self.tried_at && moved.moved < moved.frames);
        if is_written && !is_known {
            return doubtful();
        }
        self.take(moved, written(&found));
        Look::Same
    }

    /// Accepts the file as it was before a check that found it undamaged.
    pub(crate) fn accept(&mut self, connection: &Connection, before: Written) {
        if let Ok(moved) = Moved::read(&self.path, connection) {
            self.take(moved, before);
        }
    }

    /// Records both, unless the file was written to between them: what explains that write would explain
    /// one more.
    fn take(&mut self, moved: Moved, before: Written) {
        if std::fs::metadata(&self.path).is_ok_and(|found| written(&found) == before) {
            self.moved = moved;
            self.written = before;
        }
    }

    fn told(&self, what: &str) -> String {
        format!(
            "{} {what} while it was open; nothing is taken in or recorded any more: undo that, and it goes on; else stop this, put a backup in place with `hookbox restore FILE`, and start again",
            self.path.display()
        )
    }
}

pub(crate) fn written(found: &Metadata) -> Written {
    (found.modified().ok(), found.len())
}

impl Moved {
    fn read(path: &Path, connection: &Connection) -> Result<Moved> {
        let (frames, moved) = connection
            .prepare_cached("pragma wal_checkpoint(noop)")?
            .query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?;
        // A restarted log has another salt: bytes 16 to 24 of its header.
        let mut head = [0; 24];
        let mut salt = [0; 8];
        let read = File::open(beside(path, "-wal")).and_then(|mut log| log.read_exact(&mut head));
        if read.is_ok() {
            salt.copy_from_slice(&head[16..]);
        }
        Ok(Moved {
            frames,
            moved,
            salt,
            others: data_version(connection)?,
        })
    }
}

/// A number that changes when another connection commits.
pub(crate) fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("pragma data_version")?
        .query_row([], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_and_local_ones_let_pass() {
        assert_eq!(network_name(0x6969), Some("NFS"));
        assert_eq!(network_name(0xfe53_4d42), Some("SMB2"));
        // ext4, tmpfs, overlayfs, btrfs.
        for local in [0xef53, 0x0102_1994, 0x794c_7630, 0x9123_683e] {
            assert_eq!(network_name(local), None);
        }
        let folder = tempfile::tempdir().unwrap();
        check(folder.path()).unwrap_err();
        let file = folder.path().join("hookbox.db");
        std::fs::write(&file, b"").unwrap();
        check(&file).unwrap();
    }

    #[test]
    fn a_mount_is_known_by_its_own_path_alone() {
        let mounts = b"36 35 98:0 /data/hookbox.db /srv/my\\040box/hookbox.db rw - ext4 /dev/sda1 rw\n37 35 98:0 / /srv rw - ext4 /dev/sda1 rw";
        assert!(is_mounted(Path::new("/srv/my box/hookbox.db"), mounts));
        assert!(is_mounted(Path::new("/srv"), mounts));
        for other in ["/srv/my box", "/data/hookbox.db", "/srv/hookbox.db"] {
            assert!(!is_mounted(Path::new(other), mounts), "{other}");
        }
    }
}
