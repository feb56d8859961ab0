//! What a table of the file asks for: a source, an endpoint or an alert, made of settings by name.

use std::path::{Path, PathBuf};

use super::Noun;
use super::place::Place;
use super::reference::Reference;
use crate::error::{Error, Result};
use crate::model::alert::NewAlert;
use crate::model::chat::Chat;
use crate::model::connection::ProxyUrl;
use crate::model::endpoint::{EndpointUrl, NewEndpoint};
use crate::model::settings::{
    ALERT_SETTINGS, ENDPOINT_SETTINGS, Kind, SOURCE_SETTINGS, Setting, Written, alert_change,
    endpoint_change, source_change, written_endpoint,
};
use crate::model::source::{NewSource, SenderKind};
use crate::signature::{Scheme, Secret};

/// A key with its value, as it stands in the file.
pub(super) struct Given {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) values: Vec<String>,
}

/// A source, an endpoint or an alert as the file wants it.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) noun: Noun,
    pub(super) name: String,
    pub(super) place: Place,
    /// The kind of a source.
    kind: Option<SenderKind>,
    /// Settings with their texts, each with the place at which it stands.
    pairs: Vec<(String, String)>,
    places: Vec<Place>,
    /// Kept apart, since its bytes may not be text.
    secret: Option<Secret>,
}

impl Noun {
    fn settings(self) -> &'static [Setting] {
        match self {
            Noun::Source => &SOURCE_SETTINGS,
            Noun::Endpoint => &ENDPOINT_SETTINGS,
            Noun::Alert => &ALERT_SETTINGS,
        }
    }
}

impl Wanted {
    /// Reads the keys of a table; values that stand elsewhere are read.
    ///
    /// # Errors
    /// [`Error::Misuse`] with the place of what is wrong.
    pub(super) fn new(
        noun: Noun,
        name: String,
        place: Place,
        given: Vec<Given>,
        folder: &Path,
        files: &mut Vec<PathBuf>,
    ) -> Result<Wanted> {
        let mut wanted = Wanted {
            noun,
            name,
            place,
            kind: None,
            pairs: Vec::new(),
            places: Vec::new(),
            secret: None,
        };
        for one in given {
            wanted.take(one, folder, files)?;
        }
        if noun == Noun::Source && wanted.kind.is_none() {
            return Err(wanted.place.misuse(format!(
                "source {} has no kind; one of {}",
                wanted.name,
                SenderKind::names().join(", ")
            )));
        }
        Ok(wanted)
    }

    fn take(&mut self, given: Given, folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
        let Given {
            name,
            place,
            values,
        } = given;
        if self.noun == Noun::Source && name == "kind" {
            let kind = values.concat().parse().map_err(|error| place.of(error))?;
            self.kind = Some(kind);
            return Ok(());
        }
        let find = |name: &str| self.noun.settings().iter().find(|one| one.name == name);
        let (setting, reference) = match (find(&name), Reference::split(&name)) {
            (Some(setting), _) => (setting, None),
            (None, Some((name, reference))) if find(name).is_some() => {
                (find(name).expect("it was found"), Some(reference))
            }
            (None, _) => {
                let (noun, of) = (self.noun, &self.name);
                let is_near = |one: &&Setting| {
                    one.name.strip_suffix('s') == Some(&name) || one.name.replace('_', "") == name
                };
                let near = noun.settings().iter().find(is_near);
                let advice = match near {
                    Some(near) => format!("it is `{}`", near.name),
                    None => format!("`hookbox {noun} set --help` shows what there is"),
                };
                return Err(place.misuse(format!("{noun} {of} has no setting `{name}`; {advice}")));
            }
        };
        if self.is_named(setting.name) {
            let name = setting.name;
            return Err(place.misuse(format!("{name} is given twice, in two ways")));
        }
        let joined = values.join(separator(setting));
        let Some(reference) = reference else {
            if setting.kind == Kind::Lines && values.iter().any(|line| line.contains('\n')) {
                return Err(place.misuse(format!(
                    "{name} has a line break in it; give a list of texts"
                )));
            }
            self.put(setting.name, joined, place);
            return Ok(());
        };
        let bytes = reference.read(&joined, folder, files);
        let bytes = bytes.map_err(|error| match error {
            Error::Io { .. } => place.misuse(error.chain()),
            other => place.of(other),
        })?;
        if bytes.is_empty() {
            return Err(place.misuse(format!("{joined} is empty")));
        }
        if setting.name == "secret" {
            self.secret = Some(Secret::new(bytes)?);
            self.put("secret", String::new(), place);
            return Ok(());
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| place.misuse(format!("{joined} is not UTF-8; save it as UTF-8")))?;
        // What is wrong with it would be told with its text, which may be a secret.
        let is_url = match setting.name {
            "url" => text.trim().parse::<EndpointUrl>().is_ok(),
            "proxy" => text.trim().parse::<ProxyUrl>().is_ok(),
            _ => true,
        };
        if !is_url {
            return Err(place.misuse(format!(
                "what {joined} has is no URL that can be used; write an absolute one, on one line"
            )));
        }
        if setting.name == "template" && !self.is_named("format") {
            let file = Path::new(&joined).file_name().unwrap_or_default();
            let format = format!("template:{}", file.to_string_lossy());
            self.put("format", format, place.clone());
        }
        self.put(setting.name, text, place);
        Ok(())
    }

