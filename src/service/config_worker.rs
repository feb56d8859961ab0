//! Applies a configuration file at the start, and whenever it changes.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::ConfigFile;
use super::worker::{Stop, Worker};
use crate::config::{Config, Plan};
use crate::error::Result;
use crate::store::Store;
use crate::time::Clock;

/// How often it looks whether a file changed. What changed is applied when it was the same twice: a file that
/// is being written is not read.
const PERIOD: Duration = Duration::from_secs(1);

/// What tells one state of a file from another: when its entry changed, its size, and which file it is.
type Seen = Option<(i64, i64, u64, u64)>;

/// The options of `[serve]`, by name.
type Options = Vec<(String, Vec<String>)>;

/// A file that is followed.
pub(super) struct Followed {
    file: ConfigFile,
    /// What it was made of when it was read last.
    files: Vec<PathBuf>,
    /// The options with which the service was started.
    options: Options,
    /// The state of the files that is applied, if one is.
    applied: Option<Vec<Seen>>,
    /// The state at the last look.
    last: Vec<Seen>,
    /// What was told last, so that it is told once.
    told: String,
}

impl Followed {
    /// Applies a file for the first time.
    ///
    /// # Errors
    /// As [`Config::read`], [`Plan::of`] and [`Plan::apply`].
    pub(super) fn begin(store: &Store, clock: &dyn Clock, file: &ConfigFile) -> Result<Followed> {
        let mut followed = Followed {
            file: file.clone(),
            files: Vec::new(),
            options: Vec::new(),
            applied: None,
            last: Vec::new(),
            told: String::new(),
        };
        let (options, left) = followed.apply(store, clock)?;
        followed.tell(&left);
        followed.options = options;
        Ok(followed)
    }

    /// Applies the file; returns its options, and what is left to do when something else has happened.
    fn apply(&mut self, store: &Store, clock: &dyn Clock) -> Result<(Options, String)> {
        let mut files = Vec::new();
        let config = Config::read_noting(&self.file.path, &mut files);
        // What was wrong may be put right in a file that was read for the first time.
        self.files = files;
        let config = config?;
        (self.file.check)(&config)?;
        let options = config.serve.iter();
        let options = options.map(|option| (option.name.clone(), option.values.clone()));
        let options = options.collect();
        // One of several nodes is enough.
        if !store.is_first_node() {
            return Ok((options, String::new()));
        }
        let mut plan = Plan::of(&config, store, false)?;
        let left = plan.leave_pending(store)?;
        let changes = plan.differences().to_vec();
        plan.apply(&config, store, false, false, clock.now())?;
        for one in changes {
            tracing::info!(change = one.change, table = %one.noun, name = one.name, "config.changes");
        }
        let left = match left.as_slice() {
            [] => String::new(),
            left => format!(
                "not in the file any more, and removed when nothing is pending to them: {}",
                left.join(", ")
            ),
        };
        Ok((options, left))
    }

    fn tell(&mut self, what: &str) {
        if !what.is_empty() && what != self.told {
            tracing::warn!(what, "config.left");
        }
        what.clone_into(&mut self.told);
    }

    /// The options that are others than when the service was started.
    fn changed(&self, options: &Options) -> String {
        let both = options.iter().chain(&self.options);
        let differs = |option: &&(String, Vec<String>)| {
            !(options.contains(option) && self.options.contains(option))
        };
        let mut names: Vec<&str> = both
            .filter(differs)
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    }

    /// Looks whether the files changed, and applies them once they have stopped to.
    fn look(&mut self, store: &Store, clock: &dyn Clock) {
        let now = seen_all(&self.files);
        if self.applied.as_ref() == Some(&now) {
            self.last = now;
            return;
        }
        if self.last != now {
            self.last = now;
            return;
        }
        let before = self.files.clone();
        match self.apply(store, clock) {
            Ok((options, left)) => {
                let is_done = left.is_empty() && before == self.files;
                let changed = self.changed(&options);
                let what = match changed.is_empty() {
                    true => left,
                    false => {
                        format!("{changed} of [serve] has changed: restart the service for that")
                    }
                };
                if what.is_empty() && !self.told.is_empty() {
                    tracing::info!("config.applied");
                }
                self.tell(&what);
                self.applied = is_done.then_some(now);
            }
            Err(error) => {
                let error = error.chain();
                if error != self.told {
                    tracing::error!(error, "config.rejected");
                }
                self.told = error;
            }
        }
    }
}

pub(super) fn start(store: Store, clock: Arc<dyn Clock>, mut followed: Followed) -> Result<Worker> {
    Worker::start("config_worker", move |stop: Stop| {
        while !stop.rest(PERIOD) {
            followed.look(&store, clock.as_ref());
            store.note_config_problem(&followed.told);
        }
    })
}

fn seen_all(files: &[PathBuf]) -> Vec<Seen> {
    let seen = |path: &PathBuf| {
        let held = std::fs::metadata(path).ok()?;
        Some((held.ctime(), held.ctime_nsec(), held.size(), held.ino()))
    };
    files.iter().map(seen).collect()
}
