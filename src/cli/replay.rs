//! `hookbox replay`, `recover` and `backfill`: send again, after a preview.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Context;
use super::event::read_data;
use super::progress;
use super::settings::{OfBodies, OfReplay, Options};
use crate::error::{Error, Result};
use crate::model::rate::Rates;
use crate::model::replay::{NewReplay, ReplayKind, Target};
use crate::model::settings::{Listing, Selection};
use crate::model::text::counted;
use crate::store::{Preview, ReplayOptions, Store};
use crate::time::show_span;

#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// Deliveries to send again, by id or bare number (here always a delivery's),
    /// or events (evt_...), which stand for their newest delivery to each
    /// endpoint, or go to that of --to; all or none is replayed
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    conditions: Options<OfReplay>,
    /// Send them to this endpoint, or to this URL (unsigned)
    #[arg(long, value_name = "NAME|URL")]
    to: Option<Target>,
    /// Send the file's bytes in the place of the body: a new event, linked to
    /// the old one (- reads standard input); with IDs of one event
    #[arg(long, value_name = "FILE")]
    edit: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

/// In which way.
#[derive(Debug, Args)]
struct How {
    /// With another webhook-id: for a receiver that must take them again
    #[arg(long)]
    new_id: bool,
    /// So many in so much time at most, such as 10/s
    #[arg(long, value_name = "N/SPAN")]
    rate: Option<Rates>,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Wait until all of them are settled
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
pub(super) struct RecoverArguments {
    /// The endpoint
    endpoint: String,
    #[command(flatten)]
    conditions: Options<OfBodies>,
    #[command(flatten)]
    how: How,
}

pub(super) fn replay(context: &Context, arguments: &ReplayArguments) -> Result<()> {
    let store = context.store()?;
    let pairs = arguments.conditions.read(context)?.pairs;
    let selection = Selection::read(Listing::Replay, &pairs, store.box_id(), context.now())?;
    match (arguments.ids.is_empty(), selection.is_empty()) {
        (false, true) => replay_named(context, &store, arguments),
        (true, false) => {
            if arguments.edit.is_some() {
                return Err(Error::misuse(
                    "an edited body stands for one event: name its deliveries by id",
                ));
            }
            let (kind, to) = (ReplayKind::Replay, arguments.to.clone());
            if !arguments.how.yes {
                say_how_to_see_them(context, &pairs);
            }
            bulk(context, &store, kind, selection, to, &arguments.how)
        }
        (false, false) => Err(Error::misuse(
            "name deliveries by id, or choose them by --state, --endpoint and the like, not both",
        )),
        (true, true) => Err(Error::misuse(
            "name deliveries by id, or choose them: --state dead, --endpoint NAME, --source, --type, --since, --until, --text",
        )),
    }
}

/// A list knows the same conditions, but looks into no body.
fn say_how_to_see_them(context: &Context, pairs: &[(String, String)]) {
    if context.out.is_json() || pairs.iter().any(|(name, _)| name == "text") {
        return;
    }
    let options: Vec<String> = pairs
        .iter()
        .map(|(name, value)| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.:/-".contains(c);
            match value.chars().all(is_plain) {
                true => format!("--{name} {value}"),
                false => format!("--{name} '{}'", value.replace('\'', r"'\''")),
            }
        })
        .collect();
    context.out.note(&format!(
        "to see which: hookbox delivery list {}",
        options.join(" ")
    ));
}

/// Runs `recover` or `backfill`.
pub(super) fn recover_or_backfill(
    context: &Context,
    kind: ReplayKind,
    arguments: &RecoverArguments,
) -> Result<()> {
    let store = context.store()?;
    let mut pairs = arguments.conditions.read(context)?.pairs;
    pairs.push(("endpoint".to_owned(), arguments.endpoint.clone()));
    let selection = Selection::read(Listing::Replay, &pairs, store.box_id(), context.now())?;
    if selection.since.is_none() {
        return Err(Error::misuse(format!(
            "say since when: hookbox {kind} {} --since 7d",
            arguments.endpoint
        )));
    }
    bulk(context, &store, kind, selection, None, &arguments.how)
}

