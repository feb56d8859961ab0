//! `hookbox source`: ways in.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::secret::SecretArguments;
use super::{Context, EXIT_CODES, Limit};
use crate::error::Result;
use crate::model::source::{NewSource, OnRepeat, Source, SourceKind, SourceReport};

#[derive(Debug, Subcommand)]
pub(super) enum SourceCommand {
    /// Add a way in: POST events to /in/NAME
    #[command(
        after_help = "Example: hookbox source add gogs --kind gogs --secret-file gogs.secret\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    Add(AddArguments),
    /// List them, with what came through
    #[command(after_help = EXIT_CODES)]
    List(Limit),
    /// Show one
    #[command(after_help = EXIT_CODES)]
    Show {
        /// Its name
        name: String,
    },
    /// Remove one; its path answers 404 from then on, its events stay
    #[command(visible_alias = "rm", after_help = EXIT_CODES)]
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// Its name, which is also its path: /in/NAME
    name: String,
    /// What posts to it: gogs, gitee, gitea, forgejo, github, gitlab, standard
    /// (Standard Webhooks), or generic (X-Hookbox-Type, X-Hookbox-Key; with a
    /// secret, X-Hub-Signature-256)
    #[arg(long)]
    kind: SourceKind,
    #[command(flatten)]
    secret: SecretArguments,
    /// What a request with a known key asks for, besides the answer that the
    /// event is known: ignore, or replay. Replay sends the event again, if the
    /// repeat comes more than 10 seconds after the first (then a person pressed
    /// Redelivery) and nothing of the event is pending. Default: replay for
    /// kinds gogs and github, ignore for others
    #[arg(long, value_name = "ignore|replay")]
    on_repeat: Option<OnRepeat>,
}

pub(super) fn run(context: &Context, command: SourceCommand) -> Result<()> {
    match command {
        SourceCommand::Add(arguments) => add(context, arguments),
        SourceCommand::List(limit) => {
            let reports = limit.newest(context.store()?.source_reports()?);
            let objects: Vec<Value> = reports.iter().map(SourceReport::json).collect();
            context.out.list(
                &[
                    "name",
                    "kind",
                    "path",
                    "signed",
                    "events",
                    "last_event_at",
                    "refusals",
                ],
                &objects,
            )
        }
        SourceCommand::Show { name } => {
            let report = context.store()?.source_report(&name)?;
            context.out.fields(&report.json())?;
            warn_of_unproved(context, &report.source);
            Ok(())
        }
        SourceCommand::Remove { name } => {
            context.store()?.remove_source(&name, context.now())?;
            let object = serde_json::json!({ "removed": name });
            context
                .out
                .object(&object, &format!("removed source {name}; its events stay"))
        }
    }
}

fn add(context: &Context, arguments: AddArguments) -> Result<()> {
    let new = NewSource {
        name: arguments.name.clone(),
        kind: arguments.kind,
        secret: arguments.secret.read(context)?,
        on_repeat: arguments.on_repeat,
    };
    crate::model::check_name(&new.name)?;
    let store = context.store_or_new()?;
    store.add_source(new, context.now())?;
    let report = store.source_report(&arguments.name)?;
    warn_of_unproved(context, &report.source);
    let text = format!(
        "added source {}; it takes events at {}, on the address that `serve --ingest` names",
        arguments.name,
        report.source.path()
    );
    context.out.object(&report.json(), &text)
}

/// Says plainly what this source's requests do not prove.
fn warn_of_unproved(context: &Context, source: &Source) {
    if let Some(what) = source.unproved() {
        context.out.note(&format!("warning: {what}"));
    }
}
