//! Writes a configuration file of what there is.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Noun;
use crate::error::{Error, Result};
use crate::model::settings::{Kind, Written, written_alert, written_endpoint, written_source};
use crate::model::source::NewSource;
use crate::store::Store;

const HEADER: &str = "\
# What the sources, endpoints and alerts of hookbox shall be. `hookbox apply` compares this file with what
# is there, and makes it so; `hookbox serve --config` does that whenever it changes.
";

/// The folder into which secrets are written.
#[derive(Debug)]
pub struct SecretsFolder {
    folder: PathBuf,
    /// As the configuration names it.
    named: PathBuf,
}

impl SecretsFolder {
    /// Makes the folder, if it does not exist, for its owner alone. Where it is below the folder of the
    /// configuration (`beside`), it is named from there.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be made.
    pub fn make(path: &Path, beside: Option<&Path>) -> Result<SecretsFolder> {
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path);
        let whole = made.and_then(|()| {
            let folder = path.canonicalize()?;
            let beside = beside.map(Path::canonicalize).transpose()?;
            let named =
                beside.and_then(|beside| folder.strip_prefix(beside).ok().map(PathBuf::from));
            Ok(SecretsFolder {
                named: named.unwrap_or_else(|| folder.clone()),
                folder,
            })
        });
        whole.map_err(|error| Error::io_at("make the folder of secrets", path, error))
    }

    /// Writes a secret; returns the file. One that is there already with the same secret stays.
    fn write(&self, name: &str, value: &[u8]) -> Result<PathBuf> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        // One newline at the end and one mark at the beginning are left out when it is read.
        let mark = match value.starts_with(BYTE_ORDER_MARK) {
            true => BYTE_ORDER_MARK,
            false => b"",
        };
        let value = [mark, value, b"\n"].concat();
        let (path, named) = (self.folder.join(name), self.named.join(name));
        if std::fs::read(&path).is_ok_and(|held| held == value) {
            return Ok(named);
        }
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        file.and_then(|mut file| {
            file.write_all(&value)?;
            file.sync_all()
        })
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Error::misuse(format!(
                "{} has another secret, and is not written over: remove it, or name another folder",
                path.display()
            )),
            _ => Error::io_at("write a secret to", &path, error),
        })?;
        Ok(named)
    }
}

/// The text of a configuration file that describes what the store has. Secrets are written to their folder,
/// or left in the database alone: `apply` keeps those.
///
/// # Errors
/// [`Error::Database`] when the store cannot be read; [`Error::Io`] when a secret cannot be written.
pub fn export(store: &Store, secrets: Option<&SecretsFolder>) -> Result<String> {
    let directory = store.fresh_directory()?;
    let mut text = HEADER.to_owned();
    for held in directory.sources() {
        let source = NewSource::from(held.as_ref());
        begin(&mut text, Noun::Source, &source.name);
        line(&mut text, "kind", &quoted(source.sender().name()));
        settings(
            &mut text,
            Noun::Source,
            &source.name,
            &written_source(&source),
            secrets,
        )?;
    }
    let endpoints = directory.endpoints().iter().map(|held| &held.set);
    for endpoint in endpoints.filter(|endpoint| !endpoint.is_made_for_replays()) {
        begin(&mut text, Noun::Endpoint, &endpoint.name);
        let mut written = written_endpoint(endpoint);
        // A URL with a secret in it is one.
        if endpoint.shown_url() != endpoint.url.as_text() {
            let url = written
                .iter()
                .position(|(setting, _)| setting.name == "url");
            let (setting, value) = written.remove(url.expect("a URL is always written"));
            secret(
                &mut text,
                Noun::Endpoint,
                &endpoint.name,
                setting.name,
                &value,
                secrets,
            )?;
        }
        settings(&mut text, Noun::Endpoint, &endpoint.name, &written, secrets)?;
    }
    for alert in store.alerts()? {
        begin(&mut text, Noun::Alert, &alert.set.name);
        settings(
            &mut text,
            Noun::Alert,
            &alert.set.name,
            &written_alert(&alert.set),
            secrets,
        )?;
    }
    Ok(text)
}

fn begin(text: &mut String, noun: Noun, name: &str) {
    // A dot would make tables of tables.
    let key = match name.contains('.') {
        true => quoted(name),
        false => name.to_owned(),
    };
    text.push_str(&format!("\n[{noun}.{key}]\n"));
}

fn line(text: &mut String, key: &str, value: &str) {
    text.push_str(&format!("{key} = {value}\n"));
}

fn settings(
    text: &mut String,
    noun: Noun,
    name: &str,
    written: &[Written],
    secrets: Option<&SecretsFolder>,
) -> Result<()> {
    for (setting, value) in written {
        if setting.is_secret {
            secret(text, noun, name, setting.name, value, secrets)?;
            continue;
        }
        let value = String::from_utf8_lossy(value);
        let value = match setting.kind {
            Kind::Number | Kind::Flag if !value.is_empty() => value.into_owned(),
            Kind::Flag => "false".to_owned(),
            _ => quoted(&value),
        };
        line(text, setting.name, &value);
    }
    Ok(())
}

fn secret(
    text: &mut String,
    noun: Noun,
    name: &str,
    setting: &str,
    value: &[u8],
    secrets: Option<&SecretsFolder>,
) -> Result<()> {
    match secrets {
        Some(folder) => {
            let path = folder.write(&format!("{noun}-{name}-{setting}"), value)?;
            line(text, &format!("{setting}_file"), &quoted(&path.to_string_lossy()));
        }
        None => text.push_str(&format!(
            "# {setting}: kept in the database; to keep it elsewhere: {setting}_file, {setting}_env or {setting}_credential\n"
        )),
    }
    Ok(())
}

/// A text as TOML has it: on one line, or on several where it has several.
fn quoted(text: &str) -> String {
    let is_long = text.contains('\n');
    let mut quoted = String::with_capacity(text.len() + 8);
    quoted.push_str(if is_long { "\"\"\"\n" } else { "\"" });
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push('\n'),
            '\t' => quoted.push('\t'),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push_str(if is_long { "\"\"\"" } else { "\"" });
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::de::DeValue;

    #[test]
    fn texts_are_read_as_they_were_written() {
        for text in [
            "",
            "plain",
            "a \"quoted\" \\ one",
            "two\nlines",
            "\nfirst empty",
            "ends \"\"\"\n",
            "\r\n\t\u{1}\u{7f}\u{2028}é中",
        ] {
            let written = quoted(text);
            let read = DeValue::parse(&written).unwrap();
            assert_eq!(read.get_ref().as_str(), Some(text), "{written}");
        }
    }
}
