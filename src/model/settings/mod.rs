//! Settings of endpoints and sources, by name and text. The command line, the API and the forms all use the
//! same table.
//!
//! A change is a list of (name, text) pairs; an empty text restores the default. `definitions` has the
//! table, for help and OpenAPI; `parse_endpoint`, `parse_source` and `parse_alert` parse the texts, `written`
//! writes them. `selection` has the
//! conditions of lists and replays, which are given in the same way.

mod definitions;
mod parse_alert;
mod parse_endpoint;
mod parse_source;
mod selection;
mod written;

use std::str::FromStr;

use crate::error::{Error, Result};
use crate::signature::generic::Rules;

#[cfg(feature = "page")]
pub(crate) use definitions::row;
pub use definitions::{
    ALERT_SETTINGS, ENDPOINT_SETTINGS, FORMATS, Kind, SECRET_SETTING, SIGNATURE_SETTINGS,
    SOURCE_SETTINGS, Setting,
};
pub use parse_alert::alert_change;
pub use parse_endpoint::endpoint_change;
pub use parse_source::source_change;
pub use selection::{Listing, Selection};
pub use written::{Written, written_alert, written_endpoint, written_source};

/// Settings by name, each with its text.
pub type Pairs = [(String, String)];

/// The text of a setting, if it is given.
fn text_of<'p>(pairs: &'p Pairs, name: &str) -> Option<&'p str> {
    let found = pairs.iter().find(|(held, _)| held == name);
    found.map(|(_, value)| value.as_str())
}

/// A change of an endpoint, a source or the rules of a signature: every text is parsed, and nothing is
/// changed yet.
pub struct Change<T>(Vec<Step<T>>);

type Step<T> = Box<dyn Fn(&mut T) -> Result<()> + Send + Sync>;

impl<T: 'static> Change<T> {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a value, and how it is set.
    pub fn put<V: Clone + Send + Sync + 'static>(&mut self, value: V, set: fn(&mut T, V)) {
        self.then(move |held| {
            set(held, value.clone());
            Ok(())
        });
    }

    fn then(&mut self, step: impl Fn(&mut T) -> Result<()> + Send + Sync + 'static) {
        self.0.push(Box::new(step));
    }

    /// Makes the change.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it does not fit to what is held.
    pub fn make(&self, held: &mut T) -> Result<()> {
        self.0.iter().try_for_each(|step| step(held))
    }
}

/// Parses how a generic signature is made.
///
/// # Errors
/// [`Error::Misuse`] when a text is not a valid value. Other settings are ignored.
pub fn rules_change(pairs: &Pairs) -> Result<Change<Rules>> {
    let mut change = Change(Vec::new());
    for (name, value) in pairs {
        set_rule(&mut change, name, value).map_err(|error| of_setting(name, error))?;
    }
    Ok(change)
}

fn set_rule(change: &mut Change<Rules>, name: &str, value: &str) -> Result<()> {
    let (text, default) = (value.trim(), Rules::default());
    match name {
        "signature_algorithm" => change.put(
            optional(text)?.unwrap_or(default.algorithm),
            |rules, algorithm| rules.algorithm = algorithm,
        ),
        "signature_encoding" => change.put(
            optional(text)?.unwrap_or(default.encoding),
            |rules, encoding| rules.encoding = encoding,
        ),
        // White space belongs to these two: it is signed, or stands before the signature.
        "signature_over" => change.put(optional(value)?.unwrap_or(default.over), |rules, over| {
            rules.over = over
        }),
        "signature_prefix" => change.put(value.to_owned(), |rules, prefix| rules.prefix = prefix),
        "signature_header" => change.put(
            some(text).map_or(default.header, |header| header.to_owned().into()),
            |rules, header| rules.header = header,
        ),
        "timestamp_header" => change.put(
            some(text).map(|header| header.to_owned().into()),
            |rules, header| rules.timestamp_header = header,
        ),
        _ => {}
    }
    Ok(())
}

