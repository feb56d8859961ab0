//! Reads one TOML file: its tables, and where in it everything stands.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};
use wildmatch::WildMatch;

use super::place::Place;
use super::wanted::{Given, Wanted};
use super::{Config, Noun, ServeOption};
use crate::error::{Error, Result};
use crate::model::check_name;

/// A file that another one includes.
pub(super) struct Included {
    pub(super) place: Place,
    pub(super) path: PathBuf,
}

/// A file with its text.
pub(super) struct Document<'t> {
    pub(super) path: &'t Path,
    text: &'t str,
}

type Key<'t> = Spanned<DeString<'t>>;
type Value<'t> = Spanned<DeValue<'t>>;

impl<'t> Document<'t> {
    pub(super) fn new(path: &'t Path, text: &'t str) -> Document<'t> {
        Document { path, text }
    }

    /// The folder to which the file's paths are relative.
    pub(super) fn folder(&self) -> &'t Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    pub(super) fn place(&self, at: &Range<usize>) -> Place {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.rfind('\n').map_or(before, |end| &before[end + 1..]);
        Place {
            file: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }

    fn tables(&self) -> Result<DeTable<'t>> {
        DeTable::parse(self.text)
            .map(Spanned::into_inner)
            .map_err(|error| {
                let place = self.place(&error.span().unwrap_or(0..0));
                place.misuse(error.message())
            })
    }

    /// The files that it includes, in order: `*` stands for any part of a file's name.
    pub(super) fn includes(&self, config: &mut Config) -> Result<Vec<Included>> {
        let mut found = Vec::new();
        for (key, value) in &self.tables()? {
            if key.get_ref().as_ref() != "include" {
                continue;
            }
            for (place, text) in self.texts(value)? {
                let path = self.folder().join(&text);
                let name = path.file_name().and_then(|name| name.to_str());
                let paths = match name.filter(|name| name.contains('*')) {
                    None => vec![path],
                    Some(pattern) => matching(&path, &WildMatch::new(pattern), config)
                        .map_err(|error| place.misuse(error.chain()))?,
                };
                found.extend(paths.into_iter().map(|path| Included {
                    place: place.clone(),
                    path,
                }));
            }
        }
        Ok(found)
    }

    /// Reads the tables.
    pub(super) fn read_into(&self, config: &mut Config) -> Result<()> {
        for (key, value) in &self.tables()? {
            match key.get_ref().as_ref() {
                "include" => {}
                "prune" => {
                    let prune = value.get_ref().as_bool().ok_or_else(|| {
                        self.place(&value.span())
                            .misuse("prune is true or false, without quotes")
                    })?;
                    config.prune |= prune;
                }
                "serve" => {
                    for (key, value) in self.table(key, value)? {
                        config.serve.push(self.serve_option(key, value)?);
                    }
                }
                name => {
                    let noun: Noun = name.parse().map_err(|_| {
                        let known = "source, endpoint, alert, serve, include and prune";
                        self.place(&key.span())
                            .misuse(format!("there is no `{name}` here; {known} are known"))
                    })?;
                    for (name, value) in self.table(key, value)? {
                        let wanted = self.wanted(noun, name, value, &mut config.noted)?;
                        config.want(wanted)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn wanted(
        &self,
        noun: Noun,
        key: &Key<'_>,
        value: &Value<'_>,
        files: &mut Vec<PathBuf>,
    ) -> Result<Wanted> {
        let (name, place) = (key.get_ref().to_string(), self.place(&key.span()));
        check_name(&name).map_err(|error| place.of(error))?;
        let mut given = Vec::new();
        for (key, value) in self.table(key, value)? {
            given.push(Given {
                name: key.get_ref().to_string(),
                place: self.place(&key.span()),
                values: self
                    .texts(value)?
                    .into_iter()
                    .map(|(_, text)| text)
                    .collect(),
            });
        }
        Wanted::new(noun, name, place, given, self.folder(), files)
    }

    fn serve_option(&self, key: &Key<'_>, value: &Value<'_>) -> Result<ServeOption> {
        let values = self.texts(value)?;
        Ok(ServeOption {
            name: key.get_ref().to_string(),
            values: values.into_iter().map(|(_, text)| text).collect(),
            place: self.place(&key.span()),
        })
    }

    /// The entries of a table, in the order in which they stand.
    fn table<'v>(
        &self,
        key: &Key<'_>,
        value: &'v Value<'t>,
    ) -> Result<Vec<(&'v Key<'t>, &'v Value<'t>)>> {
        let table = value.get_ref().as_table().ok_or_else(|| {
            let name = key.get_ref();
            self.place(&value.span()).misuse(format!(
                "`{name}` is a table, written as [{name}] or [{name}.NAME]"
            ))
        })?;
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        Ok(entries)
    }

    /// A value as texts: one, or those of a list.
    fn texts(&self, value: &Value<'_>) -> Result<Vec<(Place, String)>> {
        let place = self.place(&value.span());
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            DeValue::Array(list) => {
                let mut texts = Vec::new();
                for one in list {
                    if one.get_ref().is_array() {
                        return Err(self.place(&one.span()).misuse("a list in a list"));
                    }
                    texts.extend(self.texts(one)?);
                }
                return Ok(texts);
            }
            DeValue::Table(_) => {
                return Err(place.misuse("a value is expected here, and no table"));
            }
            _ => return Err(place.misuse("put this value in quotes")),
        };
        Ok(vec![(place, text)])
    }
}

/// The files beside `path` whose name matches, by name.
fn matching(path: &Path, pattern: &WildMatch, config: &mut Config) -> Result<Vec<PathBuf>> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    config.noted.push(folder.to_owned());
    let failed = |error| Error::io_at("look for files to include in", folder, error);
    let entries = match std::fs::read_dir(folder) {
        // A folder that is not there has no such files either.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            config.missing_folder = Some(folder.to_owned());
            return Ok(Vec::new());
        }
        entries => entries.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        // Editors leave files of their own that begin with a dot.
        if name.is_some_and(|name| pattern.matches(name) && !name.starts_with('.')) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
