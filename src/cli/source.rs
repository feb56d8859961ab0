//! `hookbox source`: ways in.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::secret::{RotateArguments, SecretArguments};
use super::signature::{RuleArguments, RuleChange};
use super::{Context, EXIT_CODES, Limit, nothing_named, optional, put};
use crate::error::{Error, Result};
use crate::model::kind::OnRepeat;
use crate::model::refusal::RefusalRecord;
use crate::model::source::{
    Handshake, NewSource, Origin, Preset, SenderAuth, SenderKind, Source, SourceReport, Tolerance,
};
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
    /// Change one; what is not named stays as it is
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

/// What can be set when a source is made, and later.
#[derive(Debug, Args)]
struct Settings {
    #[command(flatten)]
    secret: SecretArguments,
    /// How far the signed time of a request may be from now, or none to take
    /// any [default: 1h for gitee, 5m for standard and gitlab]
    #[arg(long, value_name = "SPAN|none")]
    tolerance: Option<Tolerance>,
    /// Draw a token that the path must end with: /in/NAME/TOKEN. For senders
    /// that sign nothing, or not the body. A source that has one keeps it
    #[arg(long)]
    path_token: bool,
    /// What a request with a known key asks for, besides the answer that the
    /// event is known: ignore, or replay. Replay sends the event again, if the
    /// repeat comes more than 10 seconds after the first (then a person pressed
    /// Redelivery): where it is pending, at once [default: replay for gogs,
    /// github and gitlab, ignore for others]
    #[arg(long, value_name = "ignore|replay")]
    on_repeat: Option<OnRepeat>,
    #[command(flatten)]
    rules: RuleArguments,
    #[command(flatten)]
    generic: GenericSettings,
}

/// Where type and key are; an empty value means the usual again.
#[derive(Debug, Args)]
#[command(next_help_heading = "For kind generic")]
struct GenericSettings {
    /// The header that names the type [default: X-Hookbox-Type]
    #[arg(long, value_name = "HEADER", conflicts_with = "type_expr")]
    type_header: Option<String>,
    /// A Jinja expression that says the type, such as "body.event.name"
    #[arg(long, value_name = "EXPR")]
    type_expr: Option<String>,
    /// The header that holds the key [default: X-Hookbox-Key]
    #[arg(long, value_name = "HEADER", conflicts_with = "key_expr")]
    key_header: Option<String>,
    /// A Jinja expression that says the key, such as "body.id"
    #[arg(long, value_name = "EXPR")]
    key_expr: Option<String>,
    /// The secret comes with each request and signs nothing: basic:USER, bearer
    /// or header:NAME; none for a signature again
    #[arg(long, value_name = "HOW")]
    auth: Option<String>,
    /// Answer what the sender asks once: slack (url_verification), challenge
    /// (GET ?challenge=), microsoft (?validationToken=), cloudevents (OPTIONS)
    #[arg(long, value_name = "NAME")]
    handshake: Option<String>,
}

/// Settings that were read, to be put in the place of those that a source has.
struct Change {
    /// `Some(None)` takes the secret away.
    secret: Option<Option<Secret>>,
    tolerance: Option<Tolerance>,
    /// `Some(None)` takes the token away; one that there is stays.
    path_token: Option<Option<Secret>>,
    on_repeat: Option<OnRepeat>,
    rules: RuleChange,
    /// `Some(None)` is the usual.
    type_from: Option<Option<Origin>>,
    key_from: Option<Option<Origin>>,
    auth: Option<Option<SenderAuth>>,
    handshake: Option<Option<Handshake>>,
}

impl Settings {
    fn read(self, context: &Context, no_path_token: bool, no_secret: bool) -> Result<Change> {
        let path_token = match (self.path_token, no_path_token) {
            (true, _) => Some(Some(draw_token()?)),
            (false, true) => Some(None),
            (false, false) => None,
        };
        let generic = self.generic;
        Ok(Change {
            secret: match self.secret.read(context)? {
                Some(secret) => Some(Some(secret)),
                None => no_secret.then_some(None),
            },
            tolerance: self.tolerance,
            path_token,
            on_repeat: self.on_repeat,
            rules: self.rules.read()?,
            type_from: origin(generic.type_header, generic.type_expr)?,
            key_from: origin(generic.key_header, generic.key_expr)?,
            auth: optional(generic.auth.map(|how| match how.as_str() {
                "none" => String::new(),
                _ => how,
            }))?,
            handshake: optional(generic.handshake)?,
        })
    }
}

