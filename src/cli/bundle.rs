//! `hookbox export` of bundles, and `hookbox import bundle`.

use std::io::{ErrorKind, IsTerminal, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::json;

use super::Context;
use super::settings::{OfSecret, Options};
use crate::bundle::{Chosen, acknowledge, take_in, write_acks, write_events};
use crate::error::{Error, Result};
use crate::model::settings::{Listing, Selection};
use crate::model::text::counted;
use crate::store::Store;

/// Which events go into a bundle, and by whom it is signed.
#[derive(Debug, Args)]
pub(super) struct BundleArguments {
    /// Write the bundle there, where nothing is yet; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only events that are owed, or were, to this endpoint; its secret signs
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// Only events that are still pending
    #[arg(long)]
    pending: bool,
    /// Say which events of other boxes arrived through the source, instead
    #[arg(long, requires = "source", conflicts_with_all = ["pending", "endpoint"])]
    acks: bool,
    /// Only events of this source; with --acks, its secret signs
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only since then: an age (7d), a local day or time, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Keep all headers, those with credentials too, and encrypt the bundle for this
    /// recipient of `age`, a program that must be there: age1..., or an SSH public key
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "acks")]
    with_secrets: Option<String>,
    #[command(flatten)]
    secret: Options<OfSecret>,
}

pub(super) fn export(context: &Context, arguments: &BundleArguments) -> Result<()> {
    let Some(output) = &arguments.output else {
        return Err(Error::misuse(
            "say where the bundle goes: -o FILE (`hookbox export config` writes the set-up)",
        ));
    };
    let (store, now) = (context.store()?, context.now());
    let given = [
        ("endpoint", &arguments.endpoint),
        ("source", &arguments.source),
        ("type", &arguments.event_type),
        ("since", &arguments.since),
        ("until", &arguments.until),
    ];
    let pairs = given.into_iter().filter_map(|(name, value)| {
        let value = value.as_ref()?;
        Some((name.to_owned(), value.clone()))
    });
    let pairs: Vec<(String, String)> = pairs.collect();
    let is_of_deliveries = arguments.pending || arguments.endpoint.is_some();
    let listing = match is_of_deliveries {
        true => Listing::Deliveries,
        false => Listing::Events,
    };
    let selection = Selection::read(listing, &pairs, store.box_id(), now)?;
    let directory = store.fresh_directory()?;
    let secret = arguments.secret.read(context)?.secret;
    let secret = secret.or_else(|| match (&arguments.endpoint, arguments.acks) {
        (Some(name), _) => directory.endpoint(name)?.set.secret.clone(),
        (None, true) => {
            let source = arguments.source.as_ref()?;
            directory.source(source)?.secret.clone()
        }
        (None, false) => None,
    });
    let write_plain = |to: &mut dyn std::io::Write| match arguments.acks {
        true => write_acks(&store, &selection, secret.as_ref(), to, now),
        false => {
            let chosen = Chosen {
                selection: selection.clone(),
                is_pending: arguments.pending,
                with_secrets: arguments.with_secrets.is_some(),
            };
            write_events(&store, &chosen, secret.as_ref(), to, now)
        }
    };
    let write = |to: &mut dyn std::io::Write| match &arguments.with_secrets {
        Some(recipient) => encrypted(recipient, to, write_plain),
        None => write_plain(to),
    };
    if output.as_os_str() == "-" {
        if std::io::stdout().is_terminal() {
            return Err(Error::misuse(
                "a bundle is nothing to look at: send it on, or into a file with -o FILE (`zstd -dc FILE` shows it)",
            ));
        }
        return write(&mut std::io::stdout().lock()).map(drop);
    }
    let written = write_whole(output, write)?;
    if !written.is_signed {
        context.out.note("the bundle is not signed: a source or endpoint that has a secret does not take it; sign it with --secret-file or --secret-env");
    }
    let object = json!({
        "file": output,
        "what": if arguments.acks { "acks" } else { "events" },
        "events": written.events,
        "signed": written.is_signed,
    });
    let count = counted(written.events as i64, "event", "events");
    let text = match arguments.acks {
        true => format!("{} says of {count} that they arrived", output.display()),
        false => format!("{} has {count}", output.display()),
    };
    context.out.object(&object, &text)
}

