//! The command line: one file for each noun.
//!
//! Parsing yields plain values; each command checks them once, asks the store, and prints. Results go to
//! stdout, diagnostics to stderr. Exit 0 done, 1 failed, 2 misused, 3 not found.

mod alert;
mod apply;
mod bundle;
mod complete;
mod delivery;
mod demo;
mod doctor;
mod endpoint;
mod event;
mod help;
mod import;
mod man;
mod moving;
mod output;
mod preview;
mod processes;
mod progress;
mod replay;
mod replays;
mod secret;
mod serve;
mod settings;
mod signature;
mod source;
mod status;
mod tail;
mod upkeep;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, FromArgMatches, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Error, Result};
use crate::model::replay::ReplayKind;
use crate::panics::abort_on_other_panics;
use crate::store::{Location, Missing, PAGE_DEFAULT, PAGE_MAX, Store};
use crate::time::{Clock, SystemClock, Timestamp};

use output::Output;

/// The heading of the options that every command has, behind its own.
const EVERYWHERE: &str = "Options of every command";

/// Printed below the help of every command.
const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 misused, 3 not found.";

#[derive(Debug, Parser)]
#[command(
    name = "hookbox",
    version,
    about = "A delivery store for webhooks, with replay: one binary, one SQLite file.",
    max_term_width = 80,
    // `help` explains words too.
    disable_help_subcommand = true
)]
struct Arguments {
    /// Database: file or URL
    ///
    /// A path, or a URL that begins with postgres:// or postgresql://
    #[arg(
        long,
        global = true,
        help_heading = EVERYWHERE,
        value_name = "PATH",
        env = "HOOKBOX_DB",
        hide_env_values = true,
        default_value = "hookbox.db",
        value_parser = OsStringValueParser::new().try_map(Location::read)
    )]
    db: Location,
    /// Print JSON: one object, or one object a line for lists
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// How much to log on stderr: error, warn, info, debug
    ///
    /// `serve` logs from info on unless told otherwise, every other command from warn on.
    #[arg(
        long,
        global = true,
        help_heading = EVERYWHERE,
        value_name = "LEVEL",
        env = "HOOKBOX_LOG",
        hide_short_help = true
    )]
    log_level: Option<tracing::Level>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct ExportArguments {
    #[command(subcommand)]
    command: Option<apply::ExportCommand>,
    #[command(flatten)]
    bundle: bundle::BundleArguments,
}

/// What to do first, for who gives no command.
const FIRST: &str = "\
hookbox keeps webhooks in one file and sends them on until each receiver has them.

  hookbox demo                                    see it work, in ten seconds
  hookbox source add gogs --kind gogs --secret -  take in pushes from Gogs
  hookbox endpoint add ci https://ci.example.org/hook
                                                  send them there
  hookbox serve                                   start; it prints the page's address
  hookbox status                                  is all well?

hookbox --help lists all commands, hookbox COMMAND --help explains one.";

