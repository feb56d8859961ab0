//! API operations on events, deliveries and attempts.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::schema::{Field, Kind, Schema};
use super::{Call, Input, Operation, Output, page, page_of};
use crate::error::{Error, Result};
use crate::model::diff::Diff;
use crate::model::event::{BODY_BYTES_MAX, NewEvent};
use crate::model::id::DeliveryId;
use crate::model::settings::{Listing, Selection};
use crate::status::deadline::{side, until_deadline};
use crate::store::OutageRecord;

const NEW_EVENT: &[Field] = &[
    Field("type", Kind::Text, false),
    Field("body", Kind::Text, false),
    Field("body_base64", Kind::Text, false),
    Field("source", Kind::Text, true),
    Field("key", Kind::Text, true),
    Field("content_type", Kind::Text, true),
];

const CANCEL: &[Field] = &[
    Field("filter", Kind::Filter(Listing::Pending), false),
    Field("up_to", Kind::Integer, true),
    Field("dry_run", Kind::Flag, true),
];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "GET",
        path: "/events",
        id: "listEvents",
        help: "Events, newest first",
        query: &page_of::<6>(Listing::Events),
        input: Input::Nothing,
        output: Output::Page(Schema::Event),
        status: 200,
        run: list_events,
    },
    Operation {
        method: "GET",
        path: "/events/search",
        id: "searchEvents",
        help: "Events with a text in their bodies, newest first; looks back for two seconds and says how far it came",
        query: &page_of::<7>(Listing::Bodies),
        input: Input::Nothing,
        output: Output::One(Schema::Search),
        status: 200,
        run: search_events,
    },
    Operation {
        method: "POST",
        path: "/events",
        id: "enqueueEvent",
        help: "Put an event in; it is on disk when this is answered",
        query: &[],
        input: Input::Fields(NEW_EVENT, 1),
        output: Output::One(Schema::Accepted),
        status: 201,
        run: enqueue,
    },
    Operation {
        method: "GET",
        path: "/events/{event}",
        id: "showEvent",
        help: "One event",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Event),
        status: 200,
        run: |call| {
            let id = call.box_id().parse_event(call.part(0))?;
            Ok(call.store.event(id)?.json(call.box_id()))
        },
    },
    Operation {
        method: "GET",
        path: "/events/{event}/body",
        id: "downloadBody",
        help: "The exact bytes of an event's body",
        query: &[],
        input: Input::Nothing,
        output: Output::Bytes,
        status: 200,
        run: |_| Ok(Value::Null),
    },
    Operation {
        method: "GET",
        path: "/deliveries",
        id: "listDeliveries",
        help: "Deliveries, newest first; dead and cancelled ones only as far as no replay got through in their place, unless asked for as superseded",
        query: &page_of::<11>(Listing::Deliveries),
        input: Input::Nothing,
        output: Output::Page(Schema::Delivery),
        status: 200,
        run: list_deliveries,
    },
    Operation {
        method: "GET",
        path: "/deliveries/{delivery}",
        id: "showDelivery",
        help: "One delivery",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Delivery),
        status: 200,
        run: |call| {
            let id = call.box_id().parse_delivery(call.part(0))?;
            Ok(call.store.delivery(id)?.json(call.box_id(), call.now))
        },
    },
    Operation {
        method: "POST",
        path: "/deliveries/cancel",
        id: "cancelDeliveries",
        help: "Call off the pending deliveries that a filter (endpoint, source, type, event, replay, since, until) means, those up to `up_to` alone if it is given. With dry_run it says how many. Where `whole` is false, time ran out: ask again",
        query: &[],
        input: Input::Fields(CANCEL, 1),
        output: Output::One(Schema::Cancelled),
        status: 200,
        run: cancel,
    },
    Operation {
        method: "POST",
        path: "/deliveries/{delivery}/cancel",
        id: "cancelDelivery",
        help: "Call a pending delivery off",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Delivery),
        status: 200,
        run: |call| {
            let id = call.box_id().parse_delivery(call.part(0))?;
            call.store.cancel(id, call.now)?;
            Ok(call.store.delivery(id)?.json(call.box_id(), call.now))
        },
    },
    Operation {
        method: "GET",
        path: "/deliveries/{delivery}/attempts",
        id: "listAttempts",
        help: "The attempts of a delivery, first one first",
        query: &[],
        input: Input::Nothing,
        output: Output::Page(Schema::Attempt),
        status: 200,
        run: |call| {
            let id = call.box_id().parse_delivery(call.part(0))?;
            let delivery = call.store.delivery(id)?;
            let attempts = call.store.attempts(delivery.id)?;
            let items = attempts.iter().map(|attempt| attempt.json(call.box_id()));
            Ok(page(items.collect(), None))
        },
    },
    Operation {
        method: "GET",
        path: "/outages",
        id: "listOutages",
        help: "Times in which an endpoint could not be reached, newest first",
        query: &page_of::<3>(Listing::Outages),
        input: Input::Nothing,
        output: Output::Page(Schema::Outage),
        status: 200,
        run: |call| {
            let limit = call.limit()?;
            let outages = call.store.outages(&call.asked(Listing::Outages)?, limit)?;
            let last = outages.last().filter(|_| outages.len() == limit);
            let next = last.map(|outage| outage.id.to_string());
            Ok(page(outages.iter().map(OutageRecord::json).collect(), next))
        },
    },
    Operation {
        method: "GET",
        path: "/attempts/{attempt}",
        id: "showAttempt",
        help: "One attempt",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Attempt),
        status: 200,
        run: |call| {
            let id = call.box_id().parse_attempt(call.part(0))?;
            Ok(call.store.attempt(id)?.json(call.box_id()))
        },
    },
    Operation {
        method: "GET",
        path: "/attempts/{a}/diff/{b}",
        id: "compareAttempts",
        help: "Two attempts side by side",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Diff),
        status: 200,
        run: |call| {
            let (a, b) = (
                side(call.store, call.part(0))?,
                side(call.store, call.part(1))?,
            );
            Ok(Diff::of(&a, &b, call.box_id()).json())
        },
    },
];