/// Encrypts what is written, by the program `age`.
fn encrypted<T>(
    recipient: &str,
    to: &mut dyn std::io::Write,
    write: impl FnOnce(&mut dyn std::io::Write) -> Result<T>,
) -> Result<T> {
    let failed = |error| Error::io("encrypt the bundle", error);
    let mut encrypted = tempfile::tempfile().map_err(failed)?;
    let started = Command::new("age")
        .args(["-r", recipient])
        .stdin(Stdio::piped())
        .stdout(encrypted.try_clone().map_err(failed)?)
        .stderr(Stdio::piped())
        .spawn();
    let mut age = started.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::Refused(
            "to encrypt a bundle the program `age` is needed, which is not here; on Debian it is in the package age"
                .to_owned(),
        ),
        _ => failed(error),
    })?;
    let written = age.stdin.take().map(|mut stdin| write(&mut stdin));
    let ended = age.wait_with_output().map_err(failed)?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        let said = said.lines().next().unwrap_or_default();
        return Err(Error::misuse(format!(
            "age does not encrypt for `{recipient}`: {said}"
        )));
    }
    let written = written.unwrap_or(Err(Error::Stopped))?;
    encrypted.seek(SeekFrom::Start(0)).map_err(failed)?;
    std::io::copy(&mut encrypted, to).map_err(failed)?;
    Ok(written)
}

/// Writes a file beside its place and puts it there when it is whole and on the disk.
fn write_whole<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn std::io::Write) -> Result<T>,
) -> Result<T> {
    let cannot = |error| Error::io_at("write the bundle to", path, error);
    if path.exists() {
        return Err(Error::misuse(format!(
            "{} is there already; name another file, or remove it",
            path.display()
        )));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(cannot)?;
    let mut to = std::io::BufWriter::new(&mut file);
    let written = write(&mut to)?;
    std::io::Write::flush(&mut to).map_err(cannot)?;
    drop(to);
    file.as_file().sync_all().map_err(cannot)?;
    file.persist_noclobber(path)
        .map_err(|error| cannot(error.error))?;
    Ok(written)
}

/// Takes a bundle in: events through a source, or what arrived for an endpoint.
pub(super) fn import(
    context: &Context,
    store: &Store,
    path: &Path,
    source: Option<&str>,
    endpoint: Option<&str>,
    is_dry: bool,
) -> Result<()> {
    let now = context.now();
    match (source, endpoint) {
        (Some(source), None) => {
            let done = take_in(store, path, source, is_dry, now)?;
            if done.taken > 0 && !is_dry {
                context.note_if_not_served(store);
            }
            let taken = if is_dry {
                "would be taken in"
            } else {
                "taken in"
            };
            let mut text = format!(
                "{} of box {}: {} were here, {} {taken} to source {source}",
                counted(done.seen as i64, "event", "events"),
                done.from,
                done.had,
                done.taken
            );
            if done.went_round > 0 {
                text.push_str(&format!(
                    "; {} have been there before and went round",
                    done.went_round
                ));
            }
            context.out.object(&done.json(source, is_dry), &text)
        }
        (None, Some(endpoint)) => {
            let done = acknowledge(store, path, endpoint, is_dry, now)?;
            let settled = if is_dry { "would be" } else { "are" };
            let text = format!(
                "box {} has {}: {} to {endpoint} {settled} delivered by that",
                done.from,
                counted(done.arrived as i64, "event", "events"),
                counted(
                    done.settled as i64,
                    "pending delivery",
                    "pending deliveries"
                )
            );
            let text = match done.of_others {
                0 => text,
                count => format!("{text}; {count} are of other boxes"),
            };
            context.out.object(&done.json(endpoint, is_dry), &text)
        }
        _ => Err(Error::misuse(
            "say which source the events belong to (--source NAME), or for a bundle of --acks to which endpoint they were owed (--endpoint NAME)",
        )),
    }
}