/// Where a text comes from, if it was said.
fn origin(header: Option<String>, expression: Option<String>) -> Result<Option<Option<Origin>>> {
    match (header.as_deref(), expression.as_deref()) {
        (None, None) => Ok(None),
        (Some(""), _) | (None, Some("")) => Ok(Some(None)),
        (Some(name), _) => Origin::header(name).map(|origin| Some(Some(origin))),
        (None, Some(text)) => text.parse().map(|e| Some(Some(Origin::Expression(e)))),
    }
}

/// 128 bits by chance, in a form that can stand in a path.
fn draw_token() -> Result<Secret> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let cause = std::io::Error::other(error.to_string());
        Error::io("draw a token by chance", cause)
    })?;
    Secret::new(hex::encode(bytes))
}

impl Change {
    fn is_nothing(&self) -> bool {
        self.secret.is_none()
            && self.tolerance.is_none()
            && self.path_token.is_none()
            && self.on_repeat.is_none()
            && self.rules.is_nothing()
            && self.type_from.is_none()
            && self.key_from.is_none()
            && self.auth.is_none()
            && self.handshake.is_none()
    }

    fn apply(&self, source: &mut NewSource) {
        put(&mut source.secret, &self.secret);
        put(&mut source.tolerance, &self.tolerance);
        if source.path_token.is_none() || self.path_token == Some(None) {
            put(&mut source.path_token, &self.path_token);
        }
        put(&mut source.on_repeat, &self.on_repeat.map(Some));
        let generic = &mut source.generic;
        self.rules.apply(&mut generic.signature);
        put(&mut generic.type_from, &self.type_from);
        put(&mut generic.key_from, &self.key_from);
        put(&mut generic.auth, &self.auth);
        put(&mut generic.handshake, &self.handshake);
    }
}

pub(super) fn run(context: &Context, command: SourceCommand) -> Result<()> {
    match command {
        SourceCommand::Add(arguments) => add(context, *arguments),
        SourceCommand::Set(arguments) => set(context, *arguments),
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
            let objects: Vec<Value> = shown.map(RefusalRecord::json).collect();
            context
                .out
                .list(&["at", "count", "address", "status", "reason"], &objects)?;
            if !objects.is_empty() && !context.out.is_json() {
                context.out.note("--json shows their headers as well");
            }
            Ok(())
        }
        SourceCommand::Remove { name } => {
            let store = context.store()?;
            store.remove_source(&name, context.now())?;
            let directory = store.fresh_directory()?;
            for endpoint in directory.endpoints() {
                let sources = endpoint.filters.sources.as_ref();
                let left = directory
                    .sources()
                    .iter()
                    .map(|source| source.name.as_str());
                if let Some(pattern) = sources.and_then(|globs| globs.first_idle(left)) {
                    let name = &endpoint.name;
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

fn add(context: &Context, arguments: AddArguments) -> Result<()> {
    let mut new = NewSource::of(arguments.name.clone(), arguments.kind);
    arguments
        .settings
        .read(context, false, false)?
        .apply(&mut new);
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

fn set(context: &Context, arguments: SetArguments) -> Result<()> {
    let (no_path_token, no_secret) = (arguments.no_path_token, arguments.no_secret);
    let change = arguments.settings.read(context, no_path_token, no_secret)?;
    if change.is_nothing() {
        return Err(nothing_named());
    }
    let store = context.store()?;
    store.set_source(
        &arguments.name,
        move |source| {
            change.apply(source);
            Ok(())
        },
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

/// The source as whoever sets its sender up needs it: with the token in its path.
fn with_whole_path(context: &Context, report: &SourceReport) -> Value {
    let mut object = report.json(context.now());
    object["path"] = report.source.path().into();
    object
}

/// Says plainly what this source's requests do not prove.
fn warn_of_unproved(context: &Context, source: &Source) {
    if let Some(what) = source.unproved(context.now()) {
        context.out.note(&format!("warning: {what}"));
    }
}
