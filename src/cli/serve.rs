//! `hookbox serve`: the service in the foreground, until a signal.

use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::task::Poll;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use ipnet::IpNet;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Context, parse_size, read_text};
use crate::config::{Config, ServeOption};
use crate::error::{Error, Result};
use crate::inbound::{CONNECTIONS_MAX, IngestConfig};
use crate::model::event::BODY_BYTES_MAX;
use crate::model::kind::SourceKind;
use crate::outbound::{AddressScope, Egress};
use crate::service::{ConfigFile, Healed, HealedFrom, Healing, Parts, Service, ServiceConfig};
use crate::signature::Secret;
use crate::status::{StatusConfig, Tokens};
use crate::store::{ForgeLocation, Limits, Location, Retention};
use crate::time::{parse_span, set_zone};

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// Make all as this file says, at the start and whenever it changes; its table
    /// [serve] has these options, which those given here override
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where events come in; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8420", value_parser = parse_address)]
    ingest: SocketAddr,
    /// Where the status page is; without a token loopback only; port 0 takes a
    /// free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8421", value_parser = parse_address)]
    status: SocketAddr,
    /// The time zone of the page and of times that are asked for (Europe/Berlin)
    /// [default: that of TZ, or of the machine]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Ask for the token in this file on the status page and the API
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The token in this file lets look, and change nothing
    #[arg(long, value_name = "FILE")]
    read_token_file: Option<PathBuf>,
    /// Names that the status page is called by, such as box.example.org
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    status_name: Vec<String>,
    /// Largest body, such as 64KiB or 25MiB [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    body_max: Option<usize>,
    /// Networks of proxies before it, such as 10.0.0.0/8: their connections are
    /// not held to one address's share, an eighth; this machine's never are
    #[arg(long, value_name = "CIDR,...", value_delimiter = ',', value_parser = parse_network)]
    trusted: Vec<IpNet>,
    /// Keep this much of the disk free: below it nothing is taken in, and what
    /// is there goes on being sent and recorded
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_room)]
    keep_free: u64,
    /// Remove what arrived after this time, such as 30d, and an hour at least;
    /// nothing unless this is given
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    keep_delivered: Option<Duration>,
    /// Remove what is dead or cancelled after this time; nothing unless this is
    /// given
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    keep_dead: Option<Duration>,
    /// Hold the file to this size, such as 4GiB: from nine tenths on the oldest
    /// settled events go, whatever their age but for the last hour; where all is
    /// pending or younger, nothing is taken in; 1MiB at least
    #[arg(long, value_name = "SIZE", value_parser = parse_file_size)]
    max_size: Option<u64>,
    /// Run this by /bin/sh for every message of an alert, which it gets as JSON
    /// on its standard input; it may take a minute
    #[arg(long, value_name = "COMMAND")]
    alert_command: Option<String>,
    /// Close the gap of what a forge sent and never arrived, at the start and now
    /// and then: out of its database (gogs=/home/git/gogs/data/gogs.db, or
    /// postgres:// or mysql://...), or by asking its API to send it again
    /// (github=https://api.github.com/repos/OWNER/REPO/hooks/ID)
    #[arg(long, value_name = "KIND=WHERE", value_parser = parse_healed)]
    heal: Vec<(SourceKind, String)>,
    /// The token for a forge's API is in this file, such as github=github.token
    #[arg(long, value_name = "KIND=FILE", value_parser = parse_healed, requires = "heal")]
    heal_token_file: Vec<(SourceKind, String)>,
    /// How often it looks there
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = parse_span, requires = "heal")]
    heal_every: Duration,
    /// Keep a full-text index beside the file (its name and -text), so that
    /// searches in bodies take milliseconds; without, one that is there is removed
    #[arg(long)]
    text_index: bool,
    /// Where requests may go: any (but link-local and cloud metadata addresses)
    /// or public (the internet only)
    #[arg(long, value_name = "any|public", default_value = "any")]
    egress: AddressScope,
    /// Networks that requests may go to besides, such as 10.1.0.0/16
    #[arg(long, value_name = "CIDR,...", value_delimiter = ',', value_parser = parse_network)]
    egress_allow: Vec<IpNet>,
    /// Networks that requests may not go to
    #[arg(long, value_name = "CIDR,...", value_delimiter = ',', value_parser = parse_network)]
    egress_deny: Vec<IpNet>,
}

