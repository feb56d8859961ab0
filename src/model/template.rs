//! Templates: they make what is sent to an endpoint with format `template:FILE` from the event.
//!
//! Pure and bounded, in steps and in size. The text is stored with the endpoint, so the file is not needed
//! any more.

use std::fmt;
use std::sync::{Arc, LazyLock};

use minijinja::Environment;
use minijinja::value::Value;
use serde_json::{Value as Json, json};

use crate::error::{Error, Result};
use crate::model::header::holds_secret;
use crate::model::jinja::{Program, described, environment};
use crate::model::scope::{Scope, headers_value};
use crate::panics::catch_panic;

/// Maximum steps of a template on one event: a loop over a thousand commits takes ten thousand.
const FUEL: u64 = 100_000;

/// Longest template, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// The environment of all templates.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| environment(FUEL));

/// The default content type of the output.
pub const CONTENT_TYPE: &str = "application/json";

/// A checked template. Cheap to clone.
#[derive(Clone)]
pub struct Template(Arc<Compiled>);

struct Compiled {
    /// The name of the file that the template was read from.
    file: String,
    text: String,
    content_type: String,
}

/// What a template may use besides the data that filters use.
#[derive(Debug, Clone, Copy)]
pub struct Particulars<'a> {
    /// The event's outer id.
    pub id: &'a str,
    /// Its idempotency key.
    pub key: Option<&'a str>,
    /// When it was accepted, RFC 3339.
    pub received_at: &'a str,
    /// What the event says happened, in one line.
    pub summary: &'a str,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// [`Error::Misuse`] when its syntax is invalid, it is too long, or its content type cannot be sent in
    /// a header.
    pub fn parse(file: &str, text: &str, content_type: &str) -> Result<Template> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Error::misuse(format!(
                "template {file} is {} bytes, limit is {TEXT_BYTES_MAX}",
                text.len()
            )));
        }
        if http::HeaderValue::from_str(content_type).is_err() {
            return Err(Error::misuse(
                "the content type cannot stand in a header; write one such as application/json",
            ));
        }
        Program::template(text).map_err(|error| {
            let line = error.line().unwrap_or(1);
            Error::misuse(format!(
                "template {file}, line {line}: {}",
                described(&error)
            ))
        })?;
        Ok(Template(Arc::new(Compiled {
            file: file.to_owned(),
            text: text.to_owned(),
            content_type: content_type.to_owned(),
        })))
    }

    /// The content type of its output.
    pub fn content_type(&self) -> &str {
        &self.0.content_type
    }

    /// The name of the file that the template was read from.
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// The output for an event.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it fails, makes too much, or does not make JSON although the content type
    /// says so.
    ///
    /// ```
    /// use hookbox::model::scope::Scope;
    /// use hookbox::model::template::{Particulars, Template};
    /// let template = Template::parse("t", r#"{"text": {{ (body.ref ~ "!")|tojson }}}"#, "application/json")?;
    /// let scope = Scope::new("push", None, br#"{"ref":"main"}"#);
    /// let event = Particulars { id: "evt_x_1", key: None, received_at: "", summary: "push" };
    /// assert_eq!(template.render(&scope, event)?, br#"{"text": "main!"}"#);
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    pub fn render(&self, scope: &Scope<'_>, event: Particulars<'_>) -> Result<Vec<u8>> {
        let failed = |why: String| Error::misuse(format!("template {} failed: {why}", self.0.file));
        let mut context = scope.context();
        // The receiver must not get the producer's credentials.
        context.insert(
            "headers",
            headers_value(scope.headers, |name| !holds_secret(name)),
        );
        let body = scope
            .body_value()
            .map_err(|error| failed(described(&error)))?;
        context.insert("body", body);
        context.insert("id", Value::from(event.id));
        context.extend(event.key.map(|key| ("key", Value::from(key))));
        context.insert("received_at", Value::from(event.received_at));
        context.insert("summary", Value::from(event.summary));
        let run = || Program::template(&self.0.text)?.text(&ENVIRONMENT, context.into());
        let made = catch_panic(run)
            .map_err(failed)?
            .map_err(|error| match error.line() {
                Some(line) => failed(format!("line {line}: {}", described(&error))),
                None => failed(described(&error)),
            })?;
        let says_json = self.0.content_type.to_ascii_lowercase().contains("json");
        if says_json && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&made) {
            return Err(failed(format!(
                "what it makes is not JSON ({error}); write values as {{{{ value|tojson }}}}"
            )));
        }
        Ok(made.into_bytes())
    }

    /// The form that is stored: a JSON object.
    pub fn stored(&self) -> Json {
        json!({
            "file": self.0.file,
            "content_type": self.0.content_type,
            "text": self.0.text,
        })
    }

    /// Parses the output of [`Template::stored`].
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is not a template.
    pub fn from_stored(object: &Json) -> Result<Template> {
        let text = |name: &str| object[name].as_str().unwrap_or_default();
        Template::parse(text("file"), text("text"), text("content_type"))
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Template) -> bool {
        self.stored() == other.stored()
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({})", self.0.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Particulars<'static> = Particulars {
        id: "evt_x_7",
        key: Some("k1"),
        received_at: "2026-03-01T12:00:00.000Z",
        summary: "lighthouse/beacon: mira pushed 1 commit to main",
    };

    fn made(text: &str, content_type: &str) -> Result<String> {
        let headers = [
            ("X-Gogs-Event".to_owned(), "push".to_owned()),
            ("X-Gitee-Token".to_owned(), "hunter2".to_owned()),
        ];
        let scope = Scope {
            branch: Some("main"),
            headers: &headers,
            ..Scope::new(
                "push",
                Some("gogs"),
                br#"{"commits":[{"id":"c1"},{"id":"c2"}]}"#,
            )
        };
        let template = Template::parse("t.j2", text, content_type)?;
        let bytes = template.render(&scope, EVENT)?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_template_has_all_of_the_event_but_the_producers_credentials() {
        let text = "{{ id }} {{ key }} {{ type }} {{ source }} {{ branch }} {{ received_at }} {{ summary }} \
            {{ headers['x-gogs-event'] }} [{{ headers['X-Gitee-Token'] }}] \
            {% for commit in body.commits %}{{ commit.id }};{% endfor %}{{ body.absent.deeper }}";
        assert_eq!(
            made(text, "text/plain").unwrap(),
            "evt_x_7 k1 push gogs main 2026-03-01T12:00:00.000Z lighthouse/beacon: mira pushed 1 commit to main push [] c1;c2;"
        );
    }

    #[test]
    fn what_is_said_to_be_json_must_be() {
        let good = made(r#"{"text": {{ summary|tojson }}}"#, CONTENT_TYPE).unwrap();
        assert!(good.starts_with(r#"{"text": "lighthouse"#), "{good}");
        let bad = made(r#"{"text": {{ summary }}}"#, CONTENT_TYPE).unwrap_err();
        assert!(bad.to_string().contains("|tojson"), "{bad}");
        assert!(made(r#"{"text": {{ summary }}}"#, "text/plain").is_ok());
    }

    #[test]
    fn one_that_is_not_well_formed_or_does_too_much_says_where_and_why() {
        for (text, says) in [
            ("a\n{% if %}", "line 2"),
            ("{{ body|nofilter }}", "unknown filter"),
            ("{% include 'other' %}", "template"),
            ("{{ range(9) }}", "unknown function"),
        ] {
            let error = made(text, "text/plain").unwrap_err().to_string();
            assert!(
                error.contains(says) && error.contains("t.j2"),
                "{text}: {error}"
            );
        }
        let nested = "{% for a in body.commits %}".repeat(17) + &"{% endfor %}".repeat(17);
        let error = made(&nested, "text/plain").unwrap_err().to_string();
        assert!(error.contains("steps"), "{error}");
        let much = format!(
            "{{% for a in body.commits %}}{}{{% endfor %}}",
            "x".repeat(60_000)
        );
        assert!(made(&much, "text/plain").is_ok());
        let twenty = "{% for a in body.commits %}".repeat(5)
            + &"x".repeat(40_000)
            + &"{% endfor %}".repeat(5);
        let error = made(&twenty, "text/plain").unwrap_err().to_string();
        assert!(error.contains("more than 1048576 bytes"), "{error}");
        assert!(made(&"x".repeat(70_000), "text/plain").is_err());
        assert!(made("x", "a\nb").is_err());
    }
}
