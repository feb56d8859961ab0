//! `hookbox enqueue` and `hookbox event`: adding events and reading them.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::settings::{OfBodies, Options};
use super::{Context, EXIT_CODES, Limit};
use crate::error::{Error, Result};
use crate::model::event::{BODY_BYTES_MAX, EventRecord, NewEvent};
use crate::model::settings::{Listing, Selection};
use crate::store::Store;

/// Longest time that a search takes, since a person waits for it.
const SEARCH_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct EnqueueArguments {
    /// What kind of fact, such as order.paid
    #[arg(long = "type", value_name = "TYPE")]
    event_type: String,
    /// Count it as an event of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Idempotency key: the same key again is the same event
    #[arg(long)]
    key: Option<String>,
    /// The content type it is sent with
    #[arg(long, value_name = "TYPE", default_value = "application/json")]
    content_type: String,
    /// The body: a text, @FILE, or @- for standard input; 1 MiB at most
    #[arg(long, value_name = "TEXT|@FILE|@-", default_value = "")]
    data: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum EventCommand {
    /// List them, newest first
    #[command(after_help = EXIT_CODES)]
    List(ListArguments),
    /// Show one, with its headers
    #[command(after_help = EXIT_CODES)]
    Show {
        /// Its id, or the bare number
        id: String,
    },
    /// Print the exact bytes of one's body
    #[command(after_help = EXIT_CODES)]
    Body {
        /// Its id, or the bare number
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    conditions: Options<OfBodies>,
    #[command(flatten)]
    limit: Limit,
}

pub(super) fn enqueue(context: &Context, arguments: EnqueueArguments) -> Result<()> {
    let body = read_data(&arguments.data)?;
    if body.len() > BODY_BYTES_MAX {
        return Err(Error::misuse(format!(
            "body is {} bytes, limit is {BODY_BYTES_MAX}",
            body.len()
        )));
    }
    let store = context.store()?;
    let source = match &arguments.source {
        None => None,
        Some(name) => Some(store.source_report(name)?.source.id),
    };
    let event = NewEvent {
        source,
        key: arguments.key,
        content_type: (!arguments.content_type.is_empty()).then_some(arguments.content_type),
        ..NewEvent::new(arguments.event_type, body)
    };
    let accepted = store.accept(event, context.now())?;
    if accepted.duplicate {
        context
            .out
            .note("an event with this key is there already; this is its id");
    } else if accepted.deliveries == 0 {
        context
            .out
            .note(if store.directory().endpoints().is_empty() {
                "there is no endpoint, so the event is stored and sent nowhere"
            } else {
                "no endpoint wants it, so the event is stored and sent nowhere; `hookbox endpoint match ENDPOINT EVENT` says why"
            });
    } else {
        context.note_if_not_served(&store);
    }
    let id = store.box_id().event(accepted.id);
    let object =
        json!({ "id": id, "duplicate": accepted.duplicate, "deliveries": accepted.deliveries });
    context.out.object(&object, &id)
}

pub(super) fn run(context: &Context, command: EventCommand) -> Result<()> {
    let store = context.store()?;
    let box_id = store.box_id();
    match command {
        EventCommand::List(arguments) => {
            let pairs = arguments.conditions.read(context)?.pairs;
            let mut selection = Selection::read(Listing::Bodies, &pairs, box_id, context.now())?;
            let events = match selection.text {
                Some(_) => search(context, &store, &selection, arguments.limit.limit)?,
                None => arguments.limit.pages(|limit| {
                    let page = store.events(&selection, limit)?;
                    selection.before = page.last().map(|event| event.id.0);
                    Ok(page)
                })?,
            };
            let objects: Vec<Value> = events.iter().map(|event| event.json(box_id)).collect();
            context.out.list(
                &["id", "type", "source", "summary", "received_at", "bytes"],
                &objects,
            )
        }
        EventCommand::Show { id } => context
            .out
            .fields(&store.event(box_id.parse_event(&id)?)?.json(box_id)),
        EventCommand::Body { id } => context
            .out
            .bytes(&store.event_body(box_id.parse_event(&id)?)?),
    }
}

/// Searches for a text for ten seconds at most, and says how far back it looked.
fn search(
    context: &Context,
    store: &Store,
    selection: &Selection,
    limit: usize,
) -> Result<Vec<EventRecord>> {
    let until = context.clock.elapsed() + SEARCH_MAX;
    let go_on = || context.clock.elapsed() < until;
    let found = store.search_events(selection, limit, go_on)?;
    match found.back_to.filter(|_| found.next.is_some()) {
        Some(at) => context.out.note(&format!(
            "looked back to {at}; to look further: --until {at}"
        )),
        None => context.out.note("looked at all events"),
    }
    Ok(found.rows)
}

/// Reads the body as given: a text, a file's bytes, or standard input.
pub(super) fn read_data(data: &str) -> Result<Vec<u8>> {
    // A single dash means standard input in other programs, so it does here.
    let data = if data == "-" { "@-" } else { data };
    match data.strip_prefix('@') {
        None => Ok(data.as_bytes().to_vec()),
        Some("-") => {
            let mut bytes = Vec::new();
            // One byte more than is allowed shows that the body is too large.
            std::io::stdin()
                .lock()
                .take(BODY_BYTES_MAX as u64 + 1)
                .read_to_end(&mut bytes)
                .map_err(|error| Error::io("read the body from standard input", error))?;
            Ok(bytes)
        }
        Some(path) => {
            let path = Path::new(path);
            std::fs::read(path).map_err(|error| Error::io_at("read the body from", path, error))
        }
    }
}
