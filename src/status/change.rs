//! Changing endpoints and sources by settings' names, as the API and forms do: checked as a whole
//! before anything is changed.

use crate::error::Result;
use crate::model::endpoint::NewEndpoint;
use crate::model::settings::{set_endpoint, set_source};
use crate::model::source::NewSource;
use crate::store::Store;
use crate::time::Timestamp;

pub(super) fn change_endpoint(
    store: &Store,
    name: &str,
    changes: Vec<(String, String)>,
    now: Timestamp,
) -> Result<()> {
    let report = store.endpoint_report(name)?;
    set_endpoint(&mut report.endpoint.set.clone(), &changes)?;
    let change = move |endpoint: &mut NewEndpoint| {
        // It was checked above; another person's change since is no fault of this one.
        let mut changed = endpoint.clone();
        if set_endpoint(&mut changed, &changes).is_ok() {
            *endpoint = changed;
        }
    };
    store.set_endpoint(name, change, now)
}

pub(super) fn change_source(
    store: &Store,
    name: &str,
    changes: Vec<(String, String)>,
    now: Timestamp,
) -> Result<()> {
    let report = store.source_report(name)?;
    set_source(&mut NewSource::from(&report.source), &changes)?;
    let change = move |source: &mut NewSource| {
        let mut changed = source.clone();
        if set_source(&mut changed, &changes).is_ok() {
            *source = changed;
        }
    };
    store.set_source(name, change, now)
}
