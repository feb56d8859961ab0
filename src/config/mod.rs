//! `hookbox.toml`: what the sources, endpoints and alerts shall be, in one file.
//!
//! [`Config::read`] reads a file and what it includes, [`Plan::of`] compares it with what is there, and
//! [`Plan::apply`] makes it so. `export` writes such a file. Nothing here contains SQL or talks to a person.
//!
//! The file names settings as the tables of [`model::settings`](crate::model::settings) do. A setting that is
//! not named has its default; only secrets, which may be kept in the database alone, stay as they are.

mod document;
mod export;
mod place;
mod plan;
mod reference;
mod wanted;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

pub use export::{SecretsFolder, export};
pub use place::Place;
pub use plan::{Difference, Line, Plan};
#[cfg(feature = "cli")]
pub(crate) use reference::is_of_another_environment;

use wanted::Wanted;

use crate::error::{Error, Result};
use document::{Document, Included};

/// What a configuration describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noun {
    /// A source.
    Source,
    /// An endpoint.
    Endpoint,
    /// An alert.
    Alert,
}

names!(Noun, "table":
    Source = "source",
    Endpoint = "endpoint",
    Alert = "alert",
);

/// An option of `hookbox serve`.
#[derive(Debug, Clone)]
pub struct ServeOption {
    /// Its name, with underscores.
    pub name: String,
    /// Its values; none for one that is only on or off.
    pub values: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

/// A configuration as it was read.
#[derive(Debug, Default)]
pub struct Config {
    /// Whether what it does not name is removed.
    pub prune: bool,
    /// The options of `hookbox serve`.
    pub serve: Vec<ServeOption>,
    wanted: Vec<Wanted>,
    /// Every file that was read, also those of secrets, and the folders that were looked through.
    noted: Vec<PathBuf>,
    /// A folder that an include names, and that is not there.
    missing_folder: Option<PathBuf>,
}

/// How deep files may include others: one that includes itself is found.
const DEPTH_MAX: usize = 8;

/// The longest file that is read: far more than a person writes.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

fn read_text(path: &Path) -> Result<String> {
    let failed = |error| Error::io_at("read the configuration", path, error);
    let file = File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    match text.len() as u64 {
        ..=BYTES_MAX => Ok(text),
        _ => Err(Error::misuse(format!(
            "{} has more than {BYTES_MAX} bytes",
            path.display()
        ))),
    }
}

impl Config {
    /// Reads a file and what it includes.
    ///
    /// # Errors
    /// [`Error::Misuse`] with file, line and column when something in it is wrong; [`Error::Io`] when a file
    /// cannot be read.
    pub fn read(path: &Path) -> Result<Config> {
        Config::read_noting(path, &mut Vec::new())
    }

    /// As [`Config::read`]; every file and folder that matters is noted, also where reading fails.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn read_noting(path: &Path, noted: &mut Vec<PathBuf>) -> Result<Config> {
        let mut config = Config::default();
        let read = config.add(path, DEPTH_MAX);
        noted.append(&mut config.noted);
        read?;
        if config.prune
            && let Some(folder) = &config.missing_folder
        {
            return Err(Error::misuse(format!(
                "{} is not there, and what stands in it would be removed: make the folder, or take prune out",
                folder.display()
            )));
        }
        config.wanted.sort_by_key(|one| one.noun);
        Ok(config)
    }

    fn add(&mut self, path: &Path, depth: usize) -> Result<()> {
        self.noted.push(path.to_owned());
        let text = read_text(path)?;
        let document = Document::new(path, &text);
        for found in document.includes(self)? {
            let Included { place, path } = found;
            if depth == 0 {
                return Err(place.misuse(format!(
                    "files include each other {DEPTH_MAX} deep; does one include itself?"
                )));
            }
            self.add(&path, depth - 1).map_err(|error| match error {
                // Its own place says more than that of the include.
                Error::Io { .. } => place.misuse(error.chain()),
                other => other,
            })?;
        }
        document.read_into(self)
    }

    /// Adds what is wanted.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is there already.
    fn want(&mut self, wanted: Wanted) -> Result<()> {
        let mut others = self.wanted.iter();
        let twice = |one: &&Wanted| one.noun == wanted.noun && one.name == wanted.name;
        if let Some(other) = others.find(twice) {
            return Err(wanted.place.misuse(format!(
                "{} {} stands at {} already",
                wanted.noun, wanted.name, other.place
            )));
        }
        self.wanted.push(wanted);
        Ok(())
    }
}

#[cfg(test)]
mod fuzz;