impl ServeArguments {
    /// Adds the options of the configuration file, but for those that were given.
    ///
    /// # Errors
    /// Those of [`Config::read`]; [`Error::Misuse`] with the place of an option that is none.
    pub(super) fn add_those_of_file(&mut self, given: &ArgMatches) -> Result<()> {
        let Some(path) = &self.config else {
            return Ok(());
        };
        let is_given = |id: &str| given.value_source(id) == Some(ValueSource::CommandLine);
        let command = ServeArguments::alone();
        let mut all = Vec::new();
        for (option, values) in read_options(&Config::read(path)?)? {
            if !is_given(&option) {
                all.extend(values);
            }
        }
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            if is_given(id) {
                let name = long_name(id);
                let values = given.get_raw(id).into_iter().flatten();
                all.extend(match argument.get_action() {
                    ArgAction::SetTrue => vec![name.into()],
                    _ => values.map(|value| joined(&name, value)).collect(),
                });
            }
        }
        let matches = command.try_get_matches_from(all);
        let read = matches.and_then(|matches| ServeArguments::from_arg_matches(&matches));
        *self = read.map_err(|error| {
            Error::misuse(format!("{}: {}", path.display(), without_advice(&error)))
        })?;
        Ok(())
    }

    fn alone() -> Command {
        ServeArguments::augment_args(Command::new("serve").no_binary_name(true))
    }
}

/// Reads the table `[serve]`: each option with what the command line would have.
///
/// # Errors
/// [`Error::Misuse`] with the place of an option that is none, or of a wrong value.
pub(super) fn read_options(config: &Config) -> Result<Vec<(String, Vec<OsString>)>> {
    let command = ServeArguments::alone();
    let read = |option: &ServeOption| {
        let option = &of_credential(option);
        let wrong = |text: String| Error::misuse(format!("{}: {text}", option.place));
        let name = option.name.as_str();
        let mut known = command.get_arguments();
        let argument = known.find(|one| one.get_id() == name && name != "config");
        let argument = argument.ok_or_else(|| {
            wrong(format!(
                "serve has no option `{name}`; `hookbox serve --help` shows what there is"
            ))
        })?;
        let values = written(argument, option);
        match command.clone().try_get_matches_from(&values) {
            // What needs another option is known only together with that.
            Err(error) if error.kind() != ErrorKind::MissingRequiredArgument => {
                Err(wrong(without_advice(&error)))
            }
            _ => Ok((option.name.clone(), values)),
        }
    };
    config.serve.iter().map(read).collect()
}

fn long_name(id: &str) -> String {
    format!("--{}", id.replace('_', "-"))
}

fn joined(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut text = OsString::from(format!("{name}="));
    text.push(value);
    text
}

/// Checks the table `[serve]`.
pub(super) fn check_options(config: &Config) -> Result<()> {
    read_options(config).map(drop)
}

/// A token that is a credential of systemd is in a file that systemd made (systemd.exec(5), `LoadCredential=`).
fn of_credential(option: &ServeOption) -> ServeOption {
    let base = match option.name.as_str() {
        "token_credential" => "token_file",
        "read_token_credential" => "read_token_file",
        _ => return option.clone(),
    };
    // Who applies the file by hand has none, and reads no token.
    let folder =
        std::env::var("CREDENTIALS_DIRECTORY").unwrap_or_else(|_| "credentials".to_owned());
    let values = option.values.iter();
    ServeOption {
        name: base.to_owned(),
        values: values.map(|name| format!("{folder}/{name}")).collect(),
        place: option.place.clone(),
    }
}

/// An option of the file as the command line has it. Its paths are relative to the file.
fn written(argument: &Arg, option: &ServeOption) -> Vec<OsString> {
    let name = long_name(&option.name);
    let folder = option.place.file.parent().unwrap_or(Path::new(""));
    let is_flag = matches!(argument.get_action(), ArgAction::SetTrue);
    match option.values.as_slice() {
        [on] if is_flag && on == "true" => vec![name.into()],
        [off] if is_flag && off == "false" => Vec::new(),
        values => {
            let value = |value: &String| match (option.name.as_str(), value.split_once('=')) {
                ("token_file" | "read_token_file", _) => folder.join(value).into_os_string(),
                ("heal" | "heal_token_file", Some((kind, file))) if !file.contains("://") => {
                    joined(kind, folder.join(file))
                }
                _ => value.into(),
            };
            values.iter().map(|one| joined(&name, value(one))).collect()
        }
    }
}

/// What clap says of an error, without its advice.
fn without_advice(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.is_empty());
    let lines: Vec<&str> = lines.map(str::trim).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

/// Reads a token from a file, without one newline at its end.
fn read_token(path: Option<&Path>) -> Result<Option<Secret>> {
    /// A shorter token can be guessed.
    const BYTES_MIN: usize = 16;
    let Some(path) = path else {
        return Ok(None);
    };
    let text = read_text("read the token from", path)?;
    let token = text.trim();
    if token.len() < BYTES_MIN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::misuse(format!(
            "{} holds no token: {BYTES_MIN} visible characters at least; make one with: openssl rand -hex 32",
            path.display()
        )));
    }
    Secret::new(token).map(Some)
}

