//! Jinja expressions over an event: `--when`, and how a generic source finds type and key.
//!
//! They are pure and bounded: an expression that does too much fails, and always ends. This file must never
//! decide what a failure means; its callers do.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use minijinja::value::Value;
use minijinja::{Environment, Error as JinjaError, ErrorKind};

use crate::error::{Error, Result};
use crate::model::jinja::{Program, described, environment};
use crate::model::scope::{Scope, headers_value};
use crate::panics::catch_panic;

/// Maximum steps of an expression on one event; a typical expression takes ten to fifty.
const FUEL: u64 = 1_000;

/// Longest expression, in bytes.
const TEXT_BYTES_MAX: usize = 4_096;

/// The names that an expression may use.
const NAMES: [&str; 5] = ["type", "source", "branch", "headers", "body"];

/// The environment of all expressions.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| environment(FUEL));

/// A checked expression. Cheap to clone.
#[derive(Clone)]
pub struct Expression(Arc<Compiled>);

struct Compiled {
    text: String,
    asks_headers: bool,
    asks_body: bool,
    asks_fields: bool,
}

impl Expression {
    /// Parses an expression and tries it on an empty event.
    ///
    /// # Errors
    /// [`Error::Misuse`] when its syntax is invalid, or it uses a name that no event has.
    ///
    /// ```
    /// use hookbox::model::expression::Expression;
    /// use hookbox::model::scope::Scope;
    /// let merged = Expression::parse("type == 'pull_request' and body.pull_request.merged")?;
    /// let scope = Scope::new("pull_request", None, br#"{"pull_request":{"merged":true}}"#);
    /// assert_eq!(merged.holds(&scope), Ok(true));
    /// assert!(Expression::parse("bodi.merged").is_err());
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Expression> {
        check(text, &NAMES, "no event has")?;
        let expression = Expression(Arc::new(Compiled {
            text: text.to_owned(),
            // A text search, since the library does not report names inside a slice (`body.ref[:5]`).
            asks_headers: text.contains("headers"),
            asks_body: text.contains("body"),
            asks_fields: ["body.", "body['", "body[\""]
                .iter()
                .any(|of| text.contains(of)),
        }));
        match expression.run(&Scope::new("", None, b"{}")) {
            Err(error) if is_mistake(&error) => Err(bad(text, &described(&error))),
            _ => Ok(expression),
        }
    }

    /// Whether the expression is true for this event.
    ///
    /// # Errors
    /// Why it failed, in plain words.
    pub fn holds(&self, scope: &Scope<'_>) -> std::result::Result<bool, String> {
        self.run(scope)
            .map(|value| value.is_true())
            .map_err(|error| described(&error))
    }

    /// The text or number that it returns for this event; `None` when the result is neither, or empty.
    ///
    /// # Errors
    /// Why it failed, in plain words.
    pub fn text(&self, scope: &Scope<'_>) -> std::result::Result<Option<String>, String> {
        let value = self.run(scope).map_err(|error| described(&error))?;
        let text = match value.as_str() {
            Some(text) => text.trim().to_owned(),
            None if value.is_number() => value.to_string(),
            None => return Ok(None),
        };
        Ok((!text.is_empty()).then_some(text))
    }

    fn run(&self, scope: &Scope<'_>) -> std::result::Result<Value, JinjaError> {
        let mut context = scope.context();
        if self.0.asks_headers {
            context.insert("headers", headers_value(scope.headers, |_| true));
        }
        if self.0.asks_body {
            context.insert("body", scope.body_value()?);
            if self.0.asks_fields && scope.is_text() {
                let detail = "the body is text, which has no fields";
                return Err(JinjaError::new(ErrorKind::InvalidOperation, detail));
            }
        }
        value_of(&self.0.text, context)
    }
}

