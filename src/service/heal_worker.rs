//! Takes in by itself what a forge sent and never arrived: after a start, and now and then.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::worker::{Stop, Worker};
use crate::error::Result;
use crate::inbound::{
    ForgeApi, Import, Imported, Redelivery, ask_again, import, source_of, usual_since,
};
use crate::model::attempt::Response;
use crate::model::endpoint::EndpointUrl;
use crate::model::header::Header;
use crate::model::kind::SourceKind;
use crate::outbound::{ApiClient, Egress};
use crate::signature::Secret;
use crate::store::{Forge, ForgeLocation, Retention, Store};
use crate::time::Clock;

/// A forge, and where it keeps what it sent.
#[derive(Debug, Clone)]
pub struct Healed {
    /// What it is.
    pub kind: SourceKind,
    /// Where it keeps that.
    pub from: HealedFrom,
}

/// Where a forge keeps what it sent.
#[derive(Debug, Clone)]
pub enum HealedFrom {
    /// In its database.
    Database(ForgeLocation),
    /// Behind its API.
    Api {
        /// The webhook there.
        hook: EndpointUrl,
        /// What the API is asked with.
        token: Secret,
    },
}

impl fmt::Display for HealedFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HealedFrom::Database(database) => database.fmt(f),
            HealedFrom::Api { hook, .. } => f.write_str(&hook.redacted(None)),
        }
    }
}

/// The API of a forge over the network.
#[derive(Debug)]
pub struct NetworkApi(pub ApiClient);

impl ForgeApi for NetworkApi {
    fn ask(&self, is_post: bool, url: &EndpointUrl, headers: &[Header]) -> Result<Response> {
        self.0.ask(is_post, url, headers)
    }
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
    egress: Egress,
) -> Result<Worker> {
    let api = NetworkApi(ApiClient::new(clock.clone(), egress)?);
    Worker::start("heal_worker", move |stop| {
        run(&store, clock.as_ref(), &api, &healing, retention, &stop);
    })
}

fn run(
    store: &Store,
    clock: &dyn Clock,
    api: &dyn ForgeApi,
    healing: &Healing,
    retention: Retention,
    stop: &Stop,
) {
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
                let trouble = heal(store, clock, api, healed, kept);
                let trouble = trouble.unwrap_or_else(|error| error.chain());
                if !trouble.is_empty() && trouble != *said {
                    tracing::warn!(from = %healed.from, trouble, "heal.left_out");
                }
                *said = trouble;
            }
        }
        if stop.rest(healing.every) {
            return;
        }
    }
}

/// Takes in, or asks for, what is missing; returns what could not be.
fn heal(
    store: &Store,
    clock: &dyn Clock,
    api: &dyn ForgeApi,
    healed: &Healed,
    kept: Option<Duration>,
) -> Result<String> {
    let now = clock.now();
    let source = source_of(store, healed.kind, None)?;
    let since = usual_since(store, &source, kept, now)?;
    match &healed.from {
        HealedFrom::Database(database) => {
            let asked = Import {
                since,
                source,
                url: None,
                is_dry: false,
            };
            let imported = import(store, &Forge::open(database)?, &asked, now)?;
            Ok(tell(healed, &imported))
        }
        HealedFrom::Api { hook, token } => {
            let asked = Redelivery {
                since,
                source,
                hook: hook.clone(),
                token: token.clone(),
                is_dry: false,
            };
            let done = ask_again(store, api, &asked, now)?;
            if done.asked > 0 {
                tracing::info!(from = %healed.from, asked = done.asked, "heal.asked_again");
            }
            Ok(String::new())
        }
    }
}

/// Logs what was taken in; returns what could not be.
fn tell(healed: &Healed, imported: &Imported) -> String {
    if imported.taken > 0 {
        tracing::info!(from = %healed.from, taken = imported.taken, "heal.taken_in");
    }
    let refused = imported.refused.iter();
    let refused: Vec<String> = refused
        .map(|(uuid, why)| format!("{uuid}: {why}"))
        .collect();
    refused.join("; ")
}
