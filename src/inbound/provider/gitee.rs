//! Gitee: repository, enterprise and pipeline hooks, and the old form hooks.
//!
//! It covers the Test button and the form hooks of before 2019. Gitee sends no delivery id; the body
//! carries the time, so the body's hash is the key. The type comes from the body's `hook_name`, or else
//! from the header, which the Test button spells differently: `Push Hook` and `push_hooks` are both `push`.
//! A pipeline notification is recognised by its fields, since no header is documented for it.

use std::borrow::Cow;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Described, Received, When};
use crate::model::event::is_type;
use crate::model::lenient::{Object, Text, read};
use crate::signature::form::field;
use crate::signature::{Rejection, Secret, gitee};

#[derive(Default, Deserialize)]
struct Payload {
    #[serde(default)]
    hook_name: Text,
    #[serde(default)]
    password: Text,
    #[serde(default)]
    sign: Text,
    #[serde(default)]
    timestamp: Text,
    #[serde(default)]
    job: Object<Job>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    #[serde(default)]
    pipeline_id: Text,
    #[serde(default)]
    status_code: Text,
}

pub(super) fn verify(secret: &Secret, request: &Received<'_>, when: When) -> Result<(), Rejection> {
    if let Some(token) = request.header(gitee::HEADER) {
        let timestamp = request.header(gitee::TIMESTAMP_HEADER);
        return gitee::verify(secret, Some(token), timestamp, when.now, when.tolerance);
    }
    // The form hooks of before 2019 have no such header; the body holds the same value.
    let payload = payload(request);
    let token = payload.sign.0.or(payload.password.0);
    gitee::verify(
        secret,
        token.as_deref(),
        payload.timestamp.0.as_deref(),
        when.now,
        when.tolerance,
    )
}

pub(super) fn describe(request: &Received<'_>) -> Described {
    let key = format!("sha256:{}", hex::encode(Sha256::digest(request.body)));
    let payload = payload(request);
    let header = request.first_of(&["x-gitee-event", "x-git-oschina-event"]);
    let original = header.or(payload.hook_name.0.as_deref()).map(str::to_owned);
    let event_type = event_type(payload, header);
    Described::new(event_type, Some(key)).originally(original.as_deref())
}

fn event_type(payload: Payload, header: Option<&str>) -> Option<String> {
    if let Some(Job {
        pipeline_id: Text(Some(_)),
        status_code: Text(Some(status)),
    }) = payload.job.0
    {
        return Some(match status.as_str() {
            "SUCC" | "FAIL" | "CANCEL" | "SKIP" => {
                format!("pipeline.{}", status.to_ascii_lowercase())
            }
            _ => "pipeline".to_owned(),
        });
    }
    let named = payload.hook_name.0.filter(|name| is_type(name));
    let named = named.as_deref().or(header)?;
    Some(normalised(named)).filter(|name| is_type(name))
}

/// Normalises a type: `Merge Request Hook` and `merge_request_hooks` are both `merge_request`.
fn normalised(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace(' ', "_");
    let name = name
        .strip_suffix("_hooks")
        .or_else(|| name.strip_suffix("_hook"))
        .unwrap_or(&name);
    name.to_owned()
}

/// Returns the body's JSON, or the JSON in the field `hook` of a form hook.
fn payload(request: &Received<'_>) -> Payload {
    let body = match field(request.content_type(), request.body, "hook") {
        Some(json) => Cow::Owned(json.into_bytes()),
        None => Cow::Borrowed(request.body),
    };
    read(&body)
}
