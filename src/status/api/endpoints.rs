//! API operations on endpoints: create, change, hold, try, remove.

use serde_json::{Value, json};

use super::schema::{Field, Kind, Schema};
use super::{Call, Input, Operation, Output, ROTATE, page, parameter};
use crate::error::{Error, Result};
use crate::model::endpoint::{EndpointReport, HELD_BY_HAND, NewEndpoint, hold_reason};
use crate::model::settings::{self, ENDPOINT_SETTINGS, endpoint_change};

const HOLD: &[Field] = &[Field("reason", Kind::Text, true)];
const HOLD_ALL: &[Field] = &[
    Field("pattern", Kind::Text, false),
    Field("reason", Kind::Text, true),
    Field("dry_run", Kind::Flag, true),
];
const RESUME_ALL: &[Field] = &[
    Field("pattern", Kind::Text, false),
    Field("dry_run", Kind::Flag, true),
];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "GET",
        path: "/endpoints",
        id: "listEndpoints",
        help: "Endpoints with how they fare",
        query: &[],
        input: Input::Nothing,
        output: Output::Page(Schema::Endpoint),
        status: 200,
        run: |call| {
            let reports = call.store.endpoint_reports()?;
            Ok(page(
                reports.iter().map(EndpointReport::json).collect(),
                None,
            ))
        },
    },
    Operation {
        method: "POST",
        path: "/endpoints",
        id: "addEndpoint",
        help: "Add an endpoint",
        query: &[],
        input: Input::Settings(&["name", "url"], &ENDPOINT_SETTINGS),
        output: Output::One(Schema::Endpoint),
        status: 201,
        run: add,
    },
    Operation {
        method: "GET",
        path: "/endpoints/{name}",
        id: "showEndpoint",
        help: "One endpoint with how it fares",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Endpoint),
        status: 200,
        run: |call| show(call, call.part(0)),
    },
    Operation {
        method: "PATCH",
        path: "/endpoints/{name}",
        id: "setEndpoint",
        help: "Change what is named; null brings back what is usual",
        query: &[],
        input: Input::Settings(&[], &ENDPOINT_SETTINGS),
        output: Output::One(Schema::Endpoint),
        status: 200,
        run: set,
    },
    Operation {
        method: "POST",
        path: "/endpoints/{name}/copy",
        id: "copyEndpoint",
        help: "Add an endpoint like this one, with its secrets; what is named differs",
        query: &[],
        input: Input::Settings(&["name"], &ENDPOINT_SETTINGS),
        output: Output::One(Schema::Endpoint),
        status: 201,
        run: |call| {
            let name = call.required("name")?;
            let change = endpoint_change(&call.settings(&["name"])?)?;
            call.store
                .copy_endpoint(call.part(0), name, |copy| change.make(copy), call.now)?;
            show(call, name)
        },
    },
    Operation {
        method: "DELETE",
        path: "/endpoints/{name}",
        id: "removeEndpoint",
        help: "Remove an endpoint; its deliveries stay to be looked at",
        query: &[parameter(
            settings::Kind::Flag,
            "cancel_pending",
            "Whether pending deliveries may be cancelled",
        )],
        input: Input::Nothing,
        output: Output::One(Schema::Removed),
        status: 200,
        run: |call| {
            let cancel_pending = call.query("cancel_pending") == Some("true");
            let name = call.part(0);
            let cancelled = call.store.remove_endpoint(name, cancel_pending, call.now)?;
            Ok(json!({ "removed": name, "cancelled": cancelled }))
        },
    },
    Operation {
        method: "POST",
        path: "/endpoints/hold",
        id: "holdEndpoints",
        help: "Stop sending to all that a pattern (ci-*) names; with dry_run it says which these are",
        query: &[],
        input: Input::Fields(HOLD_ALL, 1),
        output: Output::One(Schema::Named),
        status: 200,
        run: |call| {
            let (pattern, is_dry) = (call.required("pattern")?.parse()?, call.flag("dry_run")?);
            let reason = hold_reason(call.text("reason")?.unwrap_or(HELD_BY_HAND))?;
            let names = match is_dry {
                true => call.store.endpoints_named(&pattern)?,
                false => call.store.hold_endpoints(&pattern, reason, call.now)?,
            };
            Ok(json!({ "endpoints": names, "dry_run": is_dry }))
        },
    },
    Operation {
        method: "POST",
        path: "/endpoints/resume",
        id: "resumeEndpoints",
        help: "Go on sending to all that a pattern (ci-*) names; with dry_run it says which these are",
        query: &[],
        input: Input::Fields(RESUME_ALL, 1),
        output: Output::One(Schema::Named),
        status: 200,
        run: |call| {
            let (pattern, is_dry) = (call.required("pattern")?.parse()?, call.flag("dry_run")?);
            let names = match is_dry {
                true => call.store.endpoints_named(&pattern)?,
                false => call.store.resume_endpoints(&pattern)?,
            };
            Ok(json!({ "endpoints": names, "dry_run": is_dry }))
        },
    },
    Operation {
        method: "POST",
        path: "/endpoints/{name}/hold",
        id: "holdEndpoint",
        help: "Stop sending there; everything is kept",
        query: &[],
        input: Input::Fields(HOLD, 0),
        output: Output::One(Schema::Endpoint),
        status: 200,
        run: |call| {
            let reason = call
                .text("reason")?
                .filter(|reason| !reason.trim().is_empty());
            let reason = hold_reason(reason.unwrap_or(HELD_BY_HAND))?;
            call.store.hold_endpoint(call.part(0), reason, call.now)?;
            show(call, call.part(0))
        },
    },
    Operation {
        method: "POST",
        path: "/endpoints/{name}/resume",
        id: "resumeEndpoint",
        help: "Go on sending there",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Endpoint),
        status: 200,
        run: |call| {
            call.store.resume_endpoint(call.part(0))?;
            show(call, call.part(0))
        },
    },
    Operation {
        method: "POST",
        path: "/endpoints/{name}/try",
        id: "tryEndpoint",
        help: "Try at once whatever waits for its next try",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Hurried),
        status: 200,
        run: |call| {
            let name = call.part(0);
            let made_due = call.store.try_endpoint(name, call.now)?;
            Ok(json!({ "endpoint": name, "made_due": made_due }))
        },
    },
    Operation {
        method: "POST",
        path: "/endpoints/{name}/test",
        id: "testEndpoint",
        help: "Send a test event to this endpoint alone",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Made),
        status: 201,
        run: |call| {
            let made = call.store.test_endpoint(call.part(0), call.now)?;
            let delivery = call.store.delivery(made)?;
            let box_id = call.box_id();
            Ok(json!({ "delivery": box_id.delivery(made), "event": box_id.event(delivery.event) }))
        },
    },
    Operation {
        method: "POST",
        path: "/endpoints/{name}/rotate-secret",
        id: "rotateEndpointSecret",
        help: "Sign with a new secret, and for a while (24h unless said) with the old one too, where the scheme allows it",
        query: &[],
        input: Input::Fields(ROTATE, 1),
        output: Output::One(Schema::Endpoint),
        status: 200,
        run: |call| {
            let (secret, overlap) = call.new_secret()?;
            call.store
                .rotate_endpoint_secret(call.part(0), secret, overlap, call.now)?;
            show(call, call.part(0))
        },
    },
    Operation {
        method: "GET",
        path: "/endpoints/{name}/match",
        id: "matchEvent",
        help: "What each filter of an endpoint makes of an event",
        query: &[parameter(settings::Kind::Text, "event", "The event")],
        input: Input::Nothing,
        output: Output::One(Schema::Match),
        status: 200,
        run: |call| {
            let event = call
                .query("event")
                .ok_or_else(|| Error::misuse("event is missing"))?;
            let found = call
                .store
                .match_event(call.part(0), call.box_id().parse_event(event)?)?;
            Ok(found.json(call.part(0), call.box_id()))
        },
    },
];

fn show(call: &Call<'_>, name: &str) -> Result<Value> {
    Ok(call.store.endpoint_report(name)?.json())
}

fn add(call: &Call<'_>) -> Result<Value> {
    let name = call.required("name")?;
    let url = call.required("url")?.parse()?;
    let mut endpoint = NewEndpoint::new(name, url);
    endpoint_change(&call.settings(&["name"])?)?.make(&mut endpoint)?;
    call.store.add_endpoint(endpoint, call.now)?;
    show(call, name)
}

fn set(call: &Call<'_>) -> Result<Value> {
    let changes = call.settings(&[])?;
    if changes.is_empty() {
        return Err(Error::misuse("nothing to change was named"));
    }
    let (name, change) = (call.part(0), endpoint_change(&changes)?);
    call.store
        .set_endpoint(name, move |endpoint| change.make(endpoint), call.now)?;
    show(call, name)
}
