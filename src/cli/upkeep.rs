//! `hookbox backup` and `hookbox prune`: looking after the file.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::Context;
use super::progress;
use crate::error::{Error, Result};
use crate::store::Pruned;
use crate::time::Timestamp;

/// How long the file is left to others between two steps of removing.
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

pub(super) fn backup(context: &Context, arguments: &BackupArguments) -> Result<()> {
    if arguments.file.as_os_str() == "-" {
        return Err(Error::misuse(
            "a backup is a file of its own, readable by its owner alone; name one",
        ));
    }
    let store = context.store()?;
    let bytes = {
        let bar = progress::going(context, true, "copying");
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
            let bar = progress::going(context, false, "looking");
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
        let bar = progress::going(context, false, "removing");
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

/// Leaves the file to others: whoever waits for its lock looks for it only now and then, and would
/// find it taken again.
#[allow(
    clippy::disallowed_methods,
    reason = "SQLite tells nobody who waits for a lock"
)]
fn rest() {
    std::thread::sleep(REST);
}

/// Goes on to the end, and shows how far it is.
fn watched(bar: &progress::Going) -> impl FnMut(&Pruned) -> bool {
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
        "{} events with {} deliveries and {} attempts, {:.1} KiB of bodies",
        pruned.events,
        pruned.deliveries,
        pruned.attempts,
        pruned.bytes as f64 / 1024.0
    )
}
