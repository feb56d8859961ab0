//! The data of an event that filters, expressions and templates may use.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Object, Value};
use minijinja::{Error as JinjaError, ErrorKind};

use crate::model::activity::json_of;
use crate::model::header::{Header, first_value};
pub use crate::model::json_value::Numbers;
use crate::model::json_value::json_value;
use crate::model::kind::SourceKind;
use crate::signature::form::is_form;

/// Maximum body that an expression reads, in bytes: as values it needs up to twenty-five times as
/// much memory.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The data of an event that filters and expressions may use.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    /// The event's type.
    pub event_type: &'a str,
    /// The name of its source.
    pub source: Option<&'a str>,
    /// The kind of that source: it decides in which field a form body has its JSON.
    pub kind: Option<SourceKind>,
    /// The short name of the branch or tag that the event is about.
    pub branch: Option<&'a str>,
    /// The producer's headers.
    pub headers: &'a [Header],
    /// The producer's content type.
    pub content_type: Option<&'a str>,
    /// The exact bytes.
    pub body: &'a [u8],
    /// What the body's numbers are used for.
    pub numbers: Numbers,
    /// The body as a value, after the first use; or why it cannot be one.
    pub(crate) parsed: OnceCell<std::result::Result<Value, String>>,
}

impl<'a> Scope<'a> {
    /// A scope with only type, source and body.
    pub fn new(event_type: &'a str, source: Option<&'a str>, body: &'a [u8]) -> Scope<'a> {
        Scope {
            event_type,
            source,
            kind: None,
            branch: None,
            headers: &[],
            content_type: None,
            body,
            numbers: Numbers::default(),
            parsed: OnceCell::new(),
        }
    }

    /// The first value of a header, trimmed; `None` when it is absent or empty.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        first_value(self.headers, name)
    }

    /// Type, source and branch, by the names that expressions and templates use. A missing one is
    /// undefined, not none: a lookup inside none is an error.
    pub(super) fn context(&self) -> BTreeMap<&'static str, Value> {
        let mut context = BTreeMap::from([("type", Value::from(self.event_type))]);
        context.extend(self.source.map(|name| ("source", Value::from(name))));
        context.extend(self.branch.map(|name| ("branch", Value::from(name))));
        context
    }

    /// The body as a value: JSON as its values (also inside a form hook), another form as its
    /// fields, anything else as text.
    ///
    /// # Errors
    /// When it is too large, or looks like JSON and cannot be parsed.
    pub(super) fn body_value(&self) -> std::result::Result<Value, JinjaError> {
        let bad = |detail: String| JinjaError::new(ErrorKind::InvalidOperation, detail);
        if self.body.len() > BODY_BYTES_MAX {
            return Err(bad(format!(
                "the body is {} bytes, expressions read {BODY_BYTES_MAX} at most",
                self.body.len()
            )));
        }
        let parsed = self.parsed.get_or_init(|| self.read());
        parsed.clone().map_err(bad)
    }

    fn read(&self) -> std::result::Result<Value, String> {
        let json = json_of(self.kind, self.content_type, self.body);
        let fault = match json_value(&json, self.numbers) {
            Ok(value) => return Ok(value),
            Err(fault) => fault,
        };
        if is_form(self.content_type) && !self.looks_like_json() {
            let fields = form_urlencoded::parse(self.body).into_owned();
            return Ok(Value::from(fields.collect::<BTreeMap<String, String>>()));
        }
        if self.should_be_json() || is_form(self.content_type) {
            return Err(format!("the body cannot be read as JSON: {fault}"));
        }
        Ok(Value::from(String::from_utf8_lossy(self.body).into_owned()))
    }

    /// Whether the body should be JSON: by its content type, or, without one, by its beginning.
    fn should_be_json(&self) -> bool {
        match self.content_type {
            Some(content_type) => content_type.to_ascii_lowercase().contains("json"),
            None => self.looks_like_json(),
        }
    }

    /// Whether the body begins like JSON. `curl -d` sends it as a form by default.
    fn looks_like_json(&self) -> bool {
        let mut bytes = self.body.iter().filter(|byte| !byte.is_ascii_whitespace());
        matches!(bytes.next(), Some(b'{' | b'['))
    }

    /// Whether the body is text, which has no fields.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.parsed.get(), Some(Ok(value)) if value.as_str().is_some())
    }
}

/// The headers whose names pass, as a value.
pub(super) fn headers_value(headers: &[Header], passes: fn(&str) -> bool) -> Value {
    let headers = headers.iter().filter(|(name, _)| passes(name));
    Value::from_object(Headers(headers.cloned().collect()))
}

/// Headers by name, in any letter case; the first one of a name is used.
#[derive(Debug)]
struct Headers(Vec<Header>);

impl Object for Headers {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let of_name = self
            .0
            .iter()
            .find(|(held, _)| held.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| Value::from(value.as_str()))
    }
}
