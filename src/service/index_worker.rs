//! Keeps the full-text index up to date, on a thread of its own.

use std::time::Duration;

use super::worker::{Stop, Worker};
use crate::error::Result;
use crate::store::{IndexWork, Store};

/// How often it looks for new events, and how long it rests between two transactions.
const PERIOD: Duration = Duration::from_secs(2);
const REST: Duration = Duration::from_millis(5);

pub(super) fn start(store: Store) -> Result<Worker> {
    let mut index = store.make_text_index()?;
    Worker::start("index_worker", move |stop| run(&store, &mut index, &stop))
}

fn run(store: &Store, index: &mut IndexWork, stop: &Stop) {
    let mut was_away = false;
    loop {
        let rest = match store.index_some(index) {
            Ok(has_more) => {
                was_away = false;
                if has_more { REST } else { PERIOD }
            }
            // Searches read the bodies meanwhile.
            Err(error) => {
                if !was_away {
                    tracing::warn!(error = error.chain(), "text_index.cannot_write");
                }
                was_away = true;
                PERIOD
            }
        };
        if stop.rest(rest) {
            return;
        }
    }
}
