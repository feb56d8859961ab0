//! Command-line options made from a table of settings.
//!
//! The given options become (name, text) pairs, as in a form.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::secret::{Input, password};
use super::{Context, read_text};
use crate::error::{Error, Result};
use crate::model::settings::{
    ALERT_SETTINGS, ENDPOINT_SETTINGS, FORMATS, Kind, Listing, SECRET_SETTING, SIGNATURE_SETTINGS,
    SOURCE_SETTINGS, Setting,
};
use crate::signature::Secret;
use crate::time::parse_span;

/// The settings that a command has options for.
pub(super) trait Table {
    /// All settings.
    const SETTINGS: &'static [Setting];

    /// Settings for which the command has arguments of its own.
    const ELSEWHERE: &'static [&'static str];
}

macro_rules! tables {
    ($($name:ident: $settings:expr, $elsewhere:expr;)+) => {$(
        #[derive(Debug, Clone)]
        pub(super) struct $name;

        impl Table for $name {
            const SETTINGS: &'static [Setting] = $settings;
            const ELSEWHERE: &'static [&'static str] = $elsewhere;
        }
    )+};
}

tables! {
    OfNewEndpoint: &ENDPOINT_SETTINGS, &["url", "template"];
    OfEndpoint: &ENDPOINT_SETTINGS, &["template"];
    OfSource: &SOURCE_SETTINGS, &["path_token"];
    OfNewAlert: &ALERT_SETTINGS, &["to"];
    OfAlert: &ALERT_SETTINGS, &[];
    OfSignature: &SIGNATURE_SETTINGS, &[];
    OfSecret: &SECRET_SETTING, &[];
    OfBodies: Listing::Bodies.conditions(), &[];
    OfDeliveries: Listing::Deliveries.conditions(), &[];
    OfPending: Listing::Pending.conditions(), &[];
    OfFeed: Listing::Feed.conditions(), &[];
    OfReplay: Listing::Replay.conditions(), &[];
}

/// The options of a command, as they were given.
#[derive(Debug, Clone)]
pub(super) struct Options<T> {
    given: Vec<(&'static Setting, Input, Vec<String>)>,
    table: PhantomData<T>,
}

/// The given settings.
pub(super) struct Given {
    pub(super) pairs: Vec<(String, String)>,
    /// Kept apart, since its bytes may not be text.
    pub(super) secret: Option<Secret>,
}

impl<T: Table> Options<T> {
    /// Returns the settings; files, variables and standard input are read.
    pub(super) fn read(&self, context: &Context) -> Result<Given> {
        let (mut pairs, mut secret) = (Vec::new(), None);
        for (setting, input, texts) in &self.given {
            let name = setting.name.to_owned();
            let text = texts.join("\n");
            match setting.kind {
                Kind::Secret if name == "secret" => secret = Some(input.secret(context, &text)?),
                Kind::Secret => {
                    check_auth(&pairs)?;
                    pairs.push((name, password(&input.secret(context, &text)?)?));
                }
                Kind::File if !text.is_empty() => {
                    pairs.push((name, text_of_file(Path::new(&text))?));
                }
                Kind::Format if text.starts_with("template:") => {
                    let path = Path::new(&text["template:".len()..]);
                    let file = path.file_name().unwrap_or_default().to_string_lossy();
                    pairs.push((name, format!("template:{file}")));
                    pairs.push(("template".to_owned(), text_of_file(path)?));
                }
                Kind::Lines if texts.iter().any(|line| line.contains(['\r', '\n'])) => {
                    return Err(Error::misuse(format!(
                        "--{} has a line break in it; give the option once for each",
                        long_name(setting)
                    )));
                }
                _ => pairs.push((name, text)),
            }
        }
        Ok(Given { pairs, secret })
    }

