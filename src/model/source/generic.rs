//! How a generic source reads its requests: where the signature, the type and the key are.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::model::expression::Expression;
use crate::model::scope::Scope;
use crate::signature::generic::{Rules, check_header};

/// The default header of the type.
pub const TYPE_HEADER: &str = "X-Hookbox-Type";

/// The default header of the key.
pub const KEY_HEADER: &str = "X-Hookbox-Key";

/// How a generic source reads its requests.
#[derive(Debug, Clone, Default)]
pub struct GenericRules {
    /// Where the signature is and how it is made.
    pub signature: Rules,
    /// Where the type is; `None` for [`TYPE_HEADER`].
    pub type_from: Option<Origin>,
    /// Where the key is; `None` for [`KEY_HEADER`].
    pub key_from: Option<Origin>,
    /// How the secret is sent, if it does not sign.
    pub auth: Option<SenderAuth>,
    /// The request that a sender makes before it sends events.
    pub handshake: Option<Handshake>,
    /// The sender that these rules are for.
    pub preset: Option<Preset>,
}

/// How a sender sends the secret itself. This proves who the sender is, but not that the body is
/// unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderAuth {
    /// `Authorization: Basic`, with this user name (RFC 7617); the secret is the password.
    Basic(String),
    /// `Authorization: Bearer` (RFC 6750).
    Bearer,
    /// As the value of this header.
    Header(String),
}

impl fmt::Display for SenderAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SenderAuth::Basic(user) => write!(f, "basic:{user}"),
            SenderAuth::Bearer => f.write_str("bearer"),
            SenderAuth::Header(name) => write!(f, "header:{name}"),
        }
    }
}

impl FromStr for SenderAuth {
    type Err = Error;

    fn from_str(text: &str) -> Result<SenderAuth> {
        match text.split_once(':') {
            Some(("basic", user)) if !user.is_empty() && !user.contains(':') => {
                Ok(SenderAuth::Basic(user.to_owned()))
            }
            Some(("header", name)) => {
                check_header(name).map(|()| SenderAuth::Header(name.to_owned()))
            }
            None if text == "bearer" => Ok(SenderAuth::Bearer),
            _ => Err(Error::misuse(format!(
                "`{text}` is not a way in which a sender shows the secret; basic:USER, bearer, header:NAME or none"
            ))),
        }
    }
}

/// A request that a sender makes once, to check that the receiver wants its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// Slack: a POST of type `url_verification`; its `challenge` is sent back.
    Slack,
    /// A GET with `challenge` or `hub.challenge` in its query (WebSub, section 5.3); the value is
    /// sent back.
    Challenge,
    /// Microsoft Graph: a request with `validationToken` in its query; the value is sent back.
    Microsoft,
    /// CloudEvents: an OPTIONS with `WebHook-Request-Origin`; the origin is allowed.
    Cloudevents,
}

names!(Handshake, "handshake":
    Slack = "slack",
    Challenge = "challenge",
    Microsoft = "microsoft",
    Cloudevents = "cloudevents",
);

/// A known sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Bitbucket Cloud.
    Bitbucket,
    /// Stripe.
    Stripe,
    /// Slack's Events API.
    Slack,
    /// Grafana's alerting.
    Grafana,
    /// Prometheus' Alertmanager.
    Alertmanager,
    /// Sentry's integrations.
    Sentry,
    /// Shopify.
    Shopify,
}

names!(Preset, "preset":
    Bitbucket = "bitbucket",
    Stripe = "stripe",
    Slack = "slack",
    Grafana = "grafana",
    Alertmanager = "alertmanager",
    Sentry = "sentry",
    Shopify = "shopify",
);

/// Where a text comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A header of this name.
    Header(String),
    /// The result of this expression on the request.
    Expression(Expression),
}

impl Origin {
    /// Checks the name of a header.
    ///
    /// # Errors
    /// [`Error::Misuse`](crate::Error::Misuse) when it is not a valid header name (RFC 9110,
    /// section 5.1).
    pub fn header(name: &str) -> Result<Origin> {
        check_header(name).map(|()| Origin::Header(name.to_owned()))
    }

    /// The text, if the request has one.
    fn text(&self, scope: &Scope<'_>) -> std::result::Result<Option<String>, String> {
        match self {
            Origin::Header(name) => Ok(scope.header(name).map(str::to_owned)),
            Origin::Expression(expression) => expression.text(scope),
        }
    }
}