#[derive(Debug, Subcommand)]
enum Command {
    /// See it work: a receiver that fails twice, a signed push, retries
    Demo(demo::DemoArguments),
    /// Make the database file, or add the tables to an application's own
    #[command(after_help = EXIT_CODES)]
    Init {
        /// Add the tables to another program's SQLite database
        #[arg(long)]
        into_existing: bool,
        /// Put it in WAL mode, which it keeps, if it is not
        #[arg(long, requires = "into_existing")]
        wal: bool,
    },
    /// Take events in, send them out, show the status page
    #[command(after_help = EXIT_CODES)]
    Serve(Box<serve::ServeArguments>),
    /// Ways in: add, list, show, set, rotate-secret, refusals, boxes
    #[command(subcommand)]
    Source(source::SourceCommand),
    /// Be told when something is wrong: add, list, show, set, remove
    #[command(subcommand)]
    Alert(alert::AlertCommand),
    /// Where events go: add, list, show, set, hold, test and more
    #[command(subcommand)]
    Endpoint(endpoint::EndpointCommand),
    /// Make all as hookbox.toml says, after showing what would change
    #[command(
        after_help = "Example: hookbox apply hookbox.toml --dry-run\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    Apply(apply::ApplyArguments),
    /// Write events to a file for another box, or the set-up (config)
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  hookbox export --endpoint hub --pending -o week.bundle\n  hookbox export --acks --source boxes -o acks.bundle\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    Export(ExportArguments),
    /// Put an event in from the command line
    #[command(after_help = EXIT_CODES)]
    Enqueue(event::EnqueueArguments),
    /// What came in: list, show, body
    #[command(subcommand)]
    Event(event::EventCommand),
    /// What is owed to whom: list, show, cancel
    #[command(subcommand)]
    Delivery(delivery::DeliveryCommand),
    /// What was tried: list, show, diff
    #[command(subcommand)]
    Attempt(delivery::AttemptCommand),
    /// Send settled deliveries again, by id or by filter
    #[command(aliases = ["resend", "redeliver"], after_help = EXIT_CODES)]
    Replay(replay::ReplayArguments),
    /// Replay all that an endpoint never got since a time
    #[command(after_help = EXIT_CODES)]
    Recover(replay::RecoverArguments),
    /// Send an endpoint the events since a time that it was never owed
    #[command(after_help = EXIT_CODES)]
    Backfill(replay::RecoverArguments),
    /// Bulk replays: list, show, watch, pause, resume, cancel
    #[command(subcommand)]
    Replays(replays::ReplaysCommand),
    /// Take in what a forge sent and never arrived, or a bundle
    #[command(
        after_help = "Examples:\n  hookbox import bundle week.bundle --source boxes\n  hookbox import gogs --from /home/git/gogs/data/gogs.db --dry-run\n  hookbox import gogs --from /home/git/gogs/data/gogs.db --since 7d\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    Import(import::ImportArguments),
    /// Sign and verify by hand
    #[command(subcommand)]
    Signature(signature::SignatureCommand),
    /// Say whether anybody must do something; exit code 1 if so
    #[command(after_help = EXIT_CODES)]
    Status,
    /// Totals
    #[command(after_help = EXIT_CODES)]
    Stats,
    /// Follow what happens: events, attempts, outages
    #[command(after_help = EXIT_CODES)]
    Tail(tail::TailArguments),
    /// Remove what is old and settled
    #[command(after_help = EXIT_CODES)]
    Prune(upkeep::PruneArguments),
    /// Give the room back that pruning left inside the file
    #[command(after_help = EXIT_CODES)]
    Compact,
    /// Copy the database, also while it is served
    #[command(after_help = EXIT_CODES)]
    Backup(upkeep::BackupArguments),
    /// Put a backup in the place of the database, keeping what was there
    #[command(after_help = EXIT_CODES)]
    Restore(upkeep::RestoreArguments),
    /// Move the database to another place: file to server, or back
    #[command(after_help = EXIT_CODES)]
    Move(moving::MoveArguments),
    /// Say whether the file is whole
    #[command(after_help = EXIT_CODES)]
    Check(upkeep::CheckArguments),
    /// Save what can be read of a damaged file into a new one
    #[command(after_help = EXIT_CODES)]
    Salvage(upkeep::SalvageArguments),
    /// Say what may be wrong, and what to do about it
    #[command(after_help = EXIT_CODES)]
    Doctor,
    /// Print a completion script for a shell
    #[command(after_help = EXIT_CODES)]
    Completions {
        /// The shell
        #[arg(value_parser = PossibleValuesParser::new(complete::shells()))]
        shell: String,
    },
    /// Write the man pages into a folder, one a command
    #[command(after_help = EXIT_CODES)]
    Man {
        /// The folder; it is made where it is not there
        folder: PathBuf,
    },
    /// Explain a command, or a word: what it means
    #[command(
        after_help = "Examples:\n  hookbox help endpoint add\n  hookbox help superseded\n  hookbox help words"
    )]
    Help {
        /// A command or a word; `words` lists all words
        #[arg(value_name = "COMMAND|WORD")]
        topic: Vec<String>,
    },
}

/// Reads a file's text, without the byte order mark that editors on Windows add.
fn read_text(doing: &str, path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io_at(doing, path, error))?;
    match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(text),
    }
}

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// What every command works with.
struct Context {
    db: Location,
    out: Output,
    clock: Arc<dyn Clock>,
}

impl Context {
    /// Opens a store that must exist.
    fn store(&self) -> Result<Store> {
        Store::open(&self.db, Missing::Refuse)
    }

