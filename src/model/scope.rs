//! What of an event filters, expressions and templates may ask about.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Object, Value};
use minijinja::{Error as JinjaError, ErrorKind};

use crate::model::activity::json_of;
use crate::model::header::{Header, first_value};
use crate::model::kind::SourceKind;
use crate::signature::form::is_form;

/// Largest body that an expression reads, in bytes: as values it takes up to twenty-five times as
/// much memory.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What of an event filters and expressions may ask about.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    /// What kind of fact.
    pub event_type: &'a str,
    /// The name of its source.
    pub source: Option<&'a str>,
    /// The kind of that source, which says where a form body keeps its JSON.
    pub kind: Option<SourceKind>,
    /// The short name of the branch or tag that it is about.
    pub branch: Option<&'a str>,
    /// The producer's headers.
    pub headers: &'a [Header],
    /// The producer's content type.
    pub content_type: Option<&'a str>,
    /// The exact bytes.
    pub body: &'a [u8],
    /// The body as a value, once somebody asked.
    pub(crate) parsed: OnceCell<Value>,
}

impl<'a> Scope<'a> {
    /// A scope with nothing but type, source and body.
    pub fn new(event_type: &'a str, source: Option<&'a str>, body: &'a [u8]) -> Scope<'a> {
        Scope {
            event_type,
            source,
            kind: None,
            branch: None,
            headers: &[],
            content_type: None,
            body,
            parsed: OnceCell::new(),
        }
    }

    /// The first value of a header, trimmed; `None` when it is absent or empty.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        first_value(self.headers, name)
    }

    /// Type, source and branch, by the names that expressions and templates have for them. What is
    /// not there is undefined, not none: nothing can be looked up in none.
    pub(super) fn context(&self) -> BTreeMap<&'static str, Value> {
        let mut context = BTreeMap::from([("type", Value::from(self.event_type))]);
        context.extend(self.source.map(|name| ("source", Value::from(name))));
        context.extend(self.branch.map(|name| ("branch", Value::from(name))));
        context
    }

    /// The headers whose names are let through.
    pub(super) fn headers_value(&self, passes: fn(&str) -> bool) -> Value {
        let headers = self.headers.iter().filter(|(name, _)| passes(name));
        Value::from_object(Headers(headers.cloned().collect()))
    }

    /// The body: JSON as its values (also where a form hook wraps it), another form as its fields,
    /// anything else as text.
    pub(super) fn body_value(&self) -> std::result::Result<Value, JinjaError> {
        if self.body.len() > BODY_BYTES_MAX {
            let detail = format!(
                "the body is {} bytes, expressions read {BODY_BYTES_MAX} at most",
                self.body.len()
            );
            return Err(JinjaError::new(ErrorKind::InvalidOperation, detail));
        }
        let parsed = self.parsed.get_or_init(|| {
            let json = json_of(self.kind, self.content_type, self.body);
            if let Ok(value) = serde_json::from_slice::<Value>(&json) {
                return value;
            }
            if is_form(self.content_type) {
                let fields = form_urlencoded::parse(self.body).into_owned();
                return Value::from(fields.collect::<BTreeMap<String, String>>());
            }
            Value::from(String::from_utf8_lossy(self.body).into_owned())
        });
        Ok(parsed.clone())
    }
}

/// Headers by name, in whatever case; the first of a name counts.
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