/// Replays a few deliveries given by id: all of them at once, or none.
fn replay_named(context: &Context, store: &Store, arguments: &ReplayArguments) -> Result<()> {
    let how = &arguments.how;
    if how.rate.is_some() {
        return Err(Error::misuse(
            "--rate is for deliveries that are chosen by --state, --endpoint and the like; those that are named go out at once, at the endpoint's own rate",
        ));
    }
    let box_id = store.box_id();
    let named = store.originals(&arguments.ids, arguments.to.is_some())?;
    say_what_is_meant(context, store, &arguments.ids)?;
    let edited_body = match &arguments.edit {
        None => None,
        Some(path) => Some(read_data(&format!("@{}", path.display()))?),
    };
    let events = store.events_of_originals(&named)?;
    if let (Some(edited), Some(first)) = (&edited_body, events.first()) {
        let is_json = |body: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(body);
        let held = store.event_body(*first)?;
        if is_json(&held).is_ok()
            && let Err(error) = is_json(edited)
        {
            context
                .out
                .note(&format!("the body is no JSON any more: {error}"));
        }
    }
    let options = ReplayOptions {
        to: arguments.to.clone(),
        has_new_ids: how.new_id,
        edited_body,
    };
    if how.dry_run {
        let preview = store.preview_named(&named, &options)?;
        return show_preview(context, &preview, &preview.json_of_found());
    }
    // An event stands for one delivery to each of its endpoints, so the number is not obvious.
    let has_events = arguments.ids.iter().any(|id| id.starts_with("evt_"));
    if has_events && !how.yes && context.out.is_interactive() {
        confirm(context, &store.preview_named(&named, &options)?)?;
    }
    let made = store.replay(named, options, context.now())?;
    context.note_if_not_served(store);
    if how.wait && store.is_served()? {
        progress::wait_for(context, store, &made)?;
    }
    let outer: Vec<String> = made.iter().map(|id| box_id.delivery(*id)).collect();
    if context.out.is_json() {
        let object = json!({ "replay": null, "deliveries": outer.len(), "ids": outer });
        return context.out.line(&object.to_string());
    }
    outer.iter().try_for_each(|id| context.out.line(id))
}

/// Replays many deliveries chosen by filter.
///
/// The replay is stored, and its deliveries are created while some process serves the file.
fn bulk(
    context: &Context,
    store: &Store,
    kind: ReplayKind,
    selection: Selection,
    to: Option<Target>,
    how: &How,
) -> Result<()> {
    let asked = NewReplay {
        kind,
        selection,
        to,
        has_new_ids: how.new_id,
        rate: how.rate.clone(),
        up_to: None,
        asked_by: asked_by(),
    };
    let searching = progress::going(context, "looking through the deliveries");
    let preview = store.preview_replay(&asked, || true);
    drop(searching);
    let preview = preview?;
    if how.dry_run {
        return show_preview(context, &preview, &preview.json(&asked));
    }
    if preview.deliveries == 0 {
        let object = json!({ "replay": null, "deliveries": 0 });
        return context.out.object(&object, "there is nothing to send");
    }
    if !how.yes {
        confirm(context, &preview)?;
    }
    let id = store.start_replay(asked, &preview, context.now())?;
    context.note_if_not_served(store);
    let outer = store.box_id().replay(id);
    let object = json!({ "replay": outer, "deliveries": preview.deliveries });
    context.out.object(
        &object,
        &format!(
            "{outer}: {}",
            counted(preview.deliveries, "delivery", "deliveries")
        ),
    )?;
    if how.wait || (store.is_served()? && context.out.is_interactive()) {
        progress::watch(context, store, id)?;
    }
    Ok(())
}

/// Asks a person whether to send what a preview shows.
fn confirm(context: &Context, preview: &Preview) -> Result<()> {
    context.out.note(&preview_text(preview));
    let question = match preview.deliveries {
        1 => "send this delivery?".to_owned(),
        count => format!("send these {count} deliveries?"),
    };
    match context.out.confirms(&question)? {
        true => Ok(()),
        false => Err(Error::misuse(
            "nothing was sent; --yes sends without asking",
        )),
    }
}

/// Prints for each bare number which delivery it was read as.
///
/// The user may have meant another object with this number.
pub(super) fn say_what_is_meant(
    context: &Context,
    store: &Store,
    ids: &[impl AsRef<str>],
) -> Result<()> {
    for id in ids.iter().map(AsRef::as_ref) {
        if !id.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let delivery = store.delivery(store.box_id().parse_delivery(id)?)?;
        context.out.note(&format!(
            "{id} is {} to {}: {}",
            store.box_id().delivery(delivery.id),
            delivery.endpoint,
            delivery.summary
        ));
    }
    Ok(())
}

fn show_preview(context: &Context, preview: &Preview, object: &serde_json::Value) -> Result<()> {
    context.out.object(object, &preview_text(preview))
}

/// Describes what would be sent, in a few lines.
fn preview_text(preview: &Preview) -> String {
    let size = |bytes: i64| format!("{:.1} KiB", bytes as f64 / 1024.0);
    let mut lines = vec![format!(
        "{}, {} in all; {} the endpoint has had already",
        counted(preview.deliveries, "delivery", "deliveries"),
        size(preview.bytes),
        preview.had
    )];
    for endpoint in &preview.endpoints {
        let lasts = endpoint
            .lasts
            .map(|span| format!(", about {}", show_span(span)))
            .unwrap_or_default();
        let stopped = endpoint
            .stopped
            .as_ref()
            .map(|why| format!("; {why}"))
            .unwrap_or_default();
        lines.push(format!(
            "  to {} ({}): {}, {}{lasts}{stopped}",
            endpoint
                .name
                .as_deref()
                .unwrap_or("a new endpoint for replays"),
            endpoint.url,
            endpoint.deliveries,
            size(endpoint.bytes)
        ));
    }
    for (day, count) in &preview.days {
        lines.push(format!("  of {day}: {count}"));
    }
    lines.join("\n")
}

/// Returns who asks, for the record.
fn asked_by() -> String {
    let user = ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    match user {
        Some(user) => format!("command line, {user}"),
        None => "command line".to_owned(),
    }
}