    /// Opens a store, creating it if it does not exist: for commands that set things up.
    fn store_or_new(&self) -> Result<Store> {
        let is_new = self.db.file().is_some_and(|file| !file.exists());
        let store = Store::open(&self.db, Missing::Create)?;
        if is_new {
            self.out.note(&format!("made the database {}", self.db));
        }
        Ok(store)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Reads an optional moment.
    fn moment(&self, text: Option<&str>) -> Result<Option<Timestamp>> {
        text.map(|text| Timestamp::parse(text, self.now()))
            .transpose()
    }

    /// Prints that new deliveries will wait, if no process serves the file.
    fn note_if_not_served(&self, store: &Store) {
        if matches!(store.is_served(), Ok(false)) {
            self.out
                .note("nothing serves this database now; it is sent once `hookbox serve` runs");
        }
    }
}

/// Runs the command in this process's arguments.
pub fn run() -> ExitCode {
    complete::complete();
    let matches = help::command().get_matches();
    let mut arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    start_log(&arguments);
    outlive_size_limit();
    abort_on_other_panics();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let context = Context {
        db: arguments.db,
        out: Output::new(arguments.json, clock.clone()),
        clock,
    };
    if let Some(Command::Serve(given)) = &mut arguments.command
        && let Some(named) = matches.subcommand_matches("serve")
        && let Err(error) = given.add_those_of_file(named)
    {
        context.out.error(&error.chain());
        return ExitCode::from(error.exit_code());
    }
    let Some(command) = arguments.command else {
        context.out.tell(FIRST);
        return ExitCode::from(2);
    };
    match dispatch(&context, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            context.out.error(&error.chain());
            if let Error::NoDatabase(place) = &error
                && !place.starts_with(PACKAGE_FOLDER)
                && Path::new(PACKAGE_FOLDER).is_dir()
            {
                context.out.note(&format!(
                    "that of the installed service is used by: sudo -u hookbox hookbox --db {PACKAGE_FOLDER}/hookbox.db"
                ));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// Where the service of the packages has its database (packaging/hookbox.service).
const PACKAGE_FOLDER: &str = "/var/lib/hookbox";

fn dispatch(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::Demo(arguments) => demo::run(context, &arguments),
        Command::Init { into_existing, wal } => init(context, into_existing, wal),
        Command::Serve(arguments) => serve::run(context, &arguments),
        Command::Source(command) => source::run(context, command),
        Command::Alert(command) => alert::run(context, command),
        Command::Endpoint(command) => endpoint::run(context, command),
        Command::Apply(arguments) => apply::apply(context, &arguments),
        Command::Export(arguments) => match arguments.command {
            Some(command) => apply::run(context, &command),
            None => bundle::export(context, &arguments.bundle),
        },
        Command::Enqueue(arguments) => event::enqueue(context, arguments),
        Command::Event(command) => event::run(context, command),
        Command::Delivery(command) => delivery::run(context, command),
        Command::Attempt(command) => delivery::attempts(context, &command),
        Command::Replay(arguments) => replay::replay(context, &arguments),
        Command::Recover(arguments) => {
            replay::recover_or_backfill(context, ReplayKind::Recover, &arguments)
        }
        Command::Backfill(arguments) => {
            replay::recover_or_backfill(context, ReplayKind::Backfill, &arguments)
        }
        Command::Replays(command) => replays::run(context, command),
        Command::Import(arguments) => import::run(context, &arguments),
        Command::Signature(command) => signature::run(context, command),
        Command::Status => status::run(context),
        Command::Stats => stats(context),
        Command::Tail(arguments) => tail::run(context, &arguments),
        Command::Doctor => doctor::run(context),
        Command::Prune(arguments) => upkeep::prune(context, &arguments),
        Command::Compact => upkeep::compact(context),
        Command::Backup(arguments) => upkeep::backup(context, &arguments),
        Command::Restore(arguments) => upkeep::restore(context, &arguments),
        Command::Move(arguments) => moving::run(context, &arguments),
        Command::Check(arguments) => upkeep::check(context, &arguments),
        Command::Salvage(arguments) => upkeep::salvage(context, &arguments),
        Command::Completions { shell } => context.out.bytes(&complete::script(&shell)?),
        Command::Man { folder } => man::write(&context.out, &folder),
        Command::Help { topic } => help::explain(&context.out, &topic),
    }
}

fn init(context: &Context, into_existing: bool, wal: bool) -> Result<()> {
    let file = context.db.file();
    let is_new = into_existing && file.is_some_and(|path| !path.exists());
    let open = |may_set_wal| {
        let missing = match into_existing {
            true => Missing::CreateOrExtend { may_set_wal },
            false => Missing::Create,
        };
        Store::open(&context.db, missing)
    };
    let store = match open(wal) {
        Err(refused) if context.out.is_interactive() => {
            let Error::ForeignDatabase {
                path,
                mode: Some(mode),
            } = &refused
            else {
                return Err(refused);
            };
            let question = format!(
                "{} is in {mode} mode; put it in WAL mode, which it keeps for every program that opens it?",
                path.display()
            );
            if !context.out.confirms(&question)? {
                return Err(refused);
            }
            open(true)?
        }
        opened => opened?,
    };
    let path = store.location().to_string();
    if is_new {
        context.out.note(&format!(
            "made the database {path}: there was none to add to"
        ));
    }
    let object = serde_json::json!({ "database": path, "box": store.box_id().to_string() });
    context.out.object(
        &object,
        &format!("{path} is ready; its box is {}", store.box_id()),
    )
}

fn stats(context: &Context) -> Result<()> {
    let stats = context.store()?.stats()?;
    context.out.fields(&stats.json())
}

/// Makes a write beyond the file size limit (`ulimit -f`) an error, as on a full disk.
///
/// Without a handler for SIGXFSZ the process would end; with one the write fails with EFBIG (setrlimit(2)).
fn outlive_size_limit() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let handled = runtime.and_then(|runtime| {
        // The handler stays after the runtime is dropped.
        let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        runtime.block_on(async { signal(kind) })
    });
    if let Err(error) = handled {
        tracing::warn!(%error, "a limit of file sizes will end the process");
    }
}

fn start_log(arguments: &Arguments) {
    let usual = match arguments.command {
        Some(Command::Serve(_)) => tracing::Level::INFO,
        _ => tracing::Level::WARN,
    };
    tracing_subscriber::fmt()
        .with_max_level(arguments.log_level.unwrap_or(usual))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // A log line that cannot be written is not reported. Reporting it would end the process when stderr
        // goes to a full disk.
        .log_internal_errors(false)
        .init();
}

/// How many rows a list prints.
#[derive(Debug, clap::Args)]
struct Limit {
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = PAGE_DEFAULT)]
    limit: usize,
}