/// The value of a checked expression in this context.
///
/// It is compiled each time, which takes a few microseconds: the compiled form borrows the text, so it
/// cannot be stored with it.
///
/// # Errors
/// Why it failed.
pub(super) fn value_of(
    text: &str,
    context: BTreeMap<&'static str, Value>,
) -> std::result::Result<Value, JinjaError> {
    // A panic of the library is handled as any other failure, so the event passes.
    let run = || Program::expression(text)?.value(&ENVIRONMENT, context.into());
    catch_panic(run)
        .unwrap_or_else(|fault| Err(JinjaError::new(ErrorKind::InvalidOperation, fault)))
}

/// Checks an expression that may use these names, as far as this is possible without an event.
///
/// # Errors
/// [`Error::Misuse`] when it is too long, has invalid syntax, or uses other names.
pub(super) fn check(text: &str, names: &[&str], nothing_has: &str) -> Result<()> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::misuse(format!(
            "the expression is {} bytes, limit is {TEXT_BYTES_MAX}",
            text.len()
        )));
    }
    let cannot = |error| bad(text, &described(&error));
    Program::expression(text).map_err(cannot)?;
    let code = ENVIRONMENT.compile_expression(text).map_err(cannot)?;
    let asked = code.undeclared_variables(false);
    if let Some(unknown) = asked.iter().find(|name| !names.contains(&name.as_str())) {
        let why = format!("{nothing_has} `{unknown}`; there are {}", names.join(", "));
        return Err(bad(text, &why));
    }
    check_parts(text).map_err(cannot)
}

fn bad(text: &str, why: &str) -> Error {
    /// Maximum characters of a text that are shown.
    const SHOWN_MAX: usize = 200;
    let shown: String = text.chars().take(SHOWN_MAX).collect();
    let more = if shown.len() < text.len() { "..." } else { "" };
    Error::misuse(format!("`{shown}{more}` is not an expression: {why}"))
}

/// Whether it fails for every event.
fn is_mistake(error: &JinjaError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnknownFilter
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownMethod
            | ErrorKind::TooManyArguments
            | ErrorKind::MissingArgument
    )
}

