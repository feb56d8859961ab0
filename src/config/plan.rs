//! Compares what a file wants with what is there, and makes it so.

use serde_json::{Map, Value, json};

use super::wanted::Wanted;
use super::{Config, Noun};
use crate::error::Result;
use crate::model::endpoint::NewEndpoint;
use crate::model::settings::{
    ALERT_SETTINGS, ENDPOINT_SETTINGS, SOURCE_SETTINGS, Setting, Written, written_alert,
    written_endpoint, written_source,
};
use crate::model::source::NewSource;
use crate::store::{Setup, Store};
use crate::time::Timestamp;

/// What is shown of a secret.
const SECRET: &str = "(secret)";

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub setting: &'static str,
    /// What it is; `None` for the default.
    pub from: Option<String>,
    /// What it will be; `None` for the default.
    pub to: Option<String>,
}

/// One object that will change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is.
    pub noun: Noun,
    /// Its name.
    pub name: String,
    /// `add`, `change` or `remove`.
    pub change: &'static str,
    /// Its settings that differ.
    pub lines: Vec<Line>,
}

/// What must be done so that all is as a file says.
#[derive(Debug)]
pub struct Plan {
    differences: Vec<Difference>,
    /// What is added and changed, with its place among what the file wants.
    wanted: Vec<(Setup, usize)>,
    removed: Vec<(Noun, String)>,
    version: i64,
}

impl Plan {
    /// Compares a configuration with a store. What it does not name is removed if `prune` or the file says so.
    ///
    /// # Errors
    /// [`Error::Misuse`](crate::Error::Misuse) with the place of what is wrong;
    /// [`Error::Database`](crate::Error::Database) when the store cannot be read.
    pub fn of(config: &Config, store: &Store, prune: bool) -> Result<Plan> {
        let directory = store.fresh_directory()?;
        let mut plan = Plan {
            differences: Vec::new(),
            wanted: Vec::new(),
            removed: Vec::new(),
            version: store.config_version(&directory),
        };
        let alerts = store.alerts()?;
        for (at, wanted) in config.wanted.iter().enumerate() {
            let name = wanted.name.as_str();
            let explained = |error| wanted.explain(error);
            match wanted.noun {
                Noun::Source => {
                    let held = directory
                        .source(name)
                        .map(|held| NewSource::from(held.as_ref()));
                    let source = wanted.source(held.as_ref()).map_err(explained)?;
                    let kind = |source: &NewSource| source.sender().name().to_owned();
                    let (from, to) = (held.as_ref().map(kind), kind(&source));
                    let kind = (from.as_ref() != Some(&to)).then_some(Line {
                        setting: "kind",
                        from,
                        to: Some(to),
                    });
                    let before = held.as_ref().map(written_source);
                    let after = written_source(&source);
                    let lines = compared(&SOURCE_SETTINGS, before.as_deref(), &after);
                    let lines = kind.into_iter().chain(lines).collect();
                    plan.add(wanted, before.is_some(), lines, Setup::Source(source), at);
                }
                Noun::Endpoint => {
                    let held = directory.endpoint(name).map(|held| &held.set);
                    let endpoint = wanted.endpoint(held).map_err(explained)?;
                    let before = held.map(written_endpoint);
                    let after = written_endpoint(&endpoint);
                    let mut lines = compared(&ENDPOINT_SETTINGS, before.as_deref(), &after);
                    hide_url(&mut lines, held, &endpoint);
                    let setup = Setup::Endpoint(Box::new(endpoint));
                    plan.add(wanted, before.is_some(), lines, setup, at);
                }
                Noun::Alert => {
                    let held = alerts.iter().find(|held| held.set.name == name);
                    let alert = wanted.alert().map_err(explained)?;
                    let before = held.map(|held| written_alert(&held.set));
                    let after = written_alert(&alert);
                    let lines = compared(&ALERT_SETTINGS, before.as_deref(), &after);
                    plan.add(wanted, before.is_some(), lines, Setup::Alert(alert), at);
                }
            }
        }
        if prune || config.prune {
            let named = |noun: Noun, name: &str| {
                let mut all = config.wanted.iter();
                all.any(|one| one.noun == noun && one.name == name)
            };
            let alerts = alerts.iter().map(|held| (Noun::Alert, &held.set.name));
            let endpoints = directory.endpoints().iter();
            let endpoints = endpoints.filter(|held| !held.set.is_made_for_replays());
            let endpoints = endpoints.map(|held| (Noun::Endpoint, &held.set.name));
            let sources = directory.sources().iter();
            let sources = sources.map(|held| (Noun::Source, &held.name));
            // An endpoint that an alert needs is removed after the alert.
            let all = alerts.chain(endpoints).chain(sources);
            for (noun, name) in all.filter(|(noun, name)| !named(*noun, name)) {
                plan.removed.push((noun, name.clone()));
                plan.differences.push(Difference {
                    noun,
                    name: name.clone(),
                    change: "remove",
                    lines: Vec::new(),
                });
            }
        }
        Ok(plan)
    }

