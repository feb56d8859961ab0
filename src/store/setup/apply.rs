//! Makes many sources, endpoints and alerts as they shall be, or removes them, at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::alert::{all as all_alerts, insert_alert, is_alert, remove_alert, update_alert};
use super::endpoint::{add_endpoint, change_endpoint, check_sources, remove_endpoint_batch};
use super::source::{add_source, change_source, remove_source};
use crate::error::{Error, Result};
use crate::model::alert::{Memory, NewAlert};
use crate::model::endpoint::NewEndpoint;
use crate::model::source::NewSource;
use crate::store::engine::Store;
use crate::store::engine::directory::{self, Directory};
use crate::store::engine::job::Tx;
use crate::time::Timestamp;

/// What shall be: it is added, changed where its name is known, or removed.
#[derive(Debug)]
pub enum Setup {
    /// A source.
    Source(NewSource),
    /// An endpoint.
    Endpoint(Box<NewEndpoint>),
    /// An alert; it goes to an endpoint.
    Alert(NewAlert),
    /// The source of this name is removed.
    NoSource(String),
    /// The endpoint of this name is removed.
    NoEndpoint {
        /// Its name.
        name: String,
        /// Whether what is pending to it may be cancelled.
        cancel_pending: bool,
    },
    /// The alert of this name is removed.
    NoAlert(String),
}

/// Stands for a dry run that came to its end.
const FITS: usize = usize::MAX - 1;

/// An error, and which of the things it is about.
pub type SetupError = (Option<usize>, Error);

impl Store {
    /// Which state of the sources and endpoints a directory is.
    #[doc(hidden)]
    pub fn config_version(&self, directory: &Directory) -> i64 {
        directory.version()
    }

    /// Makes all as it shall be, in one transaction and in this order: what one thing names comes before it,
    /// or is removed after it.
    ///
    /// # Errors
    /// [`Error::Misuse`] with the one that does not fit, or when the directory is no longer of this version.
    /// Nothing is changed then, and nothing by a dry run.
    #[doc(hidden)]
    pub fn set_up(
        &self,
        setups: Vec<Setup>,
        version: i64,
        is_dry: bool,
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
                _ => String::new(),
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
            working.store(usize::MAX, Ordering::Relaxed);
            check_names(tx, &setups)?;
            match is_dry {
                false => Ok(()),
                // Whoever fails is undone.
                true => {
                    working.store(FITS, Ordering::Relaxed);
                    Err(Error::misuse("all of it would fit"))
                }
            }
        });
        done.or_else(|error| match at_work.load(Ordering::Relaxed) {
            FITS => Ok(()),
            usize::MAX => Err((None, error)),
            at => Err((Some(at), error)),
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
        Setup::NoSource(name) => remove_source(tx, name, now)?,
        Setup::NoEndpoint {
            name,
            cancel_pending,
        } => while !remove_endpoint_batch(tx, name, *cancel_pending, now)?.1 {},
        Setup::NoAlert(name) => remove_alert(tx, name)?,
    }
    // What comes next may name it.
    if let Some(newer) = directory::newer(tx.conn, &tx.directory)? {
        tx.directory = newer.into();
    }
    Ok(())
}

/// Checks that what was removed is named by nothing that is left.
fn check_names(tx: &Tx<'_>, setups: &[Setup]) -> Result<()> {
    if !setups
        .iter()
        .any(|setup| matches!(setup, Setup::NoSource(_)))
    {
        return Ok(());
    }
    for endpoint in tx.directory.endpoints() {
        check_sources(tx, endpoint.set.filters.sources.as_ref())
            .map_err(|error| Error::misuse(format!("endpoint {}: {error}", endpoint.set.name)))?;
    }
    for alert in all_alerts(tx.conn)? {
        let mut named = alert.alert.set.about.sources();
        named.try_for_each(|name| tx.directory.require_source(name).map(drop))?;
    }
    Ok(())
}
