//! Makes many sources, endpoints and alerts as they shall be, at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::alert::{insert_alert, is_alert, update_alert};
use super::endpoint::{add_endpoint, change_endpoint};
use super::source::{add_source, change_source};
use crate::error::{Error, Result};
use crate::model::alert::{Memory, NewAlert};
use crate::model::endpoint::NewEndpoint;
use crate::model::source::NewSource;
use crate::store::engine::Store;
use crate::store::engine::directory::{self, Directory};
use crate::store::engine::job::Tx;
use crate::time::Timestamp;

/// What shall be: it is added, or changed where its name is known.
#[derive(Debug)]
pub enum Setup {
    /// A source.
    Source(NewSource),
    /// An endpoint.
    Endpoint(Box<NewEndpoint>),
    /// An alert; it goes to an endpoint.
    Alert(NewAlert),
}

/// An error, and which of the things it is about.
pub type SetupError = (Option<usize>, Error);

impl Store {
    /// Which state of the sources and endpoints a directory is.
    pub fn config_version(&self, directory: &Directory) -> i64 {
        directory.version()
    }

    /// Makes all as it shall be, in one transaction: sources first, then endpoints, then alerts.
    ///
    /// # Errors
    /// [`Error::Misuse`] with the one that does not fit, or when the directory is no longer of this version.
    /// Nothing is changed then.
    pub fn set_up(
        &self,
        setups: Vec<Setup>,
        version: i64,
        now: Timestamp,
    ) -> std::result::Result<(), SetupError> {
        let whole = |error| (None, error);
        let held = self.fresh_directory().map_err(whole)?;
        let snapshot = self.snapshot(now).map_err(whole)?;
        let mut memories = Vec::with_capacity(setups.len());
        for (at, setup) in setups.iter().enumerate() {
            let memory = match setup {
                Setup::Endpoint(endpoint) => {
                    let held = held.endpoint(&endpoint.name).map(|held| &held.set);
                    self.check_template(endpoint, held)
                        .map_err(|error| (Some(at), error))?;
                    String::new()
                }
                Setup::Alert(alert) => Memory::beginning(&snapshot, alert).stored(),
                Setup::Source(_) => String::new(),
            };
            memories.push(memory);
        }
        // An error says nothing of which one it is about.
        let at_work = Arc::new(AtomicUsize::new(usize::MAX));
        let working = at_work.clone();
        let done = self.write(move |tx| {
            working.store(usize::MAX, Ordering::Relaxed);
            if tx.directory.version() != version {
                return Err(Error::misuse(
                    "somebody changed sources or endpoints meanwhile; look again at what would change",
                ));
            }
            for (at, (setup, memory)) in setups.iter().zip(&memories).enumerate() {
                working.store(at, Ordering::Relaxed);
                set_up_one(tx, setup, memory, now)?;
            }
            Ok(())
        });
        done.map_err(|error| {
            let at = at_work.load(Ordering::Relaxed);
            ((at != usize::MAX).then_some(at), error)
        })
    }
}

fn set_up_one(tx: &mut Tx<'_>, setup: &Setup, memory: &str, now: Timestamp) -> Result<()> {
    match setup {
        Setup::Source(source) => match tx.directory.source(&source.name).cloned() {
            Some(held) => change_source(tx, &held, source, now)?,
            None => add_source(tx, source, now).map(drop)?,
        },
        Setup::Endpoint(endpoint) => match tx.directory.endpoint(&endpoint.name).cloned() {
            Some(held) => change_endpoint(tx, &held, endpoint, now)?,
            None => {
                endpoint.check_ahead(now)?;
                add_endpoint(tx, endpoint, now).map(drop)?;
            }
        },
        Setup::Alert(alert) => match is_alert(tx, &alert.name)? {
            true => update_alert(tx, alert, now)?,
            false => insert_alert(tx, alert, memory, now)?,
        },
    }
    // What comes next may name it.
    if let Some(newer) = directory::newer(tx.conn, &tx.directory)? {
        tx.directory = newer.into();
    }
    Ok(())
}
