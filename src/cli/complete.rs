//! What a shell completes: commands, options and words as the command line has them, names as the database
//! has them.
//!
//! The shell runs `hookbox` itself for that, as the script of `hookbox completions` says.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::builder::StyledStr;
use clap::{Arg, Command};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;

use super::help;
use crate::error::{Error, Result};
use crate::model::source::SenderKind;
use crate::store::{Location, Named, names};

/// Set by the script, to the name of the shell.
const VARIABLE: &str = "HOOKBOX_COMPLETE";

/// The shells that there are scripts for.
pub(super) fn shells() -> Vec<&'static str> {
    Shells::builtins().names().collect()
}

/// Returns the script for a shell.
pub(super) fn script(shell: &str) -> Result<Vec<u8>> {
    let shells = Shells::builtins();
    let completer = shells
        .completer(shell)
        .ok_or_else(|| Error::misuse(format!("there is no script for {shell}")))?;
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, "hookbox", "hookbox", "hookbox", &mut script)
        .map_err(|error| Error::io("write the script", error))?;
    Ok(script)
}

/// Prints what the word at the cursor may become and ends the process, where a shell asks for that.
pub(super) fn complete() {
    CompleteEnv::with_factory(|| with_names(help::command(), None))
        .var(VARIABLE)
        .complete();
}

/// Lets the arguments of a command and of those below it complete to what there is; `named` is what the command
/// is about.
fn with_names(command: Command, named: Option<Named>) -> Command {
    let below = match command.get_name() {
        "endpoint" => Some(Named::Endpoints),
        "source" => Some(Named::Sources),
        "alert" => Some(Named::Alerts),
        "event" => Some(Named::Events),
        "delivery" => Some(Named::Deliveries),
        "attempt" => Some(Named::Attempts),
        "replays" => Some(Named::Replays),
        _ => None,
    };
    command
        .mut_args(|arg| {
            let known = match arg.get_id().as_str() {
                "name" | "id" | "a" | "b" => named.map(Known::Names),
                "ids" | "delivery" => Some(Known::Names(Named::Deliveries)),
                "event" => Some(Known::Names(Named::Events)),
                "endpoint" | "endpoints" | "to" => Some(Known::Names(Named::Endpoints)),
                "source" | "sources" => Some(Known::Names(Named::Sources)),
                "kind" => Some(Known::Words(SenderKind::names())),
                "topic" => Some(Known::Words(help::topics())),
                "egress" => Some(Known::Words(vec!["any", "public"])),
                "log_level" => Some(Known::Words(vec!["error", "warn", "info", "debug"])),
                _ => None,
            };
            match known {
                Some(known) => completing(arg, known),
                None => arg,
            }
        })
        .mut_subcommands(|inner| {
            let is_new = inner.get_name() == "add";
            with_names(inner, below.filter(|_| !is_new))
        })
}

/// What a value may be.
#[derive(Clone)]
enum Known {
    /// A name or a number of the file.
    Names(Named),
    /// One of these words.
    Words(Vec<&'static str>),
}

impl Known {
    /// Each with what it is, where it does not say so itself.
    fn all(&self) -> Vec<(String, Option<String>)> {
        match self {
            Known::Names(named) => file()
                .and_then(|file| names(&file, *named).ok())
                .unwrap_or_default(),
            Known::Words(words) => words
                .iter()
                .map(|word| ((*word).to_owned(), None))
                .collect(),
        }
    }
}

fn completing(arg: Arg, known: Known) -> Arg {
    let candidates = move |begun: &OsStr| -> Vec<CompletionCandidate> {
        let begun = begun.to_string_lossy();
        // Of a list, the last one.
        let (before, begun) = match begun.rfind(',') {
            Some(comma) => begun.split_at(comma + 1),
            None => ("", &*begun),
        };
        let all = known.all().into_iter();
        all.filter(|(name, _)| name.starts_with(begun))
            .map(|(name, about)| {
                CompletionCandidate::new(format!("{before}{name}")).help(about.map(StyledStr::from))
            })
            .collect()
    };
    arg.add(ArgValueCompleter::new(candidates))
}

/// The file of the command line, or of `HOOKBOX_DB`. A server is not asked: whoever presses a key does not wait
/// for a network.
fn file() -> Option<PathBuf> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let given = words.iter().enumerate().find_map(|(at, word)| {
        let text = word.to_str()?;
        match text.strip_prefix("--db=") {
            Some(path) => Some(OsString::from(path)),
            None if text == "--db" => words.get(at + 1).cloned(),
            None => None,
        }
    });
    let given = given.or_else(|| std::env::var_os("HOOKBOX_DB"));
    let location = Location::read(given.unwrap_or_else(|| "hookbox.db".into())).ok()?;
    location.file().map(Path::to_owned)
}
