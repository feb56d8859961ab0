//! Any sender that can POST: settings say where signature, type and key are.
//!
//! By default the type is in `X-Hookbox-Type` and the key in `X-Hookbox-Key`. With a secret,
//! `X-Hub-Signature-256` must be `sha256=` and the hex of HMAC-SHA256 over the body, the form that GitHub
//! made common. The body may be anything.

use sha2::{Digest, Sha256};

use super::{Described, Received};
use crate::model::event::{is_key, is_type};
use crate::model::large_body::on_large_body_pool;
use crate::model::scope::{Numbers, Scope};
use crate::model::source::Source;

pub(super) fn describe(request: &Received<'_>, source: &Source) -> Described {
    match source.generic.has_expressions() {
        true => on_large_body_pool(request.body.len(), || read(request, source)),
        false => read(request, source),
    }
}

fn read(request: &Received<'_>, source: &Source) -> Described {
    let scope = Scope {
        headers: request.headers,
        content_type: request.content_type(),
        numbers: Numbers::AsWritten,
        ..Scope::new("", Some(&source.name), request.body)
    };
    let rules = &source.generic;
    // A sender that uses hookbox's own headers gets an error if they are wrong. A value that is read from
    // elsewhere is not the sender's fault, so nothing is refused for it.
    let mut problems = Vec::new();
    let mut told = |what, read: Result<Option<String>, String>| {
        read.unwrap_or_else(|error| {
            let source = source.name.as_str();
            tracing::warn!(source, what, error, "source.expression_failed");
            problems.push(format!("{what}: {error}"));
            None
        })
    };
    let event_type = told("type", rules.event_type(&scope))
        .filter(|name| rules.type_from.is_none() || is_type(name));
    let key = told("key", rules.key(&scope)).map(|key| match rules.key_from {
        Some(_) if !is_key(&key) => format!("sha256:{}", hex::encode(Sha256::digest(&key))),
        _ => key,
    });
    Described {
        problem: (!problems.is_empty()).then(|| problems.join("; ")),
        ..Described::new(event_type, key)
    }
}
