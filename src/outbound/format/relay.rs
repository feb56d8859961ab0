//! Format `relay`: many events in one request, to another hookbox.

use super::{Content, Outgoing};
use crate::error::{Error, Result};
use crate::model::carried::CarriedEvent;
use crate::model::endpoint::Endpoint;
use crate::model::relay::{CONTENT_ENCODING, CONTENT_TYPE, Relayed, pack};

pub(super) fn content(endpoint: &Endpoint, events: Vec<Outgoing>) -> Result<Content> {
    // An id names its box: evt_<box>_<n>.
    let from = events
        .first()
        .and_then(|one| one.webhook_id.split('_').nth(1));
    let from = from.ok_or_else(|| Error::misuse("there is no event to relay"))?;
    let relayed = Relayed {
        from: from.to_owned(),
        is_ordered: endpoint.set.is_ordered,
        events: events
            .into_iter()
            .map(|one| {
                let passes = |name: &str| endpoint.set.connection.passes(name);
                CarriedEvent::of(one.event, one.webhook_id, passes)
            })
            .collect(),
    };
    Ok(Content {
        content_type: Some(CONTENT_TYPE.to_owned()),
        headers: vec![("Content-Encoding".to_owned(), CONTENT_ENCODING.to_owned())],
        body: pack(&relayed)?,
    })
}