impl GenericRules {
    /// Whether an expression gives the type or the key.
    pub fn has_expressions(&self) -> bool {
        let mut origins = self.type_from.iter().chain(&self.key_from);
        origins.any(|origin| matches!(origin, Origin::Expression(_)))
    }

    /// The type of a request.
    ///
    /// # Errors
    /// The error of its expression.
    pub fn event_type(&self, scope: &Scope<'_>) -> std::result::Result<Option<String>, String> {
        read(self.type_from.as_ref(), TYPE_HEADER, scope)
    }

    /// The key of a request.
    ///
    /// # Errors
    /// The error of its expression.
    pub fn key(&self, scope: &Scope<'_>) -> std::result::Result<Option<String>, String> {
        read(self.key_from.as_ref(), KEY_HEADER, scope)
    }

    /// The form that is stored and shown: one JSON object, without what is not set.
    pub fn json(&self) -> Value {
        let mut object = Map::new();
        self.signature.put(&mut object);
        let mut put = |name: String, text: String| object.insert(name, text.into());
        for (what, origin) in [("type", &self.type_from), ("key", &self.key_from)] {
            match origin {
                None => {}
                Some(Origin::Header(name)) => {
                    put(format!("{what}_header"), name.clone());
                }
                Some(Origin::Expression(expression)) => {
                    put(format!("{what}_expr"), expression.to_string());
                }
            }
        }
        let mut put = |name: &str, text: Option<String>| {
            object.extend(text.map(|text| (name.to_owned(), text.into())));
        };
        put("auth", self.auth.as_ref().map(SenderAuth::to_string));
        put("handshake", self.handshake.map(|one| one.name().to_owned()));
        put("preset", self.preset.map(|one| one.name().to_owned()));
        Value::Object(object)
    }

    /// Parses the output of [`GenericRules::json`].
    ///
    /// # Errors
    /// [`Error::Misuse`](crate::Error::Misuse) when a value is invalid.
    pub fn from_json(value: &Value) -> Result<GenericRules> {
        let text = |name: &str| value[name].as_str();
        let mut rules = GenericRules {
            signature: Rules::from_json(value)?,
            ..GenericRules::default()
        };
        let origin = |header: &str, expression: &str| match (text(header), text(expression)) {
            (Some(name), _) => Origin::header(name).map(Some),
            (None, Some(text)) => Expression::parse(text).map(|e| Some(Origin::Expression(e))),
            (None, None) => Ok(None),
        };
        rules.type_from = origin("type_header", "type_expr")?;
        rules.key_from = origin("key_header", "key_expr")?;
        rules.auth = text("auth").map(str::parse).transpose()?;
        rules.handshake = text("handshake").map(str::parse).transpose()?;
        rules.preset = text("preset").and_then(|name| name.parse().ok());
        Ok(rules)
    }

    /// Whether every value is the default.
    pub fn is_default(&self) -> bool {
        self.json().as_object().is_none_or(Map::is_empty)
    }
}

fn read(
    origin: Option<&Origin>,
    usual: &str,
    scope: &Scope<'_>,
) -> std::result::Result<Option<String>, String> {
    match origin {
        Some(origin) => origin.text(scope),
        None => Ok(scope.header(usual).map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::digest::{Algorithm, Encoding};

    #[test]
    fn rules_are_read_as_they_were_written() {
        assert!(GenericRules::default().is_default());
        let rules = GenericRules {
            signature: Rules {
                header: "X-Sig".into(),
                algorithm: Algorithm::Sha512,
                encoding: Encoding::Base64,
                ..Rules::default()
            },
            type_from: Some(Origin::Expression(
                "'order.' ~ body.status".parse().unwrap(),
            )),
            key_from: Some(Origin::header("X-Request-Id").unwrap()),
            auth: Some("basic:mira".parse().unwrap()),
            handshake: Some(Handshake::Challenge),
            preset: None,
        };
        assert!(!rules.is_default());
        let again = GenericRules::from_json(&rules.json()).unwrap();
        assert_eq!(again.json(), rules.json());
        assert_eq!(again.signature, rules.signature);
        assert!(Origin::header("X Sig").is_err());
    }
}
