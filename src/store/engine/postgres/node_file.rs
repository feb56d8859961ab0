//! A node's own file on its machine, where it notes what it works on for the process that comes after it.
//!
//! systemd names a folder for it (`StateDirectory=`); elsewhere it is among the temporary files. Nothing in it
//! outlives a restart of the machine.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::model::id::BoxId;
use crate::store::engine::sqlite::lock::ServeLock;

/// Nodes of one database on one machine that have a file.
const NODES_MAX: u32 = 16;

/// Takes the first file that no living node has. Without one, the node serves all the same.
pub(crate) fn take(box_id: &BoxId) -> Option<ServeLock> {
    let folder = folder();
    match take_in(&folder, box_id) {
        Ok(lock) => lock,
        Err(error) => {
            tracing::warn!(
                error = error.chain(),
                folder = %folder.display(),
                "cannot note what is worked on: what ends the process is not set aside; name a folder with STATE_DIRECTORY"
            );
            None
        }
    }
}

fn folder() -> PathBuf {
    let named = std::env::var_os("STATE_DIRECTORY").filter(|folder| !folder.is_empty());
    let first = named.and_then(|folders| std::env::split_paths(&folders).next());
    first.unwrap_or_else(std::env::temp_dir)
}

fn take_in(folder: &Path, box_id: &BoxId) -> Result<Option<ServeLock>> {
    for number in 0..NODES_MAX {
        let name = format!("hookbox-{box_id}-{number}");
        // Among the temporary files anybody may have made one of this name.
        let is_of_another = std::fs::symlink_metadata(folder.join(format!("{name}.lock")))
            .is_ok_and(|found| found.uid() != rustix::process::geteuid().as_raw());
        if is_of_another {
            continue;
        }
        match ServeLock::take(&folder.join(name)) {
            Err(Error::AlreadyServing { .. }) => {}
            taken => return taken.map(Some),
        }
    }
    Ok(None)
}