    fn add(&mut self, wanted: &Wanted, is_held: bool, lines: Vec<Line>, setup: Setup, at: usize) {
        if is_held && lines.is_empty() {
            return;
        }
        self.differences.push(Difference {
            noun: wanted.noun,
            name: wanted.name.clone(),
            change: if is_held { "change" } else { "add" },
            lines,
        });
        self.wanted.push((setup, at));
    }

    /// What differs.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Leaves the endpoints that are to be removed, and to which deliveries are pending, and with them the sources;
    /// returns the names of the endpoints.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the store cannot be read.
    pub fn leave_pending(&mut self, store: &Store) -> Result<Vec<String>> {
        let mut left = Vec::new();
        for (noun, name) in &self.removed {
            if *noun == Noun::Endpoint && store.endpoint_report(name)?.pending > 0 {
                left.push(name.clone());
            }
        }
        // What is left may name a source.
        let is_left = |noun: Noun, name: &String| match noun {
            Noun::Endpoint => left.iter().any(|one| one == name),
            Noun::Source => !left.is_empty(),
            Noun::Alert => false,
        };
        self.removed.retain(|(noun, name)| !is_left(*noun, name));
        self.differences
            .retain(|one| one.change != "remove" || !is_left(one.noun, &one.name));
        Ok(left)
    }

    /// Makes all as the file says, in one transaction; a dry run finds out whether that would do.
    ///
    /// # Errors
    /// [`Error::Misuse`](crate::Error::Misuse) with the place of what does not fit, when somebody else changed
    /// something since the comparison, or when an endpoint to be removed has deliveries pending that may not be
    /// cancelled. Nothing is changed then.
    pub fn apply(
        self,
        config: &Config,
        store: &Store,
        cancel_pending: bool,
        is_dry: bool,
        now: Timestamp,
    ) -> Result<()> {
        if self.differences.is_empty() {
            return Ok(());
        }
        let (mut setups, places): (Vec<Setup>, Vec<usize>) = self.wanted.into_iter().unzip();
        setups.extend(self.removed.into_iter().map(|(noun, name)| match noun {
            Noun::Source => Setup::NoSource(name),
            Noun::Endpoint => Setup::NoEndpoint {
                name,
                cancel_pending,
            },
            Noun::Alert => Setup::NoAlert(name),
        }));
        store
            .set_up(setups, self.version, is_dry, now)
            .map_err(|(at, error)| {
                let wanted = at.and_then(|at| config.wanted.get(*places.get(at)?));
                wanted.map_or(error.clone(), |wanted| wanted.explain(error))
            })
    }
}

impl Difference {
    /// The JSON object of `hookbox apply --json`.
    pub fn json(&self) -> Value {
        let lines = self.lines.iter();
        let settings: Map<String, Value> = lines
            .map(|line| {
                (
                    line.setting.to_owned(),
                    json!({ "from": line.from, "to": line.to }),
                )
            })
            .collect();
        json!({
            "change": self.change,
            "table": self.noun.name(),
            "name": self.name,
            "settings": settings,
        })
    }
}

/// The settings that differ, in the order of their table.
fn compared(
    settings: &'static [Setting],
    before: Option<&[Written]>,
    after: &[Written],
) -> Vec<Line> {
    let mut lines = Vec::new();
    for setting in settings {
        let value = |written: &[Written]| {
            let mut written = written.iter();
            let found = written.find(|(one, _)| one.name == setting.name);
            found.map(|(_, value)| value.clone())
        };
        let (from, to) = (before.and_then(value), value(after));
        if from == to {
            continue;
        }
        let shown = |value: Vec<u8>| match setting.is_secret {
            true => SECRET.to_owned(),
            false => String::from_utf8_lossy(&value).into_owned(),
        };
        lines.push(Line {
            setting: setting.name,
            from: from.map(shown),
            to: to.map(shown),
        });
    }
    lines
}

/// What is secret in a URL is hidden.
fn hide_url(lines: &mut [Line], held: Option<&NewEndpoint>, endpoint: &NewEndpoint) {
    if let Some(line) = lines.iter_mut().find(|line| line.setting == "url") {
        line.from = held.map(NewEndpoint::shown_url);
        line.to = Some(endpoint.shown_url());
    }
}