    fn put(&mut self, name: &str, text: String, place: Place) {
        self.pairs.push((name.to_owned(), text));
        self.places.push(place);
    }

    fn is_named(&self, name: &str) -> bool {
        self.pairs.iter().any(|(held, _)| held == name)
    }

    /// Adds the place to an error: that of the setting that it names, or that of the table.
    pub(super) fn explain(&self, error: Error) -> Error {
        let named = match &error {
            Error::Misuse(text) => text.split_once(": "),
            _ => None,
        };
        let at = named.and_then(|(name, _)| self.pairs.iter().position(|(held, _)| held == name));
        match at.and_then(|at| self.places.get(at)) {
            Some(place) => place.of(error),
            None => match self.place.of(error) {
                Error::Misuse(text) => Error::Misuse(text.replacen(
                    ": ",
                    &format!(": {} {}: ", self.noun, self.name),
                    1,
                )),
                other => other,
            },
        }
    }

    /// The source, where this one is there already.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the values do not fit together.
    pub(super) fn source(&self, held: Option<&NewSource>) -> Result<NewSource> {
        let kind = self.kind.expect("a source has a kind: it was checked");
        let mut source = NewSource::of(self.name.clone(), kind);
        source_change(&self.pairs)?.make(&mut source)?;
        if self.secret.is_some() {
            source.secret.clone_from(&self.secret);
        }
        if let Some(held) = held {
            if !self.is_named("secret") {
                source.secret.clone_from(&held.secret);
            }
            if !self.is_named("path_token") {
                source.path_token.clone_from(&held.path_token);
            }
        }
        // What is usual for the kind is not written down as if somebody had chosen it.
        source
            .on_repeat
            .get_or_insert(source.kind.default_on_repeat());
        source.check()?;
        Ok(source)
    }

    /// The endpoint, where this one is there already.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the values do not fit together, or there is no URL.
    pub(super) fn endpoint(&self, held: Option<&NewEndpoint>) -> Result<NewEndpoint> {
        let mut pairs = self.pairs.clone();
        let written = held.map(written_endpoint).unwrap_or_default();
        pairs.extend(self.kept(&written));
        let url = match (pairs.iter().find(|(name, _)| name == "url"), held) {
            (Some((_, url)), _) => url.parse()?,
            (None, Some(held)) => held.url.clone(),
            (None, None) => return Err(Error::misuse("url is missing: where events are POSTed")),
        };
        let mut endpoint = NewEndpoint::new(self.name.clone(), url);
        endpoint_change(&pairs)?.make(&mut endpoint)?;
        if self.secret.is_some() {
            endpoint.secret.clone_from(&self.secret);
        }
        let signs =
            endpoint.scheme != Scheme::None || endpoint.format.chat().is_some_and(Chat::signs);
        if let Some(held) = held
            && signs
            && !self.is_named("secret")
        {
            endpoint.secret.clone_from(&held.secret);
        }
        endpoint.check()?;
        Ok(endpoint)
    }

    /// The secret settings of an endpoint that the file does not name, but for the one that it signs with.
    fn kept(&self, written: &[Written]) -> Vec<(String, String)> {
        let text = |name: &str| {
            let found = written.iter().find(|(setting, _)| setting.name == name);
            found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        let given = self.pairs.iter().find(|(name, _)| name == "auth");
        // A password belongs to its user.
        let same_auth = given.is_some_and(|(_, how)| text("auth").as_deref() == Some(how.trim()));
        let secrets = written.iter().filter(|(setting, _)| setting.is_secret);
        let kept = secrets.filter(|(setting, _)| match setting.name {
            "secret" => false,
            "auth_secret" => same_auth && !self.is_named("auth_secret"),
            name => !self.is_named(name),
        });
        kept.filter_map(|(setting, _)| Some((setting.name.to_owned(), text(setting.name)?)))
            .collect()
    }

    /// The alert.
    ///
    /// # Errors
    /// [`Error::Misuse`] when a value is wrong.
    pub(super) fn alert(&self) -> Result<NewAlert> {
        let to = self.pairs.iter().find(|(name, _)| name == "to");
        if to.is_some_and(|(_, to)| to.contains("://")) {
            return Err(Error::misuse(format!(
                "to: name an endpoint, and write its URL there: [endpoint.{}] url = \"...\", types = \"hookbox.alert\"",
                self.name
            )));
        }
        let mut alert = NewAlert::new(self.name.clone());
        alert_change(&self.pairs)?.make(&mut alert)?;
        alert.check()?;
        Ok(alert)
    }
}

/// What stands between the texts of a list.
fn separator(setting: &Setting) -> &'static str {
    match setting.name {
        "window" => ";",
        _ if setting.kind == Kind::Lines => "\n",
        _ => ",",
    }
}
