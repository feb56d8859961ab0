//! File permissions: the owner of files that we create, and why a file cannot be opened.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, Gid, Uid, accessat, fchown};

use crate::error::Error;
use crate::store::engine::sqlite::place::folder_of;

/// Gives a new file the owner and group of another file, if this process runs as root. The service that
/// owns the other file must be able to open the new one.
pub(crate) fn give_to(file: &File, other: &Metadata) -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        let (user, group) = (Uid::from_raw(other.uid()), Gid::from_raw(other.gid()));
        fchown(file, Some(user), Some(group))?;
    }
    Ok(())
}

/// Gives a new file the permissions of another file, as SQLite does for its log.
pub(crate) fn open_as(file: &File, other: &Metadata) -> io::Result<()> {
    give_to(file, other)?;
    if file.metadata()?.gid() != other.gid() {
        // A member of the group may do this. If it fails, the mode alone decides.
        let _ = fchown(file, None, Some(Gid::from_raw(other.gid())));
    }
    let mode = std::fs::Permissions::from_mode(other.mode() & 0o777);
    file.set_permissions(mode)
}

/// The error for a file that cannot be `done`, which says what is missing; `None` if no reason is found.
pub(crate) fn denied(doing: &str, path: &Path) -> Option<Error> {
    let folder = folder_of(path);
    let (place, way) = in_the_way(path, folder)?;
    let metadata = std::fs::metadata(&place).ok()?;
    let id = rustix::process::geteuid().as_raw();
    let (user, owner) = (user_name(id), user_name(metadata.uid()));
    let advice = match id == metadata.uid() {
        true => format!("let its owner {way} (chmod)"),
        false => format!("run it as `{owner}`, or let `{user}` {way}"),
    };
    let text = format!(
        "permission denied: {} belongs to `{owner}` (mode {:04o}) and this runs as `{user}`; {advice}",
        place.display(),
        metadata.mode() & 0o7777,
    );
    let cause = io::Error::new(ErrorKind::PermissionDenied, text);
    Some(Error::io_at(doing, path, cause))
}

/// The first path that this process lacks permission for, and the permission that it lacks.
fn in_the_way(path: &Path, folder: &Path) -> Option<(PathBuf, &'static str)> {
    let may = |place: &Path, access| accessat(CWD, place, access, AtFlags::EACCESS).is_ok();
    // From the root down, as the system checks.
    let above: Vec<&Path> = folder.ancestors().collect();
    let closed = above
        .iter()
        .rev()
        .find(|place| place.is_dir() && !may(place, Access::EXEC_OK));
    if let Some(place) = closed {
        return Some((place.to_path_buf(), "pass through it"));
    }
    let side = |end: &str| PathBuf::from(format!("{}{end}", path.display()));
    let files = [path.to_owned(), side("-wal"), side("-shm")];
    let mut files = files.into_iter().filter(|file| file.exists());
    if let Some(file) = files.find(|file| !may(file, Access::READ_OK | Access::WRITE_OK)) {
        return Some((file, "read and write it"));
    }
    (!may(folder, Access::WRITE_OK)).then(|| {
        (
            folder.to_owned(),
            "write in it: files go beside the database",
        )
    })
}

/// The name of a user, if `/etc/passwd` has it.
pub(crate) fn user_name(id: u32) -> String {
    name_in("/etc/passwd", id).unwrap_or_else(|| format!("user {id}"))
}

/// The name of a group, if `/etc/group` has it.
pub(crate) fn group_name(id: u32) -> String {
    name_in("/etc/group", id).unwrap_or_else(|| format!("group {id}"))
}

/// The first field of the line whose third field is this number.
fn name_in(file: &str, id: u32) -> Option<String> {
    let known = std::fs::read_to_string(file).unwrap_or_default();
    known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id.to_string()).then(|| name.to_owned())
    })
}
