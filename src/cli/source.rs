//! `hookbox source`: where events come in.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::settings::{OfSource, Options, RotateArguments};
use super::{Context, EXIT_CODES, Limit, nothing_named};
use crate::error::{Error, Result};
use crate::model::rejected::RejectedRequest;
use crate::model::settings::{Change, source_change};
use crate::model::source::{NewSource, Preset, RelayBox, SenderKind, Source, SourceReport};
use crate::signature::Secret;

#[derive(Debug, Subcommand)]
pub(super) enum SourceCommand {
    /// Add a way in: POST events to /in/NAME
    #[command(
        after_help = "Example: hookbox source add gogs --kind gogs --secret-file gogs.secret\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    Add(Box<AddArguments>),
    /// List them, with what came through
    #[command(after_help = EXIT_CODES)]
    List(Limit),
    /// Show one
    #[command(after_help = EXIT_CODES)]
    Show {
        /// Its name
        name: String,
    },
    /// Change one; what is not named stays as it is, and an empty value brings back
    /// the default
    #[command(after_help = EXIT_CODES)]
    Set(Box<SetArguments>),
    /// Give one a new secret; the old one holds a while longer
    #[command(
        after_help = "Example: hookbox source rotate-secret gogs --secret-file new.secret --overlap 24h\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    RotateSecret(RotateArguments),
    /// List the latest requests that one refused, 100 at most, and why
    #[command(after_help = EXIT_CODES)]
    Refusals {
        /// Its name
        name: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// List the boxes that relay their events to one, and when each was heard
    #[command(after_help = EXIT_CODES)]
    Boxes {
        /// Its name
        name: String,
        #[command(flatten)]
        limit: Limit,
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
    /// (Standard Webhooks), generic (anything that can POST), or one over
    /// generic: bitbucket, stripe, slack, grafana, alertmanager, sentry, shopify
    #[arg(long)]
    kind: SenderKind,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
pub(super) struct SetArguments {
    /// Its name
    name: String,
    #[command(flatten)]
    settings: Settings,
    /// Take requests at /in/NAME again
    #[arg(long, conflicts_with = "path_token")]
    no_path_token: bool,
    /// Take unsigned requests
    #[arg(long, conflicts_with_all = ["secret_file", "secret_env", "secret"])]
    no_secret: bool,
}

/// What can be set when a source is made, and later; an empty value brings back the default.
#[derive(Debug, Args)]
struct Settings {
    #[command(flatten)]
    options: Options<OfSource>,
    /// Draw a token that the path must end with: /in/NAME/TOKEN. For senders
    /// that sign nothing, or not the body. A source that has one keeps it
    #[arg(long)]
    path_token: bool,
}

impl Settings {
    fn read(&self, context: &Context) -> Result<Change<NewSource>> {
        let given = self.options.read(context)?;
        let mut change = source_change(&given.pairs)?;
        if given.secret.is_some() {
            change.put(given.secret, |source, secret| source.secret = secret);
        }
        if self.path_token {
            change.put(draw_token()?, |source, token| {
                source.path_token.get_or_insert(token);
            });
        }
        Ok(change)
    }
}

/// Draws a random token of 128 bits, in a form that is valid in a URL path.
fn draw_token() -> Result<Secret> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let cause = std::io::Error::other(error.to_string());
        Error::io("draw a token by chance", cause)
    })?;
    Secret::new(hex::encode(bytes))
}

