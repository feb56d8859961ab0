//! Takes in by itself what a forge sent and never arrived: after a start, and now and then.

use std::sync::Arc;
use std::time::Duration;

use super::worker::{Stop, Worker};
use crate::error::Result;
use crate::inbound::{Import, Imported, import, source_of, usual_since};
use crate::model::kind::SourceKind;
use crate::store::{Forge, Location, Retention, Store};
use crate::time::Clock;

/// A forge on this machine, and its database.
#[derive(Debug, Clone)]
pub struct Healed {
    /// What it is.
    pub kind: SourceKind,
    /// Its database.
    pub database: Location,
}

/// What is healed, and how often.
#[derive(Debug, Clone)]
pub struct Healing {
    /// The forges.
    pub forges: Vec<Healed>,
    /// The wait between two looks.
    pub every: Duration,
}

impl Default for Healing {
    /// Nothing, every five minutes.
    fn default() -> Healing {
        Healing {
            forges: Vec::new(),
            every: Duration::from_secs(300),
        }
    }
}

/// With a limit of the file's size everything may be removed that is older.
const ALWAYS_KEPT: Duration = Duration::from_secs(3_600);

pub(super) fn start(
    store: Store,
    clock: Arc<dyn Clock>,
    healing: Healing,
    retention: Retention,
) -> Result<Worker> {
    Worker::start("heal_worker", move |stop| {
        run(&store, clock.as_ref(), &healing, retention, &stop);
    })
}

fn run(store: &Store, clock: &dyn Clock, healing: &Healing, retention: Retention, stop: &Stop) {
    // What was removed here must not come again.
    let kept = [retention.delivered, retention.dead];
    let kept = kept.into_iter().flatten();
    let kept = kept.chain(retention.size_max.map(|_| ALWAYS_KEPT)).min();
    // What is still so is said once.
    let mut said = vec![String::new(); healing.forges.len()];
    loop {
        // One of several nodes is enough.
        if store.is_first_node() {
            for (healed, said) in healing.forges.iter().zip(&mut said) {
                let trouble = match heal(store, clock, healed, kept) {
                    Ok(imported) => tell(healed, &imported),
                    Err(error) => error.chain(),
                };
                if !trouble.is_empty() && trouble != *said {
                    let database = &healed.database;
                    tracing::warn!(%database, trouble, "heal.left_out");
                }
                *said = trouble;
            }
        }
        if stop.rest(healing.every) {
            return;
        }
    }
}

fn heal(
    store: &Store,
    clock: &dyn Clock,
    healed: &Healed,
    kept: Option<Duration>,
) -> Result<Imported> {
    let now = clock.now();
    let source = source_of(store, healed.kind, None)?;
    let asked = Import {
        since: usual_since(store, &source, kept, now)?,
        source,
        url: None,
        is_dry: false,
    };
    import(store, &Forge::open(&healed.database)?, &asked, now)
}

/// Logs what was taken in; returns what could not be.
fn tell(healed: &Healed, imported: &Imported) -> String {
    if imported.taken > 0 {
        tracing::info!(
            database = %healed.database,
            taken = imported.taken,
            "heal.taken_in"
        );
    }
    let refused = imported.refused.iter();
    let refused: Vec<String> = refused
        .map(|(uuid, why)| format!("{uuid}: {why}"))
        .collect();
    refused.join("; ")
}