    /// The options: a secret has three, of which one is given.
    fn options() -> impl Iterator<Item = (&'static Setting, Input)> {
        let settings = T::SETTINGS.iter();
        let settings = settings.filter(|setting| !T::ELSEWHERE.contains(&setting.name));
        settings.flat_map(|setting| {
            let inputs: &[Input] = match setting.kind {
                Kind::Secret => &[Input::File, Input::Variable, Input::Text],
                _ => &[Input::Text],
            };
            inputs.iter().map(move |input| (setting, *input))
        })
    }
}

/// Checks that there is a password to read: the table has `auth` before `auth_secret`.
fn check_auth(pairs: &[(String, String)]) -> Result<()> {
    let auth = pairs.iter().find(|(name, _)| name == "auth");
    match auth.map(|(_, how)| how.trim()) {
        None | Some("" | "none") => Err(Error::misuse(
            "auth_secret goes with auth: basic:USER or bearer",
        )),
        Some(_) => Ok(()),
    }
}

/// The text of a file; one without any would take away what is set.
fn text_of_file(path: &Path) -> Result<String> {
    let text = read_text("read", path)?;
    if text.trim().is_empty() {
        return Err(Error::misuse(format!(
            "{} is empty; to bring back the default, give an empty value",
            path.display()
        )));
    }
    Ok(text)
}

fn long_name(setting: &Setting) -> String {
    let dashed = setting.name.replace('_', "-");
    match setting.kind {
        // One option a line: `--header A --header B`.
        Kind::Lines => dashed.trim_end_matches('s').to_owned(),
        _ => dashed,
    }
}

fn option(setting: &'static Setting, input: Input) -> Arg {
    let (value, help) = match (setting.kind, input) {
        (Kind::Secret, Input::Text) => (
            setting.value,
            ": `-` reads it from standard input, `draw` draws one and shows it once; anything else is the secret itself, which then stands in your shell's history",
        ),
        (_, Input::Text) => (setting.value, ""),
        (_, Input::File) => (
            "FILE",
            ": read it from this file (one newline at its end and a byte order mark are left out)",
        ),
        (_, Input::Variable) => ("VARIABLE", ": read it from this environment variable"),
    };
    let option = Arg::new(input.id(setting))
        .hide_possible_values(true)
        .long(format!(
            "{}{}",
            long_name(setting),
            input.suffix().replace('_', "-")
        ))
        .value_name(value)
        .help(format!("{}{help}", setting.described()));
    let option = match setting.kind {
        Kind::Flag => option
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Kind::Lines => option.action(ArgAction::Append),
        Kind::Choice(words) => option.value_parser(AnyWord(words)),
        Kind::Format => option.value_parser(AnyWord(&FORMATS)),
        Kind::Secret => option
            .allow_hyphen_values(true)
            .group(format!("input of {}", setting.name)),
        _ => option,
    };
    match setting.group {
        "" => option,
        group => option.help_heading(group),
    }
}

/// Takes any text: what it may be is checked where it is read. Shells complete these words.
#[derive(Debug, Clone)]
struct AnyWord(&'static [&'static str]);

impl TypedValueParser for AnyWord {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        option: Option<&Arg>,
        value: &OsStr,
    ) -> std::result::Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, option, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().copied().map(PossibleValue::new)))
    }
}

impl<T: Table> Args for Options<T> {
    fn augment_args(command: Command) -> Command {
        Options::<T>::options().fold(command, |command, (setting, input)| {
            command.arg(option(setting, input))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Options::<T>::augment_args(command)
    }
}

impl<T: Table> FromArgMatches for Options<T> {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Options<T>, clap::Error> {
        let given = Options::<T>::options().filter_map(|(setting, input)| {
            let lines = matches.get_many::<String>(&input.id(setting))?;
            Some((setting, input, lines.cloned().collect()))
        });
        Ok(Options {
            given: given.collect(),
            table: PhantomData,
        })
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        *self = Options::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A new secret in the place of an old one.
#[derive(Debug, Args)]
pub(super) struct RotateArguments {
    /// Its name
    pub(super) name: String,
    #[command(flatten)]
    secret: Options<OfSecret>,
    /// How long the old secret still holds
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = parse_span)]
    pub(super) overlap: Duration,
}

impl RotateArguments {
    /// Reads the new secret.
    pub(super) fn read(&self, context: &Context) -> Result<Secret> {
        self.secret.read(context)?.secret.ok_or_else(|| {
            Error::misuse("give the new secret, with --secret-file, --secret-env or --secret - (--secret draw draws one)")
        })
    }
}
