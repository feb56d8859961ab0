//! `hookbox replays`: shows and controls bulk replays.

use clap::Subcommand;
use serde_json::Value;

use super::progress;
use super::{Context, EXIT_CODES, Limit};
use crate::error::Result;
use crate::model::replay::ReplayTransition;

#[derive(Debug, Subcommand)]
pub(super) enum ReplaysCommand {
    /// List them, newest first
    #[command(after_help = EXIT_CODES)]
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one
    #[command(after_help = EXIT_CODES)]
    Show {
        /// Its id, or the bare number
        id: String,
    },
    /// Wait until one is over, with a progress bar on a terminal
    #[command(after_help = EXIT_CODES)]
    Watch {
        /// Its id, or the bare number
        id: String,
    },
    /// Make no more of its deliveries for now; the few hundred that are made
    /// already go on
    #[command(after_help = EXIT_CODES)]
    Pause {
        /// Its id, or the bare number
        id: String,
    },
    /// Go on
    #[command(after_help = EXIT_CODES)]
    Resume {
        /// Its id, or the bare number
        id: String,
    },
    /// Call one off: what of it was not sent is cancelled
    #[command(after_help = EXIT_CODES)]
    Cancel {
        /// Its id, or the bare number
        id: String,
    },
}

pub(super) fn run(context: &Context, command: ReplaysCommand) -> Result<()> {
    let (id, change) = match command {
        ReplaysCommand::List { limit } => return list(context, &limit),
        ReplaysCommand::Show { id } => return show(context, &id),
        ReplaysCommand::Watch { id } => {
            let store = context.store()?;
            progress::watch(context, &store, store.box_id().parse_replay(&id)?)?;
            return show(context, &id);
        }
        ReplaysCommand::Pause { id } => (id, ReplayTransition::Pause),
        ReplaysCommand::Resume { id } => (id, ReplayTransition::Resume),
        ReplaysCommand::Cancel { id } => (id, ReplayTransition::Cancel),
    };
    let store = context.store()?;
    let id = store.box_id().parse_replay(&id)?;
    let state = store.move_replay(id, change, context.now())?;
    let record = store.replay_record(id)?;
    context.out.object(
        &record.json(store.box_id()),
        &format!("{} is {state}", store.box_id().replay(id)),
    )
}

fn list(context: &Context, limit: &Limit) -> Result<()> {
    let store = context.store()?;
    let mut before = None;
    let records = limit.pages(|limit| {
        let page = store.replays(before, limit)?;
        before = page.last().map(|record| record.id);
        Ok(page)
    })?;
    let objects: Vec<Value> = records
        .iter()
        .map(|record| record.json(store.box_id()))
        .collect();
    let columns = [
        "id",
        "kind",
        "state",
        "filter",
        "to",
        "deliveries",
        "delivered",
        "dead",
        "pending",
        "created_at",
    ];
    context.out.list(&columns, &objects)
}

fn show(context: &Context, id: &str) -> Result<()> {
    let store = context.store()?;
    let record = store.replay_record(store.box_id().parse_replay(id)?)?;
    context.out.fields(&record.json(store.box_id()))
}
