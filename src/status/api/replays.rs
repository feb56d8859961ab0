//! API operations on replays: preview, start, watch, pause, resume, cancel.

use serde_json::{Value, json};

use super::schema::{Field, Kind, Schema};
use super::{CURSOR, Call, Input, LIMIT, Operation, Output, page};
use crate::error::{Error, Result};
use crate::model::replay::{NewReplay, ReplayKind, ReplayTransition, Target};
use crate::model::settings::{Listing, Selection};
use crate::status::deadline::until_deadline;
use crate::store::{Original, ReplayOptions};

const NEW_REPLAY: &[Field] = &[
    Field("kind", Kind::Text, true),
    Field("deliveries", Kind::Texts, true),
    Field("filter", Kind::Filter(Listing::Replay), true),
    Field("to", Kind::Text, true),
    Field("new_id", Kind::Flag, true),
    Field("rate", Kind::Text, true),
    Field("edited_body", Kind::Text, true),
    Field("dry_run", Kind::Flag, true),
    Field("up_to", Kind::Integer, true),
];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "POST",
        path: "/replays",
        id: "replay",
        help: "Send deliveries again: those that are named (an event, evt_..., stands for its newest to each endpoint, or goes to that of `to`), or those that a filter (state, endpoint, source, type, since, until, text) chooses; kind is replay, recover or backfill. With dry_run it says what would be sent",
        query: &[],
        input: Input::Fields(NEW_REPLAY, 0),
        output: Output::One(Schema::Replayed),
        status: 201,
        run: replay,
    },
    Operation {
        method: "GET",
        path: "/replays",
        id: "listReplays",
        help: "Bulk replays, newest first",
        query: &[LIMIT, CURSOR],
        input: Input::Nothing,
        output: Output::Page(Schema::Replay),
        status: 200,
        run: |call| {
            let limit = call.limit()?;
            let before = call
                .query("cursor")
                .map(|id| call.box_id().parse_replay(id));
            let records = call.store.replays(before.transpose()?, limit)?;
            let last = records.last().filter(|_| records.len() == limit);
            let next = last.map(|record| call.box_id().replay(record.id));
            let items = records.iter().map(|record| record.json(call.box_id()));
            Ok(page(items.collect(), next))
        },
    },
    Operation {
        method: "GET",
        path: "/replays/{replay}",
        id: "showReplay",
        help: "One bulk replay with its progress",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Replay),
        status: 200,
        run: show,
    },
    Operation {
        method: "POST",
        path: "/replays/{replay}/pause",
        id: "pauseReplay",
        help: "Make no more of its deliveries for now",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Replay),
        status: 200,
        run: |call| steer(call, ReplayTransition::Pause),
    },
    Operation {
        method: "POST",
        path: "/replays/{replay}/resume",
        id: "resumeReplay",
        help: "Go on",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Replay),
        status: 200,
        run: |call| steer(call, ReplayTransition::Resume),
    },
    Operation {
        method: "POST",
        path: "/replays/{replay}/cancel",
        id: "cancelReplay",
        help: "Call it off: what of it was not sent is cancelled",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Replay),
        status: 200,
        run: |call| steer(call, ReplayTransition::Cancel),
    },
];

fn show(call: &Call<'_>) -> Result<Value> {
    let id = call.box_id().parse_replay(call.part(0))?;
    Ok(call.store.replay_record(id)?.json(call.box_id()))
}

fn steer(call: &Call<'_>, change: ReplayTransition) -> Result<Value> {
    let id = call.box_id().parse_replay(call.part(0))?;
    call.store.move_replay(id, change, call.now)?;
    show(call)
}

fn replay(call: &Call<'_>) -> Result<Value> {
    let is_dry = call.flag("dry_run")?;
    let to = call.text("to")?.filter(|to| !to.is_empty());
    let to: Option<Target> = to.map(str::parse).transpose()?;
    let kind: ReplayKind = call.text("kind")?.unwrap_or("replay").parse()?;
    match (
        named(call, to.is_some())?,
        call.body.get("filter").filter(|filter| !filter.is_null()),
    ) {
        (Some(named), None) if kind == ReplayKind::Replay => {
            if call.text("rate")?.is_some() {
                return Err(Error::misuse(
                    "rate is for deliveries that a filter chooses",
                ));
            }
            let edited = call.text("edited_body")?;
            let options = ReplayOptions {
                to,
                has_new_ids: call.flag("new_id")?,
                edited_body: edited.map(|text| text.as_bytes().to_vec()),
            };
            if is_dry {
                return Ok(call.store.preview_named(&named, &options)?.json_of_found());
            }
            let made = call.store.replay(named, options, call.now)?;
            let ids: Vec<String> = made.iter().map(|id| call.box_id().delivery(*id)).collect();
            Ok(json!({ "replay": null, "deliveries": ids.len(), "ids": ids }))
        }
        (None, Some(filter)) => {
            if !filter.is_object() {
                return Err(Error::misuse("filter is an object"));
            }
            if call.text("edited_body")?.is_some() {
                return Err(Error::misuse(
                    "an edited body stands for one event: name its deliveries",
                ));
            }
            let asked = NewReplay {
                kind,
                selection: Selection::from_json(Listing::Replay, filter, call.box_id(), call.now)?,
                to,
                has_new_ids: call.flag("new_id")?,
                rate: call.text("rate")?.map(str::parse).transpose()?,
                up_to: call.number("up_to")?,
                asked_by: call.who.clone(),
            };
            bulk(call, asked, is_dry)
        }
        _ => Err(Error::misuse(
            "give deliveries (a list of ids, of kind replay) or filter (an object), one of the two",
        )),
    }
}

fn bulk(call: &Call<'_>, asked: NewReplay, is_dry: bool) -> Result<Value> {
    if asked.selection.is_empty() {
        return Err(Error::misuse(
            "the filter is empty; choose by state, endpoint, source, type, since, until or text",
        ));
    }
    if asked.kind != ReplayKind::Replay && asked.selection.endpoint.is_none() {
        return Err(Error::misuse(format!(
            "a {} needs the endpoint in its filter",
            asked.kind
        )));
    }
    let preview = call
        .store
        .preview_replay(&asked, until_deadline(call.clock))?;
    if is_dry {
        return Ok(preview.json(&asked));
    }
    if preview.deliveries == 0 && preview.is_whole {
        return Ok(json!({ "replay": null, "deliveries": 0 }));
    }
    let id = call.store.start_replay(asked, &preview, call.now)?;
    Ok(json!({ "replay": call.box_id().replay(id), "deliveries": preview.deliveries }))
}

fn named(call: &Call<'_>, has_target: bool) -> Result<Option<Vec<Original>>> {
    let bad = || Error::misuse("deliveries is a list of ids");
    match call.body.get("deliveries") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(ids)) if (1..=1_000).contains(&ids.len()) => {
            let ids = ids.iter().map(|id| id.as_str().ok_or_else(bad));
            let ids = ids.collect::<Result<Vec<&str>>>()?;
            call.store.originals(&ids, has_target).map(Some)
        }
        Some(Value::Array(_)) => Err(Error::misuse(
            "deliveries are 1 to 1000 ids; choose more by a filter",
        )),
        Some(_) => Err(bad()),
    }
}
