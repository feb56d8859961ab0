//! Command-line options made from a table of settings.
//!
//! The given options become (name, text) pairs, as in a form.

use std::marker::PhantomData;
use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::read_text;
use crate::error::{Error, Result};
use crate::model::settings::{
    ENDPOINT_SETTINGS, Kind, Listing, SIGNATURE_SETTINGS, SOURCE_SETTINGS, Setting,
};

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
    OfEndpoint: &ENDPOINT_SETTINGS, &["url", "secret", "auth_secret", "template"];
    OfSource: &SOURCE_SETTINGS, &["secret"];
    OfSignature: &SIGNATURE_SETTINGS, &[];
    OfBodies: Listing::Bodies.conditions(), &[];
    OfDeliveries: Listing::Deliveries.conditions(), &[];
    OfFeed: Listing::Feed.conditions(), &[];
    OfReplay: Listing::Replay.conditions(), &[];
}

/// The given options.
#[derive(Debug, Clone)]
pub(super) struct Options<T> {
    given: Vec<(&'static Setting, Vec<String>)>,
    table: PhantomData<T>,
}

impl<T: Table> Options<T> {
    /// Returns the pairs; named files are read.
    pub(super) fn read(&self) -> Result<Vec<(String, String)>> {
        let mut pairs = Vec::new();
        for (setting, texts) in &self.given {
            let name = setting.name.to_owned();
            let text = texts.join("\n");
            match setting.kind {
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
        Ok(pairs)
    }

    fn options() -> impl Iterator<Item = &'static Setting> {
        let settings = T::SETTINGS.iter();
        settings.filter(|setting| !T::ELSEWHERE.contains(&setting.name))
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

fn option(setting: &'static Setting) -> Arg {
    let option = Arg::new(setting.name)
        .long(long_name(setting))
        .value_name(setting.value)
        .help(setting.described());
    let option = match setting.kind {
        Kind::Flag => option
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Kind::Lines => option.action(ArgAction::Append),
        _ => option,
    };
    match setting.group {
        "" => option,
        group => option.help_heading(group),
    }
}

impl<T: Table> Args for Options<T> {
    fn augment_args(command: Command) -> Command {
        Options::<T>::options().fold(command, |command, setting| command.arg(option(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Options::<T>::augment_args(command)
    }
}

impl<T: Table> FromArgMatches for Options<T> {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Options<T>, clap::Error> {
        let given = Options::<T>::options().filter_map(|setting| {
            let lines = matches.get_many::<String>(setting.name)?;
            Some((setting, lines.cloned().collect()))
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