pub(super) fn run(context: &Context, command: SourceCommand) -> Result<()> {
    match command {
        SourceCommand::Add(arguments) => add(context, &arguments),
        SourceCommand::Set(arguments) => set(context, &arguments),
        SourceCommand::RotateSecret(arguments) => rotate_secret(context, &arguments),
        SourceCommand::List(limit) => {
            let reports = limit.newest(context.store()?.source_reports()?);
            let objects: Vec<Value> = reports
                .iter()
                .map(|report| report.json(context.now()))
                .collect();
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
            context.out.fields(&with_whole_path(context, &report))?;
            warn_of_unproved(context, &report.source);
            Ok(())
        }
        SourceCommand::Refusals { name, limit } => {
            let refusals = context.store()?.refusals(&name)?;
            let shown = refusals.iter().take(limit.limit);
            let objects: Vec<Value> = shown.map(RejectedRequest::json).collect();
            context
                .out
                .list(&["at", "count", "address", "status", "reason"], &objects)?;
            if !objects.is_empty() && !context.out.is_json() {
                context.out.note("--json shows their headers as well");
            }
            Ok(())
        }
        SourceCommand::Boxes { name, limit } => {
            let boxes = context.store()?.relay_boxes(&name)?;
            let objects = boxes.iter().take(limit.limit).map(RelayBox::json);
            let objects: Vec<Value> = objects.collect();
            context.out.list(
                &[
                    "box",
                    "name",
                    "last_heard_at",
                    "requests",
                    "events",
                    "first_heard_at",
                ],
                &objects,
            )
        }
        SourceCommand::Remove { name } => {
            let store = context.store()?;
            store.remove_source(&name, context.now())?;
            let directory = store.fresh_directory()?;
            for endpoint in directory.endpoints() {
                let sources = endpoint.set.filters.sources.as_ref();
                let left = directory
                    .sources()
                    .iter()
                    .map(|source| source.name.as_str());
                if let Some(pattern) = sources.and_then(|globs| globs.first_idle(left)) {
                    let name = &endpoint.set.name;
                    context.out.note(&format!(
                        "endpoint {name} has --sources with {pattern}, which matches no source now"
                    ));
                }
            }
            let object = serde_json::json!({ "removed": name });
            context
                .out
                .object(&object, &format!("removed source {name}; its events stay"))
        }
    }
}

fn add(context: &Context, arguments: &AddArguments) -> Result<()> {
    let mut new = NewSource::of(arguments.name.clone(), arguments.kind);
    arguments.settings.read(context)?.make(&mut new)?;
    new.check()?;
    let store = context.store_or_new()?;
    store.add_source(new, context.now())?;
    let report = store.source_report(&arguments.name)?;
    warn_of_unproved(context, &report.source);
    let generic = &report.source.generic;
    if generic.preset == Some(Preset::Slack) && generic.handshake.is_none() {
        context.out.note("Slack asks for its challenge before it sends events, and is not answered: `source set --handshake slack` answers it");
    }
    let text = format!(
        "added source {}; it takes events at {}, on the address that `serve --ingest` names",
        arguments.name,
        report.source.path()
    );
    context
        .out
        .object(&with_whole_path(context, &report), &text)
}

fn set(context: &Context, arguments: &SetArguments) -> Result<()> {
    let mut change = arguments.settings.read(context)?;
    if arguments.no_path_token {
        change.put((), |source, ()| source.path_token = None);
    }
    if arguments.no_secret {
        change.put((), |source, ()| source.secret = None);
    }
    if change.is_empty() {
        return Err(nothing_named());
    }
    let store = context.store()?;
    store.set_source(
        &arguments.name,
        move |source| change.make(source),
        context.now(),
    )?;
    let report = store.source_report(&arguments.name)?;
    warn_of_unproved(context, &report.source);
    let text = format!(
        "changed source {}; it takes events at {}",
        arguments.name,
        report.source.path()
    );
    context
        .out
        .object(&with_whole_path(context, &report), &text)
}

fn rotate_secret(context: &Context, arguments: &RotateArguments) -> Result<()> {
    let secret = arguments.read(context)?;
    let (name, overlap, now) = (&arguments.name, arguments.overlap, context.now());
    let store = context.store()?;
    store.rotate_source_secret(name, secret, overlap, now)?;
    let report = store.source_report(name)?;
    let text = match report.source.old_secrets.first() {
        Some(old) if old.ends > now => format!(
            "source {name} has a new secret; the old one holds until {}",
            old.ends
        ),
        Some(_) => format!("source {name} has a new secret; the old one holds no longer"),
        None => format!("source {name} has a secret now; unsigned requests are refused"),
    };
    context.out.object(&report.json(now), &text)
}

/// Returns the source as JSON, with the token in its path: whoever sets up the sender needs it.
fn with_whole_path(context: &Context, report: &SourceReport) -> Value {
    let mut object = report.json(context.now());
    object["path"] = report.source.path().into();
    object
}

/// Warns about what this source's requests do not prove.
fn warn_of_unproved(context: &Context, source: &Source) {
    if let Some(what) = source.unproved(context.now()) {
        context.out.note(&format!("warning: {what}"));
    }
}
