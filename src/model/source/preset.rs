//! Known senders: how each signs, and where its type and key are, as rules for kind `generic`. Explicit
//! settings override these rules.

use std::str::FromStr;

use super::generic::{GenericRules, Origin, Preset, SenderAuth};
use crate::error::{Error, Result};
use crate::model::expression::Expression;
use crate::model::kind::SourceKind;
use crate::signature::digest::Encoding;
use crate::signature::generic::{Over, Rules};

impl Preset {
    /// The rules for its requests, from the sender's own documentation.
    pub fn rules(self) -> GenericRules {
        let header = |name: &str| Some(Origin::Header(name.to_owned()));
        let says = |text: &str| {
            let expression = Expression::parse(text).expect("an expression of ours is one");
            Some(Origin::Expression(expression))
        };
        let over = |text: &str| -> Over { text.parse().expect("a text of ours is one") };
        let signed = |name: &'static str| Rules {
            header: name.into(),
            ..Rules::default()
        };
        let mut rules = match self {
            // Bitbucket, "Secure webhooks" and "Event payloads".
            Preset::Bitbucket => GenericRules {
                signature: signed("X-Hub-Signature"),
                type_from: header("X-Event-Key"),
                key_from: header("X-Request-UUID"),
                ..GenericRules::default()
            },
            // Stripe, "Resolve webhook signature verification errors": t=...,v1=..., over time and body.
            Preset::Stripe => GenericRules {
                signature: Rules {
                    prefix: "v1=".to_owned(),
                    over: over("{timestamp}.{body}"),
                    timestamp_header: Some("Stripe-Signature".into()),
                    ..signed("Stripe-Signature")
                },
                type_from: says("body.type"),
                key_from: says("body.id"),
                ..GenericRules::default()
            },
            // Slack, "Verifying requests from Slack".
            Preset::Slack => GenericRules {
                signature: Rules {
                    prefix: "v0=".to_owned(),
                    over: over("v0:{timestamp}:{body}"),
                    timestamp_header: Some("X-Slack-Request-Timestamp".into()),
                    ..signed("X-Slack-Signature")
                },
                type_from: says("body.event.type if body.event.type else body.type"),
                key_from: says("body.event_id"),
                ..GenericRules::default()
            },
            // Grafana, "Configure webhook notifications", HMAC signature.
            Preset::Grafana => GenericRules {
                signature: signed("X-Grafana-Alerting-Signature"),
                type_from: says("'alert.' ~ body.status if body.status"),
                ..GenericRules::default()
            },
            // Alertmanager, `http_config` with `authorization`: it signs nothing.
            Preset::Alertmanager => GenericRules {
                auth: Some(SenderAuth::Bearer),
                type_from: says("'alert.' ~ body.status if body.status"),
                ..GenericRules::default()
            },
            // Sentry, "Webhooks", headers.
            Preset::Sentry => GenericRules {
                signature: signed("Sentry-Hook-Signature"),
                type_from: says(
                    "headers['Sentry-Hook-Resource'] ~ '.' ~ body.action if body.action else headers['Sentry-Hook-Resource']",
                ),
                key_from: header("Request-ID"),
                ..GenericRules::default()
            },
            // Shopify, "Verify the origin of a webhook".
            Preset::Shopify => GenericRules {
                signature: Rules {
                    encoding: Encoding::Base64,
                    ..signed("X-Shopify-Hmac-Sha256")
                },
                type_from: header("X-Shopify-Topic"),
                key_from: header("X-Shopify-Webhook-Id"),
                ..GenericRules::default()
            },
        };
        rules.preset = Some(self);
        rules
    }
}

/// What `--kind` may name: a kind, or a preset of kind `generic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderKind {
    /// A kind.
    Kind(SourceKind),
    /// A preset.
    Preset(Preset),
}

impl SenderKind {
    /// That of a source: its preset, where it has one.
    pub(crate) fn of(kind: SourceKind, preset: Option<Preset>) -> SenderKind {
        preset.map_or(SenderKind::Kind(kind), SenderKind::Preset)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            SenderKind::Kind(kind) => kind.name(),
            SenderKind::Preset(preset) => preset.name(),
        }
    }

    /// All names of kinds and presets.
    pub fn names() -> Vec<&'static str> {
        let kinds = SourceKind::ALL.into_iter().map(SourceKind::name);
        kinds.chain(Preset::ALL.map(Preset::name)).collect()
    }
}

impl FromStr for SenderKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<SenderKind> {
        if let Ok(preset) = text.parse() {
            return Ok(SenderKind::Preset(preset));
        }
        text.parse().map(SenderKind::Kind).map_err(|_| {
            let names = SenderKind::names().join(", ");
            Error::misuse(format!("unknown source kind `{text}`; one of {names}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_every_preset_are_stored_and_read_again() {
        for preset in Preset::ALL {
            let rules = preset.rules();
            let again = GenericRules::from_json(&rules.json()).unwrap();
            assert_eq!(again.json(), rules.json(), "{}", preset.name());
            assert_eq!(again.preset, Some(preset));
            assert_eq!(
                preset.name().parse::<SenderKind>().unwrap(),
                SenderKind::Preset(preset)
            );
        }
        let error = "strype".parse::<SenderKind>().unwrap_err().to_string();
        assert!(
            error.contains("gogs") && error.contains("stripe"),
            "{error}"
        );
    }
}
