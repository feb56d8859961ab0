//! API operations on sources: create, change, remove, list rejected requests.

use serde_json::{Value, json};

use super::schema::Schema;
use super::{Call, Input, Operation, Output, ROTATE, page};
use crate::error::{Error, Result};
use crate::model::rejected::RejectedRequest;
use crate::model::settings::{SOURCE_SETTINGS, source_change};
use crate::model::source::{NewSource, RelayBox};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "GET",
        path: "/sources",
        id: "listSources",
        help: "Sources with what came through them",
        query: &[],
        input: Input::Nothing,
        output: Output::Page(Schema::Source),
        status: 200,
        run: |call| {
            let reports = call.store.source_reports()?;
            let items = reports.iter().map(|report| report.json(call.now));
            Ok(page(items.collect(), None))
        },
    },
    Operation {
        method: "POST",
        path: "/sources",
        id: "addSource",
        help: "Add a source",
        query: &[],
        input: Input::Settings(&["name", "kind"], &SOURCE_SETTINGS),
        output: Output::One(Schema::Source),
        status: 201,
        run: |call| {
            let name = call.required("name")?;
            let mut source = NewSource::of(name, call.required("kind")?.parse()?);
            source_change(&call.settings(&["name", "kind"])?)?.make(&mut source)?;
            call.store.add_source(source, call.now)?;
            show(call, name)
        },
    },
    Operation {
        method: "GET",
        path: "/sources/{name}",
        id: "showSource",
        help: "One source",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Source),
        status: 200,
        run: |call| show(call, call.part(0)),
    },
    Operation {
        method: "PATCH",
        path: "/sources/{name}",
        id: "setSource",
        help: "Change what is named; null brings back what is usual",
        query: &[],
        input: Input::Settings(&[], &SOURCE_SETTINGS),
        output: Output::One(Schema::Source),
        status: 200,
        run: |call| {
            let changes = call.settings(&[])?;
            if changes.is_empty() {
                return Err(Error::misuse("nothing to change was named"));
            }
            let (name, change) = (call.part(0), source_change(&changes)?);
            call.store
                .set_source(name, move |source| change.make(source), call.now)?;
            show(call, name)
        },
    },
    Operation {
        method: "DELETE",
        path: "/sources/{name}",
        id: "removeSource",
        help: "Remove a source; its events stay",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Removed),
        status: 200,
        run: |call| {
            call.store.remove_source(call.part(0), call.now)?;
            Ok(json!({ "removed": call.part(0), "cancelled": 0 }))
        },
    },
    Operation {
        method: "POST",
        path: "/sources/{name}/rotate-secret",
        id: "rotateSourceSecret",
        help: "Take a new secret, and for a while (24h unless said) the old one too",
        query: &[],
        input: Input::Fields(ROTATE, 1),
        output: Output::One(Schema::Source),
        status: 200,
        run: |call| {
            let (secret, overlap) = call.new_secret()?;
            call.store
                .rotate_source_secret(call.part(0), secret, overlap, call.now)?;
            show(call, call.part(0))
        },
    },
    Operation {
        method: "GET",
        path: "/sources/{name}/refusals",
        id: "listRefusals",
        help: "The latest requests that a source refused, newest first",
        query: &[],
        input: Input::Nothing,
        output: Output::Page(Schema::Refusal),
        status: 200,
        run: |call| {
            let refusals = call.store.refusals(call.part(0))?;
            let items = refusals.iter().map(RejectedRequest::json);
            Ok(page(items.collect(), None))
        },
    },
    Operation {
        method: "GET",
        path: "/sources/{name}/boxes",
        id: "listRelayBoxes",
        help: "The boxes that relay their events to a source, the one that was heard last first",
        query: &[],
        input: Input::Nothing,
        output: Output::Page(Schema::RelayBox),
        status: 200,
        run: |call| {
            let boxes = call.store.relay_boxes(call.part(0))?;
            Ok(page(boxes.iter().map(RelayBox::json).collect(), None))
        },
    },
];

fn show(call: &Call<'_>, name: &str) -> Result<Value> {
    Ok(call.store.source_report(name)?.json(call.now))
}
