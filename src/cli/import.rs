//! `hookbox import`: what a forge sent and never arrived, out of its own database.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use super::{Context, bundle, read_text};
use crate::error::{Error, Result};
use crate::inbound::{Import, Imported, Redelivery, ask_again, import, source_of, usual_since};
use crate::model::endpoint::EndpointUrl;
use crate::model::kind::SourceKind;
use crate::outbound::{ApiClient, Egress};
use crate::service::NetworkApi;
use crate::signature::Secret;
use crate::store::{Forge, ForgeLocation, Store};
use crate::time::Timestamp;

/// What is no forge.
const BUNDLE: &str = "bundle";

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// What it is: gogs, gitea, forgejo, github, gitlab or bundle
    what: String,
    /// Of a bundle: its file, or - for standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Of a forge: its database, which is only read: a SQLite file (PATH of
    /// [database] in its app.ini), or postgres:// or mysql://USER:PASSWORD@HOST/DATABASE
    #[arg(
        long,
        visible_aliases = ["gogs-db", "gitea-db", "forgejo-db"],
        value_name = "DATABASE",
        value_parser = OsStringValueParser::new().try_map(ForgeLocation::read)
    )]
    from: Option<ForgeLocation>,
    /// Of GitHub or GitLab: the webhook in its API, which is asked to send again what
    /// is not here: https://api.github.com/repos/OWNER/REPO/hooks/ID, or
    /// https://HOST/api/v4/projects/ID/hooks/ID
    #[arg(long, value_name = "URL", conflicts_with_all = ["from", "endpoint"])]
    api: Option<EndpointUrl>,
    /// The API's token is in this file
    #[arg(long, value_name = "FILE", requires = "api")]
    token_file: Option<PathBuf>,
    /// The API's token is in this environment variable
    #[arg(
        long,
        value_name = "VARIABLE",
        requires = "api",
        conflicts_with = "token_file"
    )]
    token_env: Option<String>,
    /// Of a bundle that says what arrived: the endpoint to which that was owed
    #[arg(long, value_name = "NAME", conflicts_with = "source")]
    endpoint: Option<String>,
    /// The source that the events belong to [default: the only one of the forge's
    /// kind]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only what was tried since then: an age (7d), a local day or time, RFC 3339
    /// [default: a day before the newest event of the source]; what was removed
    /// here since then comes again
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only of webhooks whose URL begins so, where they go to several addresses
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Say what would be taken in, and take nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(context: &Context, arguments: &ImportArguments) -> Result<()> {
    if arguments.what == BUNDLE {
        return bundle_of(context, arguments);
    }
    let kind: SourceKind = arguments.what.parse()?;
    if matches!(kind, SourceKind::Github | SourceKind::Gitlab) {
        return by_api(context, arguments, kind);
    }
    let (Some(from), None, None) = (&arguments.from, &arguments.file, &arguments.endpoint) else {
        return Err(Error::misuse(format!(
            "say where the database of {kind} is: hookbox import {kind} --from DATABASE"
        )));
    };
    let forge = Forge::open(from)?;
    let store = context.store()?;
    let now = context.now();
    let source = source_of(&store, kind, arguments.source.as_deref())?;
    let asked = Import {
        since: since(context, arguments, &store, &source)?,
        source,
        url: arguments.url.clone(),
        is_dry: arguments.dry_run,
    };
    let found = import(&store, &forge, &asked, now)?;
    if found.taken > 0 && !asked.is_dry {
        context.note_if_not_served(&store);
    }
    for (uuid, why) in &found.refused {
        context.out.note(&format!("{uuid} is left out: {why}"));
    }
    context
        .out
        .object(&found.json(&asked), &said(&found, &asked))?;
    match found.refused.len() {
        0 => Ok(()),
        count => Err(Error::Refused(format!("{count} could not be taken in"))),
    }
}

/// Since when it is looked: as given, or as is usual for the source.
fn since(
    context: &Context,
    arguments: &ImportArguments,
    store: &Store,
    source: &str,
) -> Result<Timestamp> {
    match context.moment(arguments.since.as_deref())? {
        Some(since) => Ok(since),
        None => usual_since(store, source, None, context.now()),
    }
}

/// Asks a forge to send again what is not here.
fn by_api(context: &Context, arguments: &ImportArguments, kind: SourceKind) -> Result<()> {
    let token = match (&arguments.token_file, &arguments.token_env) {
        (Some(path), _) => read_text("read the token from", path)?,
        (None, Some(name)) => std::env::var(name).map_err(|_| {
            Error::misuse(format!("the environment has no variable {name}; set it"))
        })?,
        (None, None) => String::new(),
    };
    let (Some(hook), false, None) = (&arguments.api, token.trim().is_empty(), &arguments.file)
    else {
        return Err(Error::misuse(format!(
            "say which webhook that is, and what its API is asked with: hookbox import {kind} --api URL --token-file FILE"
        )));
    };
    let (store, now) = (context.store()?, context.now());
    let source = source_of(&store, kind, arguments.source.as_deref())?;
    let asked = Redelivery {
        since: since(context, arguments, &store, &source)?,
        source,
        hook: hook.clone(),
        token: Secret::new(token.trim())?,
        is_dry: arguments.dry_run,
    };
    let api = NetworkApi(ApiClient::new(context.clock.clone(), Egress::default())?);
    let done = ask_again(&store, &api, &asked, now)?;
    let verb = if asked.is_dry { "would be" } else { "are" };
    let mut text = format!(
        "of {} to source {} since {}: {} are here, {} {verb} sent again",
        done.seen, asked.source, asked.since, done.had, done.asked
    );
    for (count, why) in [
        (
            done.waiting,
            "were sent a moment ago and may be on their way",
        ),
        (
            done.left,
            "are left, as it was asked for many; do this again in a minute",
        ),
    ] {
        if count > 0 {
            text.push_str(&format!("; {count} {why}"));
        }
    }
    context.out.object(&done.json(&asked), &text)
}

fn bundle_of(context: &Context, arguments: &ImportArguments) -> Result<()> {
    let of_forges = [&arguments.since, &arguments.url];
    let has_more = of_forges.iter().any(|one| one.is_some()) || arguments.from.is_some();
    let Some(file) = arguments.file.as_ref().filter(|_| !has_more) else {
        return Err(Error::misuse(
            "name the bundle alone: hookbox import bundle FILE --source NAME",
        ));
    };
    let (source, endpoint) = (arguments.source.as_deref(), arguments.endpoint.as_deref());
    let store = context.store()?;
    bundle::import(context, &store, file, source, endpoint, arguments.dry_run)
}

fn said(found: &Imported, asked: &Import) -> String {
    let taken = match asked.is_dry {
        true => "would be taken in",
        false => "taken in",
    };
    let mut text = format!(
        "of {} to source {} since {}: {} were here, {} {taken}",
        found.seen, asked.source, asked.since, found.had, found.taken
    );
    if found.queued > 0 {
        text.push_str(&format!(
            "; {} wait in the forge, which sends them by itself",
            found.queued
        ));
    }
    text
}
