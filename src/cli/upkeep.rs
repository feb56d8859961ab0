//! File maintenance: `backup`, `restore`, `check`, `salvage`, `compact`, `prune`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::Context;
use super::processes::name_holders;
use super::progress;
use crate::error::{Error, Result};
use crate::model::text::counted;
use crate::store::{self, Copied, Depth, Pruned};
use crate::time::Timestamp;

/// How long the file is left to other programs between two steps of removing.
const REST: Duration = Duration::from_millis(30);

#[derive(Debug, Args)]
pub(super) struct BackupArguments {
    /// The file to make; it must not be there yet
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct PruneArguments {
    /// Remove what came, and was settled, before then: as --since
    /// of event list
    /// such as 90d; the last hour is always kept
    #[arg(long, value_name = "TIME")]
    before: String,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// The backup, or any other database file of hookbox's
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// Look at indexes, references, counts and keys too: every row is read
    /// several times
    #[arg(long)]
    full: bool,
}

#[derive(Debug, Args)]
pub(super) struct SalvageArguments {
    /// The file to make; it must not be there yet
    file: PathBuf,
}

pub(super) fn restore(context: &Context, arguments: &RestoreArguments) -> Result<()> {
    let database = context
        .db
        .require_file("restore it with PostgreSQL's own tools")?;
    let restored = {
        let bar = progress::going(context, "copying");
        let watch = |copied: Copied| bar.is_at(copied.done, copied.total);
        store::restore(&arguments.file, database, context.now(), watch).map_err(name_holders)?
    };
    let kept = restored.kept.as_deref().map(Path::display);
    let object = json!({
        "restored": arguments.file.display().to_string(),
        "bytes": restored.bytes,
        "events": restored.events,
        "pending": restored.pending,
        "kept": kept.as_ref().map(ToString::to_string),
    });
    let text = format!(
        "{} is in place, with {} events; {} deliveries are pending in it and are sent once it is served, also those that went out since it was made",
        context.db, restored.events, restored.pending
    );
    context.out.object(&object, &text)?;
    if let Some(kept) = kept {
        context
            .out
            .note(&format!("what was there before is {kept}"));
    }
    Ok(())
}

pub(super) fn compact(context: &Context) -> Result<()> {
    let compacted = {
        let _bar = progress::going(context, "giving back");
        let compacted = context.store()?.compact(|| {
            rest();
            true
        });
        compacted.map_err(name_holders)?
    };
    let object = json!({ "before": compacted.before, "after": compacted.after });
    let text = format!(
        "{}: {} bytes, {} before",
        context.db, compacted.after, compacted.before
    );
    context.out.object(&object, &text)
}

pub(super) fn check(context: &Context, arguments: &CheckArguments) -> Result<()> {
    let depth = match arguments.full {
        true => Depth::Full,
        false => Depth::Quick,
    };
    let faults = {
        let _bar = progress::going(context, "looking");
        let path = context
            .db
            .require_file("PostgreSQL checks it (pg_amcheck)")?;
        store::check(path, depth)?
    };
    let told: Vec<Value> = faults
        .iter()
        .map(
            |fault| json!({ "what": fault.what, "damage": fault.is_damage, "do": fault.do_this() }),
        )
        .collect();
    let mut lines: Vec<String> = faults.iter().map(|fault| fault.what.clone()).collect();
    if let Some(worst) = faults.iter().max_by_key(|fault| fault.is_damage) {
        lines.push(format!("what to do: {}", worst.do_this()));
    } else {
        lines.push("nothing is wrong".to_owned());
    }
    let object = json!({ "full": arguments.full, "faults": told });
    context.out.object(&object, &lines.join("\n"))?;
    match faults.len() {
        0 => Ok(()),
        count => Err(Error::Refused(format!("faults found: {count}"))),
    }
}

pub(super) fn salvage(context: &Context, arguments: &SalvageArguments) -> Result<()> {
    let database = context.db.require_file("restore a backup of it")?;
    let salvaged = {
        let bar = progress::going(context, "reading");
        store::salvage(database, &arguments.file, |_, rows| {
            bar.is_at(u64::try_from(rows).unwrap_or(0), 0);
        })?
    };
    let tables = salvaged.tables.iter();
    let object = json!({
        "salvaged": arguments.file.display().to_string(),
        "whole": salvaged.is_whole(),
        "tables": tables.clone().map(|table| json!({
            "name": table.name, "rows": table.rows, "lost": table.lost,
        })).collect::<Vec<_>>(),
        "left_out": salvaged.left_out,
        "other_tables": salvaged.has_others,
    });
    let mut lines = Vec::new();
    for table in tables.filter(|table| table.rows > 0 || !table.lost.is_empty()) {
        lines.push(format!("{}: {} rows", table.name, table.rows));
        lines.extend(
            table
                .lost
                .iter()
                .map(|lost| format!("  could not be read: {lost}")),
        );
    }
    lines.extend(salvaged.left_out.iter().cloned());
    let file = arguments.file.display();
    lines.push(match salvaged.is_whole() {
        true => format!("{file} holds all of hookbox's tables"),
        false => format!("{file} holds what can be read of hookbox's tables"),
    });
    lines.push(match salvaged.has_others {
        true => "the other program's tables in the file are not in it".to_owned(),
        false => format!("to use it: hookbox restore {file}"),
    });
    context.out.object(&object, &lines.join("\n"))
}

pub(super) fn backup(context: &Context, arguments: &BackupArguments) -> Result<()> {
    if arguments.file.as_os_str() == "-" {
        return Err(Error::misuse(
            "a backup is a file of its own, readable by its owner alone; name one",
        ));
    }
    let store = context.store()?;
    let bytes = {
        let bar = progress::going(context, "copying");
        store.backup(&arguments.file, |copied| {
            bar.is_at(copied.done, copied.total)
        })?
    };
    let file = arguments.file.display().to_string();
    let object = json!({ "backup": file, "bytes": bytes });
    let text = format!("{file}: {bytes} bytes");
    context.out.object(&object, &text)
}

pub(super) fn prune(context: &Context, arguments: &PruneArguments) -> Result<()> {
    let store = context.store()?;
    let now = context.now();
    let before = Timestamp::parse(&arguments.before, now)?;
    let kept_for = store.kept_for(before)?.join(", ");
    if !kept_for.is_empty() {
        context.out.note(&format!(
            "older events stay as long as deliveries of them are pending at: {kept_for}"
        ));
    }
    let is_asked = !arguments.dry_run && !arguments.yes && context.out.is_interactive();
    if arguments.dry_run || is_asked {
        let preview = {
            let bar = progress::going(context, "looking");
            store.preview_prune(before, None, now, watched(&bar))?
        };
        if arguments.dry_run {
            let text = format!("would remove {}", told(&preview));
            return context
                .out
                .object(&preview.json(store.box_id(), true), &text);
        }
        if preview.events == 0 {
            return context.out.object(
                &preview.json(store.box_id(), false),
                "there is nothing to remove",
            );
        }
        let question = format!("remove {}, for good?", told(&preview));
        if !context.out.confirms(&question)? {
            return Err(Error::misuse(
                "nothing was removed; --yes removes without asking",
            ));
        }
    }
    let pruned = {
        let bar = progress::going(context, "removing");
        let mut watch = watched(&bar);
        let mut removed = 0;
        store.prune(before, None, now, |pruned| {
            if pruned.events > removed {
                removed = pruned.events;
                rest();
            }
            watch(pruned)
        })?
    };
    let text = format!("removed {}", told(&pruned));
    context
        .out
        .object(&pruned.json(store.box_id(), false), &text)
}

/// Leaves the file to other programs for a while.
///
/// A program that waits for the lock tries only now and then, and would find it taken again.
#[allow(
    clippy::disallowed_methods,
    reason = "SQLite tells nobody who waits for a lock"
)]
fn rest() {
    std::thread::sleep(REST);
}

/// Runs to the end, and shows the progress.
fn watched(bar: &progress::Going<'_>) -> impl FnMut(&Pruned) -> bool {
    let mut first = None;
    move |pruned| {
        let first = *first.get_or_insert(pruned.looked_to.0);
        let count = |id: i64| u64::try_from(id - first).unwrap_or(0);
        bar.is_at(count(pruned.looked_to.0), count(pruned.ends_at.0).max(1));
        true
    }
}

fn told(pruned: &Pruned) -> String {
    format!(
        "{} with {} and {}, {:.1} KiB of bodies",
        counted(pruned.events, "event", "events"),
        counted(pruned.deliveries, "delivery", "deliveries"),
        counted(pruned.attempts, "attempt", "attempts"),
        pruned.bytes as f64 / 1024.0
    )
}