/// Reads the tokens of both files, which must differ.
fn read_tokens(arguments: &ServeArguments) -> Result<Tokens> {
    let tokens = Tokens {
        operator: read_token(arguments.token_file.as_deref())?,
        reader: read_token(arguments.read_token_file.as_deref())?,
    };
    match (&tokens.operator, &tokens.reader) {
        (Some(operator), Some(reader)) if operator.expose() == reader.expose() => Err(
            Error::misuse("--token-file and --read-token-file hold the same token; give two"),
        ),
        _ => Ok(tokens),
    }
}

pub(super) fn run(context: &Context, arguments: &ServeArguments) -> Result<()> {
    if let Some(zone) = &arguments.time_zone {
        set_zone(zone)?;
    }
    // SIGHUP is left to nohup(1).
    let signals = Signals::listen(&[SignalKind::terminate(), SignalKind::interrupt()])?;
    let config = ServiceConfig {
        database: context.db.clone(),
        parts: Parts {
            ingest: Some(IngestConfig {
                address: arguments.ingest,
                body_bytes_max: arguments.body_max.unwrap_or(BODY_BYTES_MAX),
                connections_max: room_for_connections(&context.db)?,
                trusted: arguments.trusted.clone(),
            }),
            status: Some(StatusConfig {
                address: arguments.status,
                tokens: read_tokens(arguments)?,
                names: arguments.status_name.clone(),
            }),
            egress: Egress {
                scope: arguments.egress,
                allow: arguments.egress_allow.clone(),
                deny: arguments.egress_deny.clone(),
            },
            limits: Limits {
                keep_free: arguments.keep_free,
                size_max: arguments.max_size,
            },
            healing: Healing {
                forges: forges(arguments)?,
                every: arguments.heal_every,
            },
            alert_command: arguments.alert_command.clone(),
            config: arguments.config.clone().map(|path| ConfigFile {
                path,
                check: check_options,
            }),
            text_index: arguments.text_index,
            retention: Retention {
                delivered: arguments.keep_delivered,
                dead: arguments.keep_dead,
                size_max: arguments.max_size,
            },
        },
    };
    let is_new = context.db.file().is_some_and(|path| !path.exists());
    let service = Service::start(&config, context.clock.clone())?;
    if is_new {
        context
            .out
            .note(&format!("{} was not there yet, and was made", context.db));
    }
    warn_of_open_sources(&service);
    let both = "serve has both ways to be asked";
    let ingest = service.ingest_address().expect(both);
    let status = service.status_address().expect(both);
    let directory = service.store().directory();
    let object = json!({
        "database": service.store().location().to_string(),
        "ingest": format!("http://{ingest}"),
        "status": format!("http://{status}"),
        "pid": std::process::id(),
    });
    let text = format!(
        "hookbox {} serves {} (sources: {}, endpoints: {})\n  events in    http://{ingest}/in/SOURCE\n  status page  http://{status}/",
        env!("CARGO_PKG_VERSION"),
        service.store().location(),
        directory.sources().len(),
        directory.endpoints().len(),
    );
    context.out.object(&object, &text)?;
    signals.wait();
    tracing::info!("stopping; requests in flight may end");
    service.stop();
    Ok(())
}

/// Raises the limit of file descriptors, and returns how many connections may come in.
///
/// Enough descriptors are left for outgoing requests, the database and the status page.
///
/// # Errors
/// [`Error::Misuse`] when there are too few to serve at all.
fn room_for_connections(location: &Location) -> Result<usize> {
    /// For the database and its log, for the writer and the readers; for sockets and the pipes that wake
    /// threads; for about a dozen connections.
    const LEAST: u64 = 48;
    /// A connection to a server takes five, and there are about a dozen.
    const LEAST_WITH_SERVER: u64 = 112;
    /// For twice as many requests as can be on the wire, the status page's connections, the database.
    const RESERVED: u64 = 384;
    let mut limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit = raised,
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
    let least = match location.file() {
        Some(_) => LEAST,
        None => LEAST_WITH_SERVER,
    };
    if let Some(files) = limit.current.filter(|files| *files < least) {
        return Err(Error::misuse(format!(
            "this process may open {files} files, and to serve takes {least} at least; raise the limit: ulimit -n 1024 (LimitNOFILE= in a unit of systemd)"
        )));
    }
    let left = limit.current.map_or(u64::MAX, |files| {
        files.saturating_sub(RESERVED).max(files / 4)
    });
    Ok(usize::try_from(left)
        .unwrap_or(usize::MAX)
        .min(CONNECTIONS_MAX))
}

