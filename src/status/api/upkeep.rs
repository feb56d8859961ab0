//! API operations on the file: totals, and removing old events.

use serde_json::Value;

use super::schema::{Field, Kind, Schema};
use super::{Call, Input, Operation, Output};
use crate::error::Result;
use crate::status::deadline::until_deadline;
use crate::time::Timestamp;

const PRUNE: &[Field] = &[
    Field("before", Kind::Text, false),
    Field("dry_run", Kind::Flag, true),
    Field("cursor", Kind::Text, true),
];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "GET",
        path: "/stats",
        id: "stats",
        help: "Totals",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Stats),
        status: 200,
        run: |call| Ok(call.store.stats()?.json()),
    },
    Operation {
        method: "POST",
        path: "/prune",
        id: "prune",
        help: "Remove events that came, and whose deliveries were settled, before a time (RFC 3339, or an age such as 90d). It works for two seconds; where complete is false there is more to look at: ask again, with next as the cursor",
        query: &[],
        input: Input::Fields(PRUNE, 1),
        output: Output::One(Schema::Pruned),
        status: 200,
        run: prune,
    },
];

fn prune(call: &Call<'_>) -> Result<Value> {
    let before = Timestamp::parse(call.required("before")?, call.now)?;
    let is_dry = call.flag("dry_run")?;
    let cursor = call.text("cursor")?.filter(|cursor| !cursor.is_empty());
    let after = cursor.map(|id| call.box_id().parse_event(id)).transpose()?;
    let goes_on = until_deadline(call.clock);
    let pruned = if is_dry {
        call.store
            .preview_prune(before, after, call.now, |_| goes_on())?
    } else {
        call.store.prune(before, after, call.now, |_| goes_on())?
    };
    Ok(pruned.json(call.box_id(), is_dry))
}
