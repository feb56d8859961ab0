//! The JSON API under `/api/v1/`: one table of operations.
//!
//! Both the dispatch and `/openapi.json` are made from the table. Lists are read by cursor, and errors are
//! problem+json (RFC 9457). A POST with a known `Idempotency-Key` gets the first response again and does
//! nothing.

mod alerts;
mod endpoints;
mod events;
mod openapi;
mod replays;
mod schema;
mod sources;
mod upkeep;

use std::time::Duration;

use serde_json::{Map, Value, json};
use tiny_http::Method;

use super::reply::Reply;
use crate::error::{Error, Result};
use crate::model::id::BoxId;
use crate::model::settings::{self, Listing, Selection, Setting};
use crate::signature::Secret;
use crate::store::{PAGE_DEFAULT, PAGE_MAX, Store};
use crate::time::{Clock, Timestamp, parse_span};

pub(super) use openapi::document;
use schema::{Field, Kind, Schema};

/// The path prefix of the API.
pub(super) const PREFIX: &str = "/api/v1";

/// The context of one operation.
pub(super) struct Call<'a> {
    pub(super) store: &'a Store,
    pub(super) clock: &'a dyn Clock,
    pub(super) now: Timestamp,
    /// Who asks, for the record.
    pub(super) who: String,
    /// The values of the path's placeholders, in order.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Map<String, Value>,
}

/// The body of a request.
#[derive(Clone, Copy)]
pub(super) enum Input {
    Nothing,
    /// These fields; the first ones, up to the number, are required.
    Fields(&'static [Field], usize),
    /// Required texts, and settings.
    Settings(&'static [&'static str], &'static [Setting]),
}

/// The response to a successful request.
#[derive(Clone, Copy)]
pub(super) enum Output {
    One(Schema),
    /// A page of a list.
    Page(Schema),
    /// Bytes.
    Bytes,
}

/// One operation of the API.
pub(super) struct Operation {
    method: &'static str,
    path: &'static str,
    id: &'static str,
    help: &'static str,
    query: &'static [Setting],
    input: Input,
    output: Output,
    /// 200, or 201 if something is created.
    status: u16,
    run: fn(&Call<'_>) -> Result<Value>,
}

impl Operation {
    /// Whether it changes nothing.
    pub(super) fn is_safe(&self) -> bool {
        self.method == "GET"
    }
}

/// Returns all operations.
fn operations() -> impl Iterator<Item = &'static Operation> {
    upkeep::OPERATIONS
        .iter()
        .chain(events::OPERATIONS)
        .chain(endpoints::OPERATIONS)
        .chain(sources::OPERATIONS)
        .chain(alerts::OPERATIONS)
        .chain(replays::OPERATIONS)
}

/// What a method and a path ask for.
pub(super) enum Asked {
    /// This operation, with the values of the path's placeholders.
    One(&'static Operation, Vec<String>),
    /// The path exists but not with this method; these methods are allowed.
    Method(Vec<&'static str>),
    /// There is no such path.
    Nothing,
}

/// Finds the operation; `path` begins after the prefix.
pub(super) fn find(method: &Method, path: &str) -> Asked {
    let method = match method {
        // The server itself cuts the body of a response to a HEAD.
        Method::Head => "GET".to_owned(),
        other => other.to_string(),
    };
    let mut allowed = Vec::new();
    for operation in operations() {
        let Some(parts) = matches(operation.path, path) else {
            continue;
        };
        if operation.method == method {
            return Asked::One(operation, parts);
        }
        allowed.push(operation.method);
    }
    if allowed.is_empty() {
        Asked::Nothing
    } else {
        Asked::Method(allowed)
    }
}

/// Returns the values of a template's placeholders, if the path matches the template.
fn matches(template: &str, path: &str) -> Option<Vec<String>> {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    let mut parts = Vec::new();
    loop {
        match (template.next(), path.next()) {
            (None, None) => return Some(parts),
            (Some(wanted), Some(part)) if wanted.starts_with('{') && !part.is_empty() => {
                let part = percent_encoding::percent_decode_str(part).decode_utf8();
                parts.push(part.ok()?.into_owned());
            }
            (Some(wanted), Some(part)) if wanted == part => {}
            _ => return None,
        }
    }
}

/// Performs an operation.
pub(super) fn run(operation: &Operation, call: &Call<'_>) -> Result<Reply> {
    check_names(operation, call)?;
    let value = (operation.run)(call)?;
    Ok(match operation.output {
        Output::One(_) | Output::Page(_) => Reply::json(operation.status, &value),
        Output::Bytes => {
            let id = call.box_id().parse_event(call.part(0))?;
            let name = format!("{}.body", call.box_id().event(id));
            Reply::download(&name, call.store.event_body(id)?)
        }
    })
}

/// Reports a misspelled parameter or field, instead of ignoring it.
fn check_names(operation: &Operation, call: &Call<'_>) -> Result<()> {
    let known = |name: &str| operation.query.iter().any(|one| one.name == name);
    if let Some((name, _)) = call.query.iter().find(|(name, _)| !known(name)) {
        return Err(Error::misuse(format!(
            "there is no parameter `{name}` here"
        )));
    }
    let fields = openapi::field_names(operation.input);
    if let Some(name) = call
        .body
        .keys()
        .find(|name| !fields.contains(&name.as_str()))
    {
        return Err(Error::misuse(format!("there is no field `{name}` here")));
    }
    Ok(())
}

impl Call<'_> {
    fn box_id(&self) -> &BoxId {
        self.store.box_id()
    }

    /// Returns the value of one placeholder of the path.
    fn part(&self, index: usize) -> &str {
        self.path.get(index).map_or("", String::as_str)
    }

    fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(held, _)| held == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Reads which rows the query asks for.
    fn asked(&self, listing: Listing) -> Result<Selection> {
        let pairs = self.query.iter().filter(|(name, _)| name != LIMIT.name);
        let pairs: Vec<(String, String)> = pairs.cloned().collect();
        Selection::read(listing, &pairs, self.box_id(), self.now)
    }

    /// Returns the number of rows asked for.
    fn limit(&self) -> Result<usize> {
        match self.query("limit") {
            None => Ok(PAGE_DEFAULT),
            Some(text) => match text.parse() {
                Ok(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
                _ => Err(Error::misuse(format!("limit is 1 to {PAGE_MAX}"))),
            },
        }
    }

    /// Returns a text field of the body.
    fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::misuse(format!("{name} is a text"))),
        }
    }

