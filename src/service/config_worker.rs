//! Applies a configuration file at the start, and whenever it changes.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::worker::{Stop, Worker};
use crate::config::{Config, Plan};
use crate::error::Result;
use crate::store::Store;
use crate::time::Clock;

/// How often it looks whether a file changed.
const PERIOD: Duration = Duration::from_secs(2);

/// What tells one state of a file from another: when its entry changed, its size, and which file it is.
type Seen = Option<(i64, i64, u64, u64)>;

/// Applies the file; returns what was read, so that a change is seen.
///
/// # Errors
/// As [`Plan::of`] and [`Plan::apply`].
pub(super) fn apply(store: &Store, clock: &dyn Clock, path: &Path) -> Result<Vec<PathBuf>> {
    let config = Config::read(path)?;
    // One of several nodes is enough.
    if store.is_first_node() {
        let plan = Plan::of(&config, store, false)?;
        for one in plan.differences() {
            tracing::info!(change = one.change, table = %one.noun, name = one.name, "config.changes");
        }
        plan.apply(&config, store, false, clock.now())?;
    }
    Ok(config.files)
}

pub(super) fn start(
    store: Store,
    clock: Arc<dyn Clock>,
    path: PathBuf,
    files: Vec<PathBuf>,
) -> Result<Worker> {
    Worker::start("config_worker", move |stop| {
        run(&store, clock.as_ref(), &path, files, &stop);
    })
}

fn run(store: &Store, clock: &dyn Clock, path: &Path, mut files: Vec<PathBuf>, stop: &Stop) {
    let mut seen = seen_all(&files);
    while !stop.rest(PERIOD) {
        let now = seen_all(&files);
        if now == seen {
            continue;
        }
        match apply(store, clock, path) {
            Ok(read) => {
                files = read;
                seen = seen_all(&files);
            }
            Err(error) => {
                tracing::error!(error = error.chain(), "config.rejected");
                seen = now;
            }
        }
    }
}

/// The state of the files and of their folders: a file may be added that an include names with `*`.
fn seen_all(files: &[PathBuf]) -> Vec<Seen> {
    let folders = files.iter().filter_map(|file| file.parent());
    let folders = folders.map(|folder| match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    });
    let all = files.iter().map(PathBuf::as_path).chain(folders);
    all.map(|path| {
        let held = std::fs::metadata(path).ok()?;
        Some((held.ctime(), held.ctime_nsec(), held.size(), held.ino()))
    })
    .collect()
}
