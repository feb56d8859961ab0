//! What the operating system does not let be opened: whose it is, and who asks.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::error::Error;

/// The error for a file that cannot be `done`, in words that say what stands in the way; `None` where
/// nothing is seen to.
#[cfg(unix)]
pub(super) fn denied(doing: &str, path: &Path) -> Option<Error> {
    use std::os::unix::fs::MetadataExt;

    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (place, way) = in_the_way(path, folder)?;
    let metadata = std::fs::metadata(&place).ok()?;
    let id = rustix::process::geteuid().as_raw();
    let (user, owner) = (name_of(id), name_of(metadata.uid()));
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

/// What is not let to this process of all that it needs, and what it would have to be let do.
#[cfg(unix)]
fn in_the_way(path: &Path, folder: &Path) -> Option<(PathBuf, &'static str)> {
    let may = |place: &Path, access| accessat(CWD, place, access, AtFlags::EACCESS).is_ok();
    // From the root down, as the system goes.
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

/// A user by name, where `/etc/passwd` has one.
#[cfg(unix)]
fn name_of(id: u32) -> String {
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id.to_string()).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("user {id}"))
}

/// Elsewhere the system's own words have to do.
#[cfg(not(unix))]
pub(super) fn denied(_doing: &str, _path: &Path) -> Option<Error> {
    None
}