/// Rejects a name that is not in the table.
fn check_known(settings: &[Setting], of: &str, pairs: &Pairs) -> Result<()> {
    let is_known = |name: &str| settings.iter().any(|setting| setting.name == name);
    match pairs.iter().find(|(name, _)| !is_known(name)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::misuse(format!("{of} has no setting `{name}`"))),
    }
}

/// A text as it is parsed: a space may be part of a secret, so it is not trimmed.
fn trimmed<'v>(name: &str, value: &'v str) -> &'v str {
    if name == "secret" {
        value
    } else {
        value.trim()
    }
}

/// Adds the name of the setting to an error.
pub(crate) fn of_setting(name: &str, error: Error) -> Error {
    match error {
        Error::Misuse(text) => Error::Misuse(format!("{name}: {text}")),
        other => other,
    }
}

fn some(value: &str) -> Option<&str> {
    Some(value).filter(|value| !value.is_empty())
}

fn optional<T: FromStr<Err = Error>>(value: &str) -> Result<Option<T>> {
    some(value).map(str::parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::NewEndpoint;
    use crate::model::kind::SourceKind;
    use crate::model::source::NewSource;

    fn pairs(texts: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        texts.iter().map(own).collect()
    }

    fn set_endpoint(endpoint: &mut NewEndpoint, pairs: &Pairs) -> Result<()> {
        endpoint_change(pairs)?.make(endpoint)
    }

    fn set_source(source: &mut NewSource, pairs: &Pairs) -> Result<()> {
        source_change(pairs)?.make(source)
    }

    fn endpoint() -> NewEndpoint {
        NewEndpoint::new("ci", "http://127.0.0.1:1/".parse().unwrap())
    }

    #[test]
    fn every_setting_of_an_endpoint_is_taken_and_an_empty_text_takes_it_back() {
        let set = [
            ("url", "https://ci.example.org/hook"),
            ("sign", "gogs"),
            ("secret", "hunter2"),
            ("types", "push,tag*"),
            ("when", "type == 'push'"),
            ("timeout", "3s"),
            ("concurrency", "2"),
            ("rate", "20/m"),
            ("retry", "1s,2s"),
            ("tries", "4"),
            ("expire", "30d"),
            ("window", "0 0 2 * * *+3h Europe/Berlin"),
            ("ordered", "true"),
            ("headers", "X-A: 1\nX-B: 2"),
            ("auth", "basic:mira"),
            ("auth_secret", "hunter2"),
        ];
        let mut changed = endpoint();
        changed.concurrency = None;
        set_endpoint(&mut changed, &pairs(&set)).unwrap();
        assert_eq!(changed.connection.headers.len(), 2);
        assert!(changed.is_ordered && changed.secret.is_some());
        assert_eq!(changed.tries_max(), 4);
        let empty: Vec<(&str, &str)> = set[1..14].iter().map(|(name, _)| (*name, "")).collect();
        set_endpoint(&mut changed, &pairs(&empty)).unwrap();
        set_endpoint(&mut changed, &pairs(&[("auth", "none")])).unwrap();
        let usual = endpoint();
        assert_eq!(changed.retry, usual.retry);
        assert_eq!(changed.connection, usual.connection);
        assert!(changed.secret.is_none() && changed.window.is_none() && !changed.is_ordered);
    }

    /// Cause: the command line parsed formats in its own code. Damage: when a template was set again, it
    /// lost its content type. Fix: the command line, the API and the forms use the same parser.
    #[test]
    fn a_template_that_is_set_anew_keeps_its_content_type_and_its_name() {
        let mut changed = endpoint();
        let set = [
            ("format", "template:push.txt"),
            ("template", "{{ type }}"),
            ("content_type", "text/plain"),
        ];
        set_endpoint(&mut changed, &pairs(&set)).unwrap();
        assert_eq!(changed.format.to_string(), "template:push.txt");
        set_endpoint(&mut changed, &pairs(&[("template", "{{ source }}")])).unwrap();
        assert_eq!(changed.format.to_string(), "template:push.txt");
        let content_type = |endpoint: &NewEndpoint| {
            let template = endpoint.format.template().unwrap().stored();
            template["content_type"].as_str().unwrap().to_owned()
        };
        assert_eq!(content_type(&changed), "text/plain");
        set_endpoint(&mut changed, &pairs(&[("content_type", "")])).unwrap();
        assert_eq!(content_type(&changed), "application/json");
        for brought in [("template", "x"), ("content_type", "text/plain")] {
            let set = [("format", "slack"), brought];
            assert!(set_endpoint(&mut endpoint(), &pairs(&set)).is_err());
        }
    }

    #[test]
    fn a_template_is_called_by_the_name_of_its_file() {
        let named = |name: &str| {
            let mut changed = endpoint();
            let set = [("format", name), ("template", "x")];
            set_endpoint(&mut changed, &pairs(&set)).map(|()| changed.format.to_string())
        };
        assert_eq!(named("template:../a/b.txt").unwrap(), "template:b.txt");
        for bad in ["template:a/", "template:\u{1b}[31m"] {
            assert!(named(bad).is_err(), "{bad:?}");
        }
        assert!(named(&format!("template:{}", "x".repeat(256))).is_err());
    }

    #[test]
    fn white_space_that_is_signed_is_kept() {
        let mut rules = Rules::default();
        for (name, value) in [("signature_over", "{body}\n"), ("signature_prefix", "v1 ")] {
            let change = rules_change(&pairs(&[(name, value)])).unwrap();
            change.make(&mut rules).unwrap();
        }
        assert_eq!(
            (rules.over.to_string().as_str(), rules.prefix.as_str()),
            ("{body}\n", "v1 ")
        );
    }

    #[test]
    fn every_setting_is_described_once_and_read() {
        for settings in [&ENDPOINT_SETTINGS[..], &SOURCE_SETTINGS[..]] {
            let mut names: Vec<&str> = settings.iter().map(|setting| setting.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), settings.len());
        }
        // A control character is rejected, or visible in the result.
        for setting in ENDPOINT_SETTINGS {
            let mut changed = endpoint();
            let read = set_endpoint(&mut changed, &pairs(&[(setting.name, "\u{1}")]));
            let is_seen = format!("{changed:?}") != format!("{:?}", endpoint());
            assert!(read.is_err() || is_seen, "{} is not read", setting.name);
        }
    }

    #[test]
    fn what_is_no_setting_or_no_value_is_refused_by_its_name() {
        for (name, value, says) in [
            ("color", "red", "no setting `color`"),
            ("tries", "many", "tries: `many` is no number"),
            ("timeout", "soon", "timeout:"),
            ("format", "paper", "unknown format"),
            ("auth", "bearer", "auth_secret"),
            ("headers", "nonsense", "Name: value"),
            ("ordered", "perhaps", "neither true nor false"),
        ] {
            let error = set_endpoint(&mut endpoint(), &pairs(&[(name, value)])).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
        let mut source = NewSource::new("in", SourceKind::Generic);
        set_source(
            &mut source,
            &pairs(&[("type_header", "X-Kind"), ("on_repeat", "replay")]),
        )
        .unwrap();
        assert!(source.generic.type_from.is_some());
        let rules = [
            ("signature_header", "X-Sum"),
            ("signature_algorithm", "sha512"),
        ];
        set_source(&mut source, &pairs(&rules)).unwrap();
        assert_eq!(source.generic.signature.header, "X-Sum");
        set_source(&mut source, &pairs(&[("signature_header", "")])).unwrap();
        assert_eq!(source.generic.signature.header, Rules::default().header);
        assert_ne!(
            source.generic.signature.algorithm,
            Rules::default().algorithm
        );
        assert!(set_source(&mut source, &pairs(&[("color", "red")])).is_err());
    }
}