/// Checks that every filter (`|name`) and test (`is name`) exists. The library looks them up only when it
/// reaches them, and the trial on an empty event does not reach what comes after an `and`.
fn check_parts(text: &str) -> std::result::Result<(), JinjaError> {
    let asked = Program::asks(text)?;
    let filters = asked.filters.iter().map(|name| format!("none|{name}"));
    let tests = asked.tests.iter().map(|name| format!("none is {name}"));
    for alone in filters.chain(tests) {
        let unknown = value_of(&alone, BTreeMap::new()).err().filter(|error| {
            matches!(
                error.kind(),
                ErrorKind::UnknownFilter | ErrorKind::UnknownTest
            )
        });
        unknown.map_or(Ok(()), Err)?;
    }
    Ok(())
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({})", self.0.text)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl std::str::FromStr for Expression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Expression> {
        Expression::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kind::SourceKind;
    use crate::model::scope::BODY_BYTES_MAX;

    const PUSH: &[u8] =
        br#"{"ref":"refs/heads/main","commits":[{"id":"c1"}],"pusher":{"name":"mira"}}"#;

    fn push() -> Scope<'static> {
        Scope::new("push", Some("gogs"), PUSH)
    }

    #[test]
    fn an_expression_may_ask_about_everything_that_an_event_has() {
        let headers = [("X-Gogs-Event".to_owned(), "push".to_owned())];
        let scope = Scope {
            branch: Some("main"),
            headers: &headers,
            ..push()
        };
        for (text, holds) in [
            ("type == 'push'", true),
            ("source == 'gogs' and branch == 'main'", true),
            ("headers['x-gogs-event'] == 'push'", true),
            ("headers['X-Gogs-Event'] == 'push'", true),
            ("headers['X-None'] is defined", false),
            ("body.commits|length == 1", true),
            ("body.absent|length > 0", false),
            ("body.absent.deeper|count == 0", true),
            ("body.pusher.name in ['tom', 'mira']", true),
            ("body.pull_request.merged", false),
            ("not body.pull_request.base.ref", true),
            ("body.ref[:11] == 'refs/heads/'", true),
            ("body['ref'][11:] == 'main'", true),
            ("headers['X-Gogs-Event'][:2] == 'pu'", true),
            ("body.ref is startingwith 'refs/heads/'", true),
            ("'ma' in branch and 'x' not in body.absent", true),
            ("(body.absent|fromjson).deeper", false),
        ] {
            let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(expression.holds(&scope), Ok(holds), "{text}");
        }
    }

    #[test]
    fn what_can_never_work_is_refused_when_it_is_set() {
        for (text, says) in [
            ("", "syntax"),
            ("type ==", "syntax"),
            ("typ == 'push'", "no event has `typ`"),
            ("body|frobnicate", "unknown filter"),
            ("body is odder", "unknown test"),
            ("type == 'push' and body|lenght > 0", "unknown filter"),
            ("type == 'x|y is z' and body.a is not odder", "unknown test"),
            ("body.ref.startswith('refs/')", "unknown method"),
            ("frobnicate(body)", "no event has `frobnicate`"),
            ("range(100000)|length", "no event has `range`"),
        ] {
            let error = Expression::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_body_is_values_fields_or_text() {
        let form = Some("application/x-www-form-urlencoded");
        for (content_type, kind, body, text) in [
            (form, None, "a=1&b=x+y", "body.b == 'x y'"),
            (
                form,
                Some(SourceKind::Gogs),
                "payload=%7B%22ref%22%3A%22main%22%7D",
                "body.ref == 'main'",
            ),
            (None, None, "<order id='7'/>", "'order' in body"),
            (None, None, "[1,2]", "body[1] == 2"),
            (
                None,
                None,
                r#"{"p":"{\"BRANCH\":\"main\"}"}"#,
                "(body.p|fromjson).BRANCH == 'main'",
            ),
        ] {
            let scope = Scope {
                content_type,
                kind,
                ..Scope::new("t", None, body.as_bytes())
            };
            let holds = Expression::parse(text).unwrap().holds(&scope);
            assert_eq!(holds, Ok(true), "{text}");
        }
    }

    #[test]
    fn one_that_does_too_much_fails_and_one_that_is_too_long_is_refused() {
        let sum = |terms| vec!["1"; terms].join("+");
        let too_much = vec!["body.a"; 550].join(",");
        let expression = Expression::parse(&format!("[{too_much}]")).unwrap();
        let error = expression.holds(&push()).unwrap_err();
        assert!(error.contains("steps"), "{error}");
        let error = Expression::parse(&sum(3_000)).unwrap_err().to_string();
        assert!(error.contains("limit is 4096"), "{error}");
        let deep = format!("{}1{}", "(".repeat(2_000), ")".repeat(2_000));
        assert!(Expression::parse(&deep).is_err());
    }

    #[test]
    fn a_text_is_what_is_text_or_number_and_not_empty() {
        let scope = Scope::new("t", None, br#"{"id":7,"name":" x ","list":[],"none":null}"#);
        for (text, expected) in [
            ("body.id", Some("7")),
            ("body.name", Some("x")),
            ("'order.' ~ body.name|trim", Some("order.x")),
            ("body.list", None),
            ("body.none", None),
            ("body.absent.deeper", None),
            ("'order.' ~ body.status if body.status", None),
            ("''", None),
        ] {
            let expression = Expression::parse(text).unwrap();
            let said = expression.text(&scope).unwrap();
            assert_eq!(said.as_deref(), expected, "{text}");
        }
        let failing = Expression::parse("body.name + 1").unwrap();
        assert!(failing.text(&scope).is_err());
    }

    #[test]
    fn a_body_that_is_too_large_to_read_is_said_to_be() {
        let body = vec![b' '; BODY_BYTES_MAX + 1];
        let scope = Scope::new("t", None, &body);
        let error = Expression::parse("body.a")
            .unwrap()
            .holds(&scope)
            .unwrap_err();
        assert!(error.contains("1048576"), "{error}");
        assert_eq!(
            Expression::parse("type == 't'").unwrap().holds(&scope),
            Ok(true)
        );
    }
}
