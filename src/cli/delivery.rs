//! `hookbox delivery` and `attempt`: what is owed, and what was tried.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::output::harmless;
use super::replay::say_what_is_meant;
use super::settings::{OfDeliveries, Options};
use super::{Context, EXIT_CODES, Limit};
use crate::error::{Error, Result};
use crate::model::attempt::AttemptRecord;
use crate::model::diff::{Diff, Side};
use crate::model::settings::{Listing, Selection};
use crate::store::Store;

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
    /// Call a pending one off
    #[command(after_help = EXIT_CODES)]
    Cancel {
        /// Its id, or the bare number
        id: String,
    },
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
        DeliveryCommand::Cancel { id } => {
            say_what_is_meant(context, &store, &[&id])?;
            let id = store.box_id().parse_delivery(&id)?;
            store.cancel(id, context.now())?;
            let shown = store.delivery(id)?.json(store.box_id(), context.now());
            context.out.object(
                &shown,
                &format!("cancelled {}", store.box_id().delivery(id)),
            )
        }
    }
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
