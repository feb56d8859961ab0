//! `hookbox alert`: who is told when something is wrong.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::settings::{OfAlert, OfNewAlert, Options};
use super::{Context, EXIT_CODES, Limit, nothing_named};
use crate::error::Result;
use crate::model::alert::NewAlert;
use crate::model::settings::alert_change;

#[derive(Debug, Subcommand)]
pub(super) enum AlertCommand {
    /// Be told in a chat, at a URL, or by a program, when something is wrong
    #[command(
        after_help = "Examples:\n  hookbox alert add ops https://hooks.slack.com/services/T/B/x\n  hookbox alert add night on-call --about held,offline:1h,silent:1d:gogs\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    Add(AddArguments),
    /// List them, with what is wrong
    #[command(after_help = EXIT_CODES)]
    List(Limit),
    /// Show one, with what is wrong and since when
    #[command(after_help = EXIT_CODES)]
    Show {
        /// Its name
        name: String,
    },
    /// Change one; what is not named stays as it is, and an empty value brings back
    /// the default
    #[command(after_help = EXIT_CODES)]
    Set(SetArguments),
    /// Remove one; its endpoint stays
    #[command(visible_alias = "rm", after_help = EXIT_CODES)]
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// Its name
    name: String,
    /// The endpoint that gets the messages, or the URL of one that is made for
    /// them; without, only the program of `serve --alert-command` gets them
    to: Option<String>,
    #[command(flatten)]
    options: Options<OfNewAlert>,
}

#[derive(Debug, Args)]
pub(super) struct SetArguments {
    /// Its name
    name: String,
    #[command(flatten)]
    options: Options<OfAlert>,
}

pub(super) fn run(context: &Context, command: AlertCommand) -> Result<()> {
    match command {
        AlertCommand::Add(arguments) => add(context, &arguments),
        AlertCommand::List(limit) => {
            let alerts = limit.newest(context.store()?.alerts()?);
            let mut objects: Vec<Value> = alerts.iter().map(|alert| alert.json()).collect();
            if !context.out.is_json() {
                // In a table as one text.
                for (object, alert) in objects.iter_mut().zip(&alerts) {
                    let texts: Vec<&str> = alert.memory.problems().map(|(_, text)| text).collect();
                    object["problems"] = texts.join("; ").into();
                }
            }
            let columns = ["name", "to", "about", "every", "last_told_at", "problems"];
            context.out.list(&columns, &objects)
        }
        AlertCommand::Show { name } => {
            let alert = context.store()?.alert(&name)?;
            context.out.fields(&alert.json())
        }
        AlertCommand::Set(arguments) => {
            let change = alert_change(&arguments.options.read(context)?.pairs)?;
            if change.is_empty() {
                return Err(nothing_named());
            }
            let store = context.store()?;
            let name = &arguments.name;
            store.set_alert(name, move |alert| change.make(alert), context.now())?;
            let object = store.alert(name)?.json();
            context
                .out
                .object(&object, &format!("changed alert {name}"))
        }
        AlertCommand::Remove { name } => {
            context.store()?.remove_alert(&name)?;
            let object = serde_json::json!({ "removed": name });
            context.out.object(
                &object,
                &format!("removed alert {name}; its endpoint stays"),
            )
        }
    }
}

fn add(context: &Context, arguments: &AddArguments) -> Result<()> {
    let mut pairs = arguments.options.read(context)?.pairs;
    pairs.extend(arguments.to.clone().map(|to| ("to".to_owned(), to)));
    let mut alert = NewAlert::new(&arguments.name);
    alert_change(&pairs)?.make(&mut alert)?;
    let store = context.store_or_new()?;
    store.add_alert(alert, context.now())?;
    let name = &arguments.name;
    let alert = store.alert(name)?;
    let text = match alert.set.endpoint() {
        Some(endpoint) => format!(
            "added alert {name}; while `hookbox serve` runs, endpoint {endpoint} is told. To try it: hookbox endpoint test {endpoint}"
        ),
        None => format!("added alert {name}; the program of `serve --alert-command` is told"),
    };
    context.out.object(&alert.json(), &text)
}
