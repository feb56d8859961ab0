//! Expectations: an expression over a reply that decides whether it is a success. Pure.
//!
//! By the standard a 2xx is a success (Standard Webhooks 1.0.0). But a network with a login page answers
//! 200, and so does a server that reports its errors with status 200: then only the content of the reply
//! shows what happened.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use minijinja::value::Value;

use super::json_value::{Numbers, json_value};
use crate::error::{Error, Result};
use crate::model::expression::{check, value_of};
use crate::model::header::Header;
use crate::model::jinja::described;
use crate::model::scope::headers_value;

/// The names that an expectation may use.
const NAMES: [&str; 4] = ["status", "headers", "body", "text"];

/// A checked expectation. Cheap to clone.
#[derive(Clone)]
pub struct Expect(Arc<Compiled>);

struct Compiled {
    text: String,
    asks_status: bool,
    asks_body: bool,
}

impl Expect {
    /// Whether the expectation applies to a reply with this status: to every reply if it uses `status`,
    /// otherwise to a 2xx.
    pub fn decides(&self, status: u16) -> bool {
        self.0.asks_status || (200..300).contains(&status)
    }

    /// Whether a reply is a success.
    ///
    /// # Errors
    /// The reason, in plain words: for example, the reply is not JSON but the expression uses one of its
    /// fields.
    ///
    /// ```
    /// use hookbox::model::expect::Expect;
    /// let expect: Expect = "body.result == 'accepted'".parse()?;
    /// assert_eq!(expect.is_met(200, &[], br#"{"result":"accepted"}"#), Ok(true));
    /// assert_eq!(expect.is_met(200, &[], br#"{"result":"no"}"#), Ok(false));
    /// assert!(expect.is_met(200, &[], b"<html>Sign in</html>").is_err());
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    pub fn is_met(
        &self,
        status: u16,
        headers: &[Header],
        body: &[u8],
    ) -> std::result::Result<bool, String> {
        let compiled = &self.0;
        let mut context = BTreeMap::from([
            ("status", Value::from(status)),
            ("headers", headers_value(headers, |_| true)),
            (
                "text",
                Value::from(String::from_utf8_lossy(body).into_owned()),
            ),
        ]);
        if compiled.asks_body {
            let value = json_value(body, Numbers::Compared)
                .map_err(|_| "the reply is not JSON; `text` has it as it came".to_owned())?;
            context.insert("body", value);
        }
        let value = value_of(&compiled.text, context).map_err(|error| described(&error))?;
        Ok(value.is_true())
    }
}

impl FromStr for Expect {
    type Err = Error;

    fn from_str(text: &str) -> Result<Expect> {
        check(text, &NAMES, "no reply has")?;
        let expect = Expect(Arc::new(Compiled {
            asks_status: text.contains("status"),
            asks_body: text.contains("body"),
            text: text.to_owned(),
        }));
        Ok(expect)
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expect({})", self.0.text)
    }
}

impl PartialEq for Expect {
    fn eq(&self, other: &Expect) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Expect {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_is_told_by_status_header_word_or_field() {
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        let body = br#"{"ok":true,"items":[{"id":20231128220145678901}]}"#;
        for (text, met) in [
            ("status in [200, 204]", true),
            ("status == 204", false),
            (
                "headers['Content-Type'] is startingwith 'application/json'",
                true,
            ),
            ("'\"ok\":true' in text", true),
            ("'nope' in text", false),
            ("body.ok", true),
            ("body.items[0].id == 20231128220145678901", true),
            ("body.absent", false),
        ] {
            let expect: Expect = text.parse().unwrap();
            assert_eq!(expect.is_met(200, &headers, body), Ok(met), "{text}");
            assert_eq!(expect.decides(500), text.contains("status"), "{text}");
            assert!(expect.decides(204), "{text}");
        }
        for bad in [
            "",
            "statu == 200",
            "body|odder",
            "body.ok and text is odder",
        ] {
            assert!(bad.parse::<Expect>().is_err(), "{bad}");
        }
    }
}
