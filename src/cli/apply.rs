//! `hookbox apply` and `hookbox export`: the configuration as a file.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Context;
use super::serve::read_options;
use crate::config::{Config, Difference, Noun, Plan, SecretsFolder, export};
use crate::error::{Error, Result};
use crate::model::text::counted;
use crate::store::{Missing, Store};

#[derive(Debug, Args)]
pub(super) struct ApplyArguments {
    /// The file
    #[arg(default_value = "hookbox.toml")]
    file: PathBuf,
    /// Remove the sources, endpoints and alerts that it does not name
    #[arg(long)]
    prune: bool,
    /// Cancel what is still pending to an endpoint that is removed
    #[arg(long)]
    cancel_pending: bool,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ExportCommand {
    /// Write hookbox.toml of what there is: sources, endpoints and alerts
    #[command(
        after_help = "Example: hookbox export config -o hookbox.toml --secrets-to secrets\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    Config(ExportConfigArguments),
}

#[derive(Debug, Args)]
pub(super) struct ExportConfigArguments {
    /// Write it there, where nothing is yet [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write each secret to a file of its own in this folder, which nobody else
    /// may read; without, secrets stay in the database alone, and `apply` keeps them
    #[arg(long, value_name = "FOLDER")]
    secrets_to: Option<PathBuf>,
}

pub(super) fn apply(context: &Context, arguments: &ApplyArguments) -> Result<()> {
    let config = Config::read(&arguments.file)?;
    // Found now, and not when it is served again.
    read_options(&config)?;
    let now = context.now();
    // A box that is not there yet is made when it is said to be: until then an empty one stands for it.
    let stand_in;
    let store = match context.store() {
        Err(Error::NoDatabase(_)) => {
            let folder = tempfile::tempdir()
                .map_err(|error| Error::io("make a folder for a look", error))?;
            let store = Store::open(folder.path().join("hookbox.db"), Missing::Create)?;
            // Declared before the store: it ends after it.
            stand_in = Some(folder);
            store
        }
        opened => {
            stand_in = None;
            opened?
        }
    };
    let plan = Plan::of(&config, &store, arguments.prune)?;
    let cancel_pending = arguments.cancel_pending;
    let differences = plan.differences().to_vec();
    let said = |applied: bool| {
        let objects: Vec<Value> = differences.iter().map(Difference::json).collect();
        json!({ "file": arguments.file, "applied": applied, "changes": objects })
    };
    let text: String = differences.iter().map(shown).collect();
    if differences.is_empty() {
        let file = arguments.file.display();
        let text = format!("nothing to change: all is as {file} says");
        return context.out.object(&said(false), &text);
    }
    // What would not do is said before anybody is asked.
    plan.apply(&config, &store, cancel_pending, true, now)?;
    if arguments.dry_run {
        return context.out.object(&said(false), text.trim_end());
    }
    let count = counted(differences.len() as i64, "change", "changes");
    if !arguments.yes {
        context.out.tell(text.trim_end());
        if !context.out.confirms(&format!("make {count}?"))? {
            return Err(Error::misuse(
                "nothing was changed; to apply it without being asked, add --yes",
            ));
        }
    }
    let store = match stand_in {
        Some(_) => context.store_or_new()?,
        None => store,
    };
    let plan = Plan::of(&config, &store, arguments.prune)?;
    if plan.differences() != differences {
        return Err(Error::misuse(
            "somebody changed something meanwhile; look again at what would change",
        ));
    }
    plan.apply(&config, &store, cancel_pending, false, now)?;
    for difference in &differences {
        warn(context, &store, difference)?;
    }
    let text = match arguments.yes {
        true => format!("{text}{count} made"),
        false => format!("{count} made"),
    };
    context.out.object(&said(true), &text)
}

/// Prints what is probably a mistake in what was set up.
fn warn(context: &Context, store: &Store, difference: &Difference) -> Result<()> {
    if difference.change == "remove" {
        return Ok(());
    }
    let name = &difference.name;
    match difference.noun {
        Noun::Endpoint => {
            for warning in store.endpoint_report(name)?.warnings {
                context
                    .out
                    .note(&format!("warning: endpoint {name}: {warning}"));
            }
        }
        Noun::Source => {
            if let Some(unproved) = store.source_report(name)?.source.unproved(context.now()) {
                context
                    .out
                    .note(&format!("warning: source {name}: {unproved}"));
            }
        }
        Noun::Alert => {}
    }
    Ok(())
}

/// A difference for a person: a line for the object, and one for each setting.
fn shown(difference: &Difference) -> String {
    let mut text = format!(
        "{} {} {}\n",
        difference.change, difference.noun, difference.name
    );
    let lines = &difference.lines;
    let width = lines.iter().map(|line| line.setting.len()).max();
    for line in lines {
        let value = |value: &Option<String>| match value {
            None => "default".to_owned(),
            Some(text) if text.is_empty() => "none".to_owned(),
            Some(text) => text.replace('\n', " \u{b7} "),
        };
        let (name, to) = (line.setting, value(&line.to));
        let width = width.unwrap_or_default();
        let what = match difference.change {
            "add" => to,
            _ if line.from == line.to => "replaced".to_owned(),
            _ => format!("{} -> {to}", value(&line.from)),
        };
        text.push_str(&format!("    {name:width$}  {what}\n"));
    }
    text
}

pub(super) fn run(context: &Context, command: &ExportCommand) -> Result<()> {
    let ExportCommand::Config(arguments) = command;
    let store = context.store()?;
    let beside = arguments.output.as_deref().map(|path| match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    });
    let secrets = arguments.secrets_to.as_deref();
    let secrets = secrets.map(|folder| SecretsFolder::make(folder, beside));
    let text = export(&store, secrets.transpose()?.as_ref())?;
    match &arguments.output {
        None => context.out.bytes(text.as_bytes()),
        Some(path) => {
            write_new(path, &text)?;
            let object = json!({ "file": path });
            context
                .out
                .object(&object, &format!("{} is written", path.display()))
        }
    }
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path);
    file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    })
    .map_err(|error| Error::io_at("write the configuration to", path, error))
}
