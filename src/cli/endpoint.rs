//! `hookbox endpoint`: where events go.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::secret::SecretArguments;
use super::{Context, EXIT_CODES, Limit};
use crate::error::Result;
use crate::model::endpoint::{EndpointReport, EndpointUrl, Format, NewEndpoint};
use crate::model::retry::Retry;
use crate::signature::Scheme;
use crate::time::parse_span;

#[derive(Debug, Subcommand)]
pub(super) enum EndpointCommand {
    /// Add one: events accepted from now on are sent there
    #[command(
        after_help = "Example: hookbox endpoint add ci https://ci.example.org/hook --sign gogs --secret -\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    Add(Box<AddArguments>),
    /// List them, with how they fare
    #[command(after_help = EXIT_CODES)]
    List(Limit),
    /// Show one
    #[command(after_help = EXIT_CODES)]
    Show {
        /// Its name
        name: String,
    },
    /// Remove one; its deliveries stay to be looked at
    #[command(visible_alias = "rm", after_help = EXIT_CODES)]
    Remove {
        /// Its name
        name: String,
        /// Cancel what is still pending; without this, pending deliveries keep
        /// the endpoint from being removed
        #[arg(long)]
        cancel_pending: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// Its name
    name: String,
    /// Where events are POSTed: an absolute http or https URL
    url: EndpointUrl,
    /// The shape in which events are sent: raw (the producer's own bytes)
    #[arg(long, default_value = "raw")]
    format: Format,
    /// How requests are signed: none, standard (Standard Webhooks), github, gogs
    #[arg(long, default_value_t = Scheme::None)]
    sign: Scheme,
    #[command(flatten)]
    secret: SecretArguments,
    /// How long one attempt may take in all, 5m at most
    #[arg(long, value_name = "SPAN", default_value = "15s", value_parser = parse_span)]
    timeout: Duration,
    /// Requests at the same time, 64 at most
    #[arg(long, value_name = "N", default_value_t = crate::model::endpoint::CONCURRENCY_DEFAULT)]
    concurrency: u32,
    /// Waits between tries, moved by up to 20 % at random; or cron:EXPR (six
    /// fields, seconds first, day of week 1 = Sunday, UTC)
    #[arg(
        long,
        value_name = "LADDER",
        default_value = "5s,5m,30m,2h,5h,10h,14h,20h,24h"
    )]
    retry: Retry,
}

pub(super) fn run(context: &Context, command: EndpointCommand) -> Result<()> {
    match command {
        EndpointCommand::Add(arguments) => add(context, *arguments),
        EndpointCommand::List(limit) => {
            let reports = limit.newest(context.store()?.endpoint_reports()?);
            let objects: Vec<Value> = reports.iter().map(EndpointReport::json).collect();
            let columns = [
                "name",
                "url",
                "sign",
                "circuit",
                "pending",
                "oldest_due_at",
                "delivered",
                "dead",
            ];
            context.out.list(&columns, &objects)
        }
        EndpointCommand::Show { name } => context
            .out
            .fields(&context.store()?.endpoint_report(&name)?.json()),
        EndpointCommand::Remove {
            name,
            cancel_pending,
        } => {
            let cancelled =
                context
                    .store()?
                    .remove_endpoint(&name, cancel_pending, context.now())?;
            let object = json!({ "removed": name, "cancelled": cancelled });
            context.out.object(
                &object,
                &format!("removed endpoint {name}; {cancelled} deliveries cancelled"),
            )
        }
    }
}

fn add(context: &Context, arguments: AddArguments) -> Result<()> {
    let new = NewEndpoint {
        name: arguments.name.clone(),
        url: arguments.url,
        format: arguments.format,
        scheme: arguments.sign,
        secret: arguments.secret.read(context)?,
        timeout: arguments.timeout,
        concurrency: arguments.concurrency,
        retry: arguments.retry,
    };
    new.check()?;
    let store = context.store_or_new()?;
    store.add_endpoint(new, context.now())?;
    let report = store.endpoint_report(&arguments.name)?;
    let text = format!(
        "added endpoint {}; events go to {} from now on",
        arguments.name,
        report.endpoint.url.redacted()
    );
    context.out.object(&report.json(), &text)
}