impl Limit {
    /// Reads page after page until there are enough rows or no more.
    ///
    /// `page` gets the largest number of rows to read, and must remember its own position.
    fn pages<T>(&self, mut page: impl FnMut(usize) -> Result<Vec<T>>) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        loop {
            let asked = (self.limit - rows.len()).min(PAGE_MAX);
            let next = page(asked)?;
            let last = next.len() < asked;
            rows.extend(next);
            if last || rows.len() >= self.limit {
                return Ok(rows);
            }
        }
    }

    /// Returns the newest rows of a complete list that has the oldest first.
    fn newest<T>(&self, rows: Vec<T>) -> Vec<T> {
        rows.into_iter().rev().take(self.limit).collect()
    }
}

/// The error for a `set` without any setting.
fn nothing_named() -> Error {
    Error::misuse("nothing to change was named; --help lists what can be set")
}

/// Parses a size in bytes: `65536`, `64KiB`, `1MiB`, `4GiB`.
fn parse_size(text: &str) -> Result<usize> {
    let bad = || {
        Error::misuse(format!(
            "`{text}` is not a size; write 65536, 64KiB, 1MiB or 4GiB"
        ))
    };
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let unit = match unit {
        "" | "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "GiB" => 1024 * 1024 * 1024,
        _ => return Err(bad()),
    };
    let number: usize = digits.parse().map_err(|_| bad())?;
    number
        .checked_mul(unit)
        .filter(|size| *size > 0)
        .ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(parse_size("64KiB").unwrap(), 65_536);
        assert_eq!(parse_size("1MiB").unwrap(), 1_048_576);
        for text in ["", "0", "1MB", "x", "-1", "99999999999999999999"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
