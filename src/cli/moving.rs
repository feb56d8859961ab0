//! `move`: to another place, of another engine.

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use serde_json::{Value, json};

use super::Context;
use super::progress;
use crate::error::Result;
use crate::store::{self, Location, MovePhase, MoveProgress, Moved};

#[derive(Debug, Args)]
pub(super) struct MoveArguments {
    /// The database to move: file or URL; it stays as it is
    #[arg(long, value_name = "PATH", value_parser = location())]
    from: Location,
    /// Where to: a file that is not there yet, or the URL of an empty
    /// database or schema
    #[arg(long, value_name = "PATH", value_parser = location())]
    to: Location,
    /// Throw away what an unfinished move left there, and begin again
    #[arg(long)]
    restart: bool,
}

fn location() -> impl TypedValueParser<Value = Location> {
    OsStringValueParser::new().try_map(Location::read)
}

pub(super) fn run(context: &Context, arguments: &MoveArguments) -> Result<()> {
    let MoveArguments { from, to, restart } = arguments;
    let moved = {
        let bar = progress::going(context, "moving");
        store::move_to(from, to, *restart, |at: MoveProgress| {
            let doing = match at.phase {
                MovePhase::Copying => "moving",
                MovePhase::Checking => "checking",
            };
            bar.says(format!("{doing} {}", at.table));
            bar.is_at(at.done, at.total);
        })
    };
    let moved = moved.inspect_err(|error| {
        if error.may_pass() {
            context
                .out
                .note("run the same command again once that is over: it goes on where it was");
        }
    })?;
    print(context, &moved)?;
    if moved.replaced_texts > 0 {
        context.out.note(&format!(
            "PostgreSQL stores no NUL in texts, and nothing that is not UTF-8: there is U+FFFD instead in {} texts",
            moved.replaced_texts
        ));
    }
    context.out.note(&format!(
        "serve {} from now on, and {} no more: both would send what is pending",
        moved.to, moved.from
    ));
    Ok(())
}

fn print(context: &Context, moved: &Moved) -> Result<()> {
    let tables: Vec<Value> = moved
        .tables
        .iter()
        .map(|table| json!({ "name": table.name, "rows": table.rows, "sha256": table.sha256 }))
        .collect();
    let rows: u64 = moved.tables.iter().map(|table| table.rows).sum();
    let object = json!({
        "from": moved.from.to_string(),
        "to": moved.to.to_string(),
        "box": moved.box_id,
        "resumed": moved.resumed,
        "rows": rows,
        "pending": moved.pending,
        "replaced_texts": moved.replaced_texts,
        "tables": tables,
    });
    if !context.out.is_json() {
        let with_rows: Vec<Value> = tables
            .into_iter()
            .filter(|table| table["rows"] != 0)
            .collect();
        context.out.list(&["name", "rows"], &with_rows)?;
    }
    let text = format!(
        "moved {rows} rows, the same on both sides; {} deliveries are pending, and are sent once {} is served",
        moved.pending, moved.to
    );
    context.out.object(&object, &text)
}