fn list_events(call: &Call<'_>) -> Result<Value> {
    let (limit, go_on) = (call.limit()?, until_deadline(call.clock));
    let selection = call.asked(Listing::Events)?;
    let found = call.store.search_events(&selection, limit, go_on)?;
    let next = found.next.map(|id| call.box_id().event(id));
    let items = found.rows.iter().map(|event| event.json(call.box_id()));
    Ok(page(items.collect(), next))
}

fn search_events(call: &Call<'_>) -> Result<Value> {
    let go_on = until_deadline(call.clock);
    let selection = call.asked(Listing::Bodies)?;
    if selection.text.is_none() {
        return Err(Error::misuse("text is missing"));
    }
    let found = call.store.search_events(&selection, call.limit()?, go_on)?;
    let items = found.rows.iter().map(|event| event.json(call.box_id()));
    Ok(json!({
        "items": items.collect::<Vec<Value>>(),
        "next": found.next.map(|id| call.box_id().event(id)),
        "looked_back_to": found.back_to.map(|at| at.to_string()),
        "complete": found.next.is_none(),
    }))
}

fn enqueue(call: &Call<'_>) -> Result<Value> {
    let body = match (call.text("body")?, call.text("body_base64")?) {
        (Some(_), Some(_)) => {
            return Err(Error::misuse("give body or body_base64, not both"));
        }
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, Some(text)) => BASE64_STANDARD
            .decode(text)
            .map_err(|_| Error::misuse("body_base64 is not base64"))?,
        (None, None) => Vec::new(),
    };
    if body.len() > BODY_BYTES_MAX {
        return Err(Error::misuse(format!(
            "body is {} bytes, limit is {BODY_BYTES_MAX}",
            body.len()
        )));
    }
    let source = match call.text("source")? {
        None => None,
        Some(name) => Some(call.store.source_report(name)?.source.id),
    };
    let event = NewEvent {
        source,
        key: call.text("key")?.map(str::to_owned),
        content_type: call.text("content_type")?.map(str::to_owned),
        ..NewEvent::new(call.required("type")?, body)
    };
    let accepted = call.store.accept(event, call.now)?;
    Ok(json!({
        "id": call.box_id().event(accepted.id),
        "duplicate": accepted.duplicate,
        "deliveries": accepted.deliveries,
    }))
}

fn list_deliveries(call: &Call<'_>) -> Result<Value> {
    let limit = call.limit()?;
    let box_id = call.box_id();
    let (selection, go_on) = (call.asked(Listing::Deliveries)?, until_deadline(call.clock));
    let found = call.store.search_deliveries(&selection, limit, go_on)?;
    let next = found.next.map(|id| box_id.delivery(id));
    let items = found
        .rows
        .iter()
        .map(|delivery| delivery.json(box_id, call.now));
    Ok(page(items.collect(), next))
}

fn cancel(call: &Call<'_>) -> Result<Value> {
    let filter = call.body.get("filter").filter(|filter| filter.is_object());
    let filter = filter.ok_or_else(|| Error::misuse("filter is an object"))?;
    let selection = Selection::from_json(Listing::Pending, filter, call.box_id(), call.now)?;
    let up_to = call.number("up_to")?.map(DeliveryId);
    let go_on = until_deadline(call.clock);
    let is_dry = call.flag("dry_run")?;
    let found = match is_dry {
        true => call.store.find_pending(&selection, up_to, go_on)?,
        false => call
            .store
            .cancel_pending(&selection, up_to, call.now, go_on)?,
    };
    Ok(found.json(is_dry))
}