    fn required(&self, name: &str) -> Result<&str> {
        self.text(name)?
            .ok_or_else(|| Error::misuse(format!("{name} is missing")))
    }

    fn flag(&self, name: &str) -> Result<bool> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Error::misuse(format!("{name} is true or false"))),
        }
    }

    fn number(&self, name: &str) -> Result<Option<i64>> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_i64();
                let number = number.ok_or_else(|| Error::misuse(format!("{name} is a number")))?;
                Ok(Some(number))
            }
        }
    }

    /// Returns the new secret, and how long the old secret is still valid.
    fn new_secret(&self) -> Result<(Secret, Duration)> {
        let secret = Secret::new(self.required("secret")?)?;
        let overlap = parse_span(self.text("overlap")?.unwrap_or("24h"))?;
        Ok((secret, overlap))
    }

    /// Returns the settings in the body as texts: lists are joined, and null means the default.
    fn settings(&self, but_for: &[&str]) -> Result<Vec<(String, String)>> {
        let given = self.body.iter();
        given
            .filter(|(name, _)| !but_for.contains(&name.as_str()))
            .map(|(name, value)| Ok((name.clone(), as_text(name, value)?)))
            .collect()
    }
}

fn as_text(name: &str, value: &Value) -> Result<String> {
    let bad = || {
        Error::misuse(format!(
            "{name} is a text, a number, true or false, or a list of texts"
        ))
    };
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Array(items) => {
            let texts = items.iter().map(|item| item.as_str().ok_or_else(bad));
            // Headers are joined by line breaks, other lists by commas.
            let separator = if name == "headers" { "\n" } else { "," };
            Ok(texts.collect::<Result<Vec<&str>>>()?.join(separator))
        }
        Value::Object(_) => Err(bad()),
    }
}

/// Makes a page of a list; `next` is the cursor of the next page.
fn page(items: Vec<Value>, next: Option<String>) -> Value {
    json!({ "items": items, "next": next })
}

/// The fields of a secret rotation.
const ROTATE: &[Field] = &[
    Field("secret", Kind::Text, false),
    Field("overlap", Kind::Text, true),
];

const LIMIT: Setting = parameter(settings::Kind::Number, "limit", "Rows of a page: 1 to 1000");

const CURSOR: Setting = parameter(
    settings::Kind::Text,
    "cursor",
    "Go on here: `next` of the page before",
);

const fn parameter(kind: settings::Kind, name: &'static str, help: &'static str) -> Setting {
    settings::row(kind, "", name, "", "", help)
}

/// The parameters of a list: its conditions, and which page of it.
const fn page_of<const N: usize>(listing: Listing) -> [Setting; N] {
    let conditions = listing.conditions();
    assert!(conditions.len() + 2 == N);
    let mut parameters = [CURSOR; N];
    parameters.split_at_mut(N - 2).0.copy_from_slice(conditions);
    parameters[N - 2] = LIMIT;
    parameters
}
