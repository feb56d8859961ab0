//! Which endpoints want an event. This is decided before the transaction, in the thread that
//! submits the event.
//!
//! An expression may take a while, and while the writer's transaction is open nothing else can be
//! stored. The result is valid for one version of the directory. In the rare case that an endpoint
//! was changed in the meantime, the writer decides again.

use crate::model::event::EventRecord;
use crate::model::filter::Wanted;
use crate::model::id::EndpointId;
use crate::model::large_body::on_large_body_pool;
use crate::model::scope::Scope;
use crate::store::engine::directory::Directory;

/// The endpoints that want an event.
pub(crate) struct Routes {
    version: i64,
    pub(crate) endpoints: Vec<Route>,
}

/// One endpoint that wants the event.
pub(crate) struct Route {
    pub(crate) endpoint: EndpointId,
    /// The error of its expression, if it failed.
    pub(crate) when_error: Option<String>,
}

impl Routes {
    /// Finds the endpoints that want an event with this scope and this body size.
    pub(crate) fn find<'s>(
        directory: &Directory,
        bytes: usize,
        scope: impl FnOnce() -> Scope<'s> + Send,
    ) -> Routes {
        let mut endpoints = directory.endpoints().iter();
        match endpoints.any(|endpoint| endpoint.set.filters.when.is_some()) {
            true => on_large_body_pool(bytes, || Routes::of(directory, &scope())),
            false => Routes::of(directory, &scope()),
        }
    }

    pub(crate) fn of(directory: &Directory, scope: &Scope<'_>) -> Routes {
        let regular = directory.endpoints().iter();
        let regular = regular.filter(|endpoint| !endpoint.set.gets_only_replays);
        let wanted = regular.filter_map(|endpoint| {
            let when_error = match endpoint.set.filters.wants(scope) {
                Wanted::No => return None,
                Wanted::Yes => None,
                Wanted::InDoubt(error) => Some(error),
            };
            Some(Route {
                endpoint: endpoint.id,
                when_error,
            })
        });
        let endpoints = wanted.collect();
        Routes {
            version: directory.version(),
            endpoints,
        }
    }

    /// Logs every expression that failed.
    pub(crate) fn tell_of_failures(&self, directory: &Directory, event_type: &str) {
        for route in &self.endpoints {
            if let Some(error) = &route.when_error
                && let Some(endpoint) = directory.endpoint_by_id(route.endpoint)
            {
                let endpoint = endpoint.set.name.as_str();
                tracing::warn!(endpoint, event_type, error, "endpoint.when_failed");
            }
        }
    }

    /// Whether the routes were found with this directory.
    pub(crate) fn is_of(&self, directory: &Directory) -> bool {
        self.version == directory.version()
    }
}

/// The data that filters may use of a stored event.
pub(crate) fn stored_scope<'a>(
    directory: &Directory,
    event: &'a EventRecord,
    body: &'a [u8],
) -> Scope<'a> {
    let source = event.source.as_deref();
    let known = source.and_then(|name| directory.source(name));
    Scope {
        kind: known.map(|source| source.kind),
        branch: event.facts.branch.as_deref(),
        headers: &event.headers,
        content_type: event.content_type.as_deref(),
        ..Scope::new(&event.event_type, source, body)
    }
}
