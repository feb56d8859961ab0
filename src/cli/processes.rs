//! The processes that have the database open, as far as the system shows them.

use std::path::Path;

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
