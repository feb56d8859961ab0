//! `hookbox delivery` and `attempt`: what is owed, and what was tried.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::output::harmless;
use super::progress::going;
use super::replay::say_what_is_meant;
use super::settings::{OfDeliveries, OfPending, Options};
use super::{Context, EXIT_CODES, Limit};
use crate::error::{Error, Result};
use crate::model::attempt::AttemptRecord;
use crate::model::diff::{Diff, Side};
use crate::model::settings::{Listing, Selection};
use crate::model::text::counted;
use crate::store::{PendingFound, Store};

#[derive(Debug, Subcommand)]
pub(super) enum DeliveryCommand {
    /// List them, newest first
    #[command(after_help = EXIT_CODES)]
    List(ListArguments),
    /// Show one
    #[command(after_help = EXIT_CODES)]
    Show {
        /// Its id, or the bare number
        id: String,
    },
    /// Call pending ones off: one, or all that match
    #[command(
        after_help = "Examples:\n  hookbox delivery cancel 17\n  hookbox delivery cancel --endpoint ci --since yesterday --dry-run\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    Cancel(CancelArguments),
}

#[derive(Debug, Subcommand)]
pub(super) enum AttemptCommand {
    /// List a delivery's attempts, newest first
    #[command(after_help = EXIT_CODES)]
    List {
        /// The delivery's id, or the bare number
        delivery: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one
    #[command(after_help = EXIT_CODES)]
    Show {
        /// Its id
        id: String,
    },
    /// Compare two, of one delivery or of several: what was sent, what came back
    #[command(after_help = EXIT_CODES)]
    Diff {
        /// The one's id; or that of a delivery (a bare number is one's, where it
        /// stands alone), whose last two are compared
        a: String,
        /// The other's
        b: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    conditions: Options<OfDeliveries>,
    #[command(flatten)]
    limit: Limit,
}

#[derive(Debug, Args)]
pub(super) struct CancelArguments {
    /// Its id, or the bare number
    id: Option<String>,
    #[command(flatten)]
    conditions: Options<OfPending>,
    /// Say how many would be cancelled, and cancel nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(context: &Context, command: DeliveryCommand) -> Result<()> {
    let store = context.store()?;
    match command {
        DeliveryCommand::List(arguments) => list(context, &store, arguments),
        DeliveryCommand::Show { id } => {
            let id = store.box_id().parse_delivery(&id)?;
            context
                .out
                .fields(&store.delivery(id)?.json(store.box_id(), context.now()))?;
            let attempts = store.attempts(id)?;
            match context.out.is_json() || attempts.is_empty() {
                true => Ok(()),
                false => {
                    context.out.line("")?;
                    list_attempts(context, &store, attempts)
                }
            }
        }
        DeliveryCommand::Cancel(arguments) => cancel(context, &store, &arguments),
    }
}

fn cancel(context: &Context, store: &Store, arguments: &CancelArguments) -> Result<()> {
    let (box_id, now) = (store.box_id(), context.now());
    let pairs = arguments.conditions.read(context)?.pairs;
    if let Some(id) = &arguments.id {
        if !pairs.is_empty() {
            return Err(Error::misuse(
                "give a delivery or conditions, one of the two",
            ));
        }
        if arguments.dry_run {
            return Err(Error::misuse(
                "--dry-run goes with conditions; `hookbox delivery show` shows one delivery",
            ));
        }
        say_what_is_meant(context, store, &[id])?;
        let id = box_id.parse_delivery(id)?;
        store.cancel(id, now)?;
        let shown = store.delivery(id)?.json(box_id, now);
        let text = format!("cancelled {}", box_id.delivery(id));
        return context.out.object(&shown, &text);
    }
    let selection = Selection::read(Listing::Pending, &pairs, box_id, now)?;
    let searching = going(context, "looking through what is pending");
    let found = store.find_pending(&selection, None, || true)?;
    drop(searching);
    let told = |found: &PendingFound| {
        let endpoints = found.endpoints.iter();
        let each: Vec<String> = endpoints
            .map(|(name, count)| format!("{count} to {name}"))
            .collect();
        let count = counted(found.deliveries, "pending delivery", "pending deliveries");
        match each.as_slice() {
            [] => "nothing pending matches".to_owned(),
            each => format!("{count}: {}", each.join(", ")),
        }
    };
    if arguments.dry_run || found.deliveries == 0 {
        return context.out.object(&found.json(true), &told(&found));
    }
    if !arguments.yes {
        context.out.note(&told(&found));
        if !context.out.confirms("cancel them?")? {
            return Err(Error::misuse(
                "nothing was cancelled; --yes cancels without asking",
            ));
        }
    }
    // Those that came since are not meant.
    let cancelled = store.cancel_pending(&selection, Some(found.up_to), now, || true)?;
    let text = format!("cancelled {}", told(&cancelled));
    context.out.object(&cancelled.json(false), &text)
}

fn list(context: &Context, store: &Store, arguments: ListArguments) -> Result<()> {
    let box_id = store.box_id();
    let (pairs, now) = (arguments.conditions.read(context)?.pairs, context.now());
    let mut selection = Selection::read(Listing::Deliveries, &pairs, box_id, now)?;
    let deliveries = arguments.limit.pages(|limit| {
        let page = store.deliveries(&selection, limit)?;
        selection.before = page.last().map(|delivery| delivery.id.0);
        Ok(page)
    })?;
    let objects: Vec<Value> = deliveries
        .iter()
        .map(|delivery| delivery.json(box_id, now))
        .collect();
    let columns = [
        "id",
        "state",
        "waiting",
        "type",
        "summary",
        "endpoint",
        "tries",
        "due_at",
        "settled_at",
        "reason",
    ];
    context.out.list(&columns, &objects)
}

pub(super) fn attempts(context: &Context, command: &AttemptCommand) -> Result<()> {
    let store = context.store()?;
    let (delivery, limit) = match command {
        AttemptCommand::List { delivery, limit } => (delivery, limit),
        AttemptCommand::Show { id } => {
            let attempt = store.attempt(store.box_id().parse_attempt(id)?)?;
            return show_attempt(context, &attempt, &attempt.json(store.box_id()));
        }
        AttemptCommand::Diff { a, b } => return diff(context, &store, a, b.as_deref()),
    };
    let id = store.delivery(store.box_id().parse_delivery(delivery)?)?.id;
    let attempts = limit.newest(store.attempts(id)?);
    list_attempts(context, &store, attempts)
}

fn list_attempts(context: &Context, store: &Store, attempts: Vec<AttemptRecord>) -> Result<()> {
    let objects: Vec<Value> = attempts
        .iter()
        .map(|attempt| attempt.json(store.box_id()))
        .collect();
    context.out.list(
        &[
            "id",
            "number",
            "started_at",
            "outcome",
            "status",
            "duration_ms",
            "error",
        ],
        &objects,
    )
}

/// Prints an attempt's facts, then both sides' headers and the body of the reply as they are.
fn show_attempt(context: &Context, attempt: &AttemptRecord, object: &Value) -> Result<()> {
    if context.out.is_json() {
        return context.out.fields(object);
    }
    let mut facts = object.clone();
    if let Some(facts) = facts.as_object_mut() {
        facts.retain(|_, value| !value.is_array() && !value.is_object());
        facts.remove("response_body");
    }
    context.out.fields(&facts)?;
    for (title, headers) in [
        ("request", &attempt.request_headers),
        ("response", &attempt.response_headers),
    ] {
        context.out.line(&format!("\n{title}:"))?;
        for (name, value) in headers {
            context
                .out
                .line(&format!("  {}: {}", harmless(name), harmless(value)))?;
        }
    }
    if !attempt.response_body.is_empty() {
        let text = String::from_utf8_lossy(&attempt.response_body);
        let lines: Vec<String> = text.lines().map(harmless).collect();
        context.out.line(&format!("\n{}", lines.join("\n")))?;
    }
    Ok(())
}

fn diff(context: &Context, store: &Store, a: &str, b: Option<&str>) -> Result<()> {
    let (a, b) = match b {
        Some(b) => {
            let of = |id| store.attempt(store.box_id().parse_attempt(id)?);
            (of(a)?, of(b)?)
        }
        None => last_two(store, a)?,
    };
    let side = |attempt: AttemptRecord| -> Result<Side> {
        let delivery = store.delivery(attempt.delivery)?;
        Ok(Side {
            body: store.event_body(delivery.event)?,
            attempt,
            delivery,
        })
    };
    let diff = Diff::of(&side(a)?, &side(b)?, store.box_id());
    context.out.object(&diff.json(), &diff.text().join("\n"))
}

/// The last two attempts of a delivery.
fn last_two(store: &Store, delivery: &str) -> Result<(AttemptRecord, AttemptRecord)> {
    let mut attempts = store.attempts(store.box_id().parse_delivery(delivery)?)?;
    match (attempts.pop(), attempts.pop()) {
        (Some(last), Some(before)) => Ok((before, last)),
        _ => Err(Error::misuse(format!(
            "{delivery} has fewer than two attempts; name two of several deliveries: hookbox attempt diff A B"
        ))),
    }
}