/// Parses a file size large enough to hold data.
fn parse_file_size(text: &str) -> Result<u64> {
    /// Empty tables and their indexes take a fifth of this.
    const LEAST: u64 = 1024 * 1024;
    match parse_room(text)? {
        size if size >= LEAST => Ok(size),
        _ => Err(Error::misuse(format!(
            "`{text}` is too small for a file; 1MiB at least"
        ))),
    }
}

/// Parses a size that may be zero.
fn parse_room(text: &str) -> Result<u64> {
    match text {
        "0" => Ok(0),
        _ => parse_size(text).map(|size| size as u64),
    }
}

/// Parses a forge and its database.
fn parse_healed(text: &str) -> Result<(SourceKind, String)> {
    let pair = text.split_once('=').filter(|(_, place)| !place.is_empty());
    let (kind, place) = pair.ok_or_else(|| {
        Error::misuse(format!(
            "`{text}` is no forge and a place; write such as gogs=/home/git/gogs/data/gogs.db"
        ))
    })?;
    Ok((kind.parse()?, place.to_owned()))
}

/// Where each forge keeps what it sent.
fn forges(arguments: &ServeArguments) -> Result<Vec<Healed>> {
    let forge = |(kind, place): &(SourceKind, String)| {
        let from = match kind {
            SourceKind::Github | SourceKind::Gitlab => {
                let mut tokens = arguments.heal_token_file.iter();
                let (_, file) = tokens.find(|(of, _)| of == kind).ok_or_else(|| {
                    Error::misuse(format!(
                        "the API of {kind} asks for a token: --heal-token-file {kind}=FILE"
                    ))
                })?;
                HealedFrom::Api {
                    hook: place.parse()?,
                    token: Secret::new(read_text("read the token from", Path::new(file))?.trim())?,
                }
            }
            _ => HealedFrom::Database(ForgeLocation::read(place.into())?),
        };
        Ok(Healed { kind: *kind, from })
    };
    arguments.heal.iter().map(forge).collect()
}

fn parse_network(text: &str) -> Result<IpNet> {
    let network = text.parse::<IpNet>();
    let network = network.or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| {
        Error::misuse(format!(
            "`{text}` is not a network; write such as 10.1.0.0/16 or fd12::/16"
        ))
    })
}

fn parse_address(text: &str) -> Result<SocketAddr> {
    text.replacen("localhost:", "127.0.0.1:", 1)
        .parse()
        .map_err(|_| {
            Error::misuse(format!(
                "`{text}` is not an address to listen on; write IP:PORT, such as 127.0.0.1:8420"
            ))
        })
}

/// Warns about an unsigned source that the whole network can reach: most likely a mistake.
fn warn_of_open_sources(service: &Service) {
    let address = service.ingest_address();
    if address.is_none_or(|address| address.ip().is_loopback()) {
        return;
    }
    for source in service.store().directory().sources() {
        if source.secret.is_none() {
            tracing::warn!(
                source = source.name,
                "takes unsigned events, and the network can reach it"
            );
        }
    }
}

/// Signals such as SIGTERM and SIGINT: the first requests an orderly stop, the second ends the process at once.
pub(super) struct Signals {
    runtime: tokio::runtime::Runtime,
    signals: Vec<(SignalKind, Signal)>,
}

impl Signals {
    /// Installs the signal handlers; from now on signals wait for [`Signals::wait`].
    pub(super) fn listen(kinds: &[SignalKind]) -> Result<Signals> {
        let cannot = |error| Error::io("listen for signals", error);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(cannot)?;
        let listening = async {
            let kinds = kinds.iter();
            kinds.map(|kind| Ok((*kind, signal(*kind)?))).collect()
        };
        let signals: std::io::Result<_> = runtime.block_on(listening);
        Ok(Signals {
            signals: signals.map_err(cannot)?,
            runtime,
        })
    }

    /// Waits for the first signal.
    pub(super) fn wait(mut self) {
        self.next();
        // A terminal that is closed may tell it twice.
        self.signals
            .retain(|(kind, _)| *kind != SignalKind::hangup());
        let second = std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                self.next();
                // A second signal means that the user does not want to wait. Pending deliveries stay
                // pending.
                std::process::exit(1);
            });
        if let Err(error) = second {
            tracing::warn!(%error, "a second signal will not be heard");
        }
    }

    fn next(&mut self) {
        let signals = &mut self.signals;
        self.runtime.block_on(std::future::poll_fn(|context| {
            match signals
                .iter_mut()
                .any(|(_, one)| one.poll_recv(context).is_ready())
            {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        }));
    }
}
