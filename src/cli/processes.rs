//! The processes that have the database open, as far as the system shows them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Returns the processes that have a file open.
///
/// The system shows the processes of the same user, and shows all of them to root.
pub(super) fn processes_with(path: &Path) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // The files of a process that has just ended, or of another user's process, cannot be read.
        let files = std::fs::read_dir(entry.path().join("fd"));
        let mut files = files.into_iter().flatten().flatten();
        let has_it = files.any(|file| std::fs::read_link(file.path()).is_ok_and(|to| to == path));
        if has_it && id != std::process::id() {
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            found.push((id, name.trim().to_owned()));
        }
    }
    found.sort();
    found
}

/// The configuration file that a service follows, as it was started; `None` where there is none, or the process
/// is another user's.
pub(super) fn configuration_of(id: u32) -> Option<PathBuf> {
    let of = Path::new("/proc").join(id.to_string());
    let given = std::fs::read(of.join("cmdline")).ok()?;
    let words: Vec<&[u8]> = given.split(|byte| *byte == 0).collect();
    let file = words.windows(2).find_map(|pair| match pair {
        [b"--config", file] => Some(*file),
        [word, _] => word.strip_prefix(b"--config="),
        _ => None,
    })?;
    let folder = std::fs::read_link(of.join("cwd")).ok()?;
    Some(folder.join(OsStr::from_bytes(file)))
}

/// Formats processes as "12 (name), 13 (name)".
pub(super) fn listed(processes: &[(u32, String)]) -> String {
    let named = processes.iter().map(|(id, name)| format!("{id} ({name})"));
    named.collect::<Vec<_>>().join(", ")
}

/// Adds to an error which processes have the file open, if they are its cause.
pub(super) fn name_holders(error: Error) -> Error {
    let Error::InUse(path) = &error else {
        return error;
    };
    match processes_with(path) {
        found if found.is_empty() => error,
        found => Error::misuse(format!("{error}: {}", listed(&found))),
    }
}
