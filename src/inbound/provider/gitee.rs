//! Gitee: repository, enterprise and pipeline hooks, and the old form hooks.
//!
//! It covers the Test button and the form hooks of before 2019. Gitee sends no delivery id; the body
//! carries the time, so the body's hash is the key. The type comes from the body's `hook_name`, or else
//! from the header, which the Test button spells differently: `Push Hook` and `push_hooks` are both `push`.
//! A pipeline notification is recognised by its fields, since no header is documented for it.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::{Described, Received, When};
use crate::model::event::is_type;
use crate::model::lenient::{self, Tree};
use crate::signature::form::field;
use crate::signature::{Rejection, Secret, gitee};

pub(super) fn verify(secret: &Secret, request: &Received<'_>, when: When) -> Result<(), Rejection> {
    if let Some(token) = request.header(gitee::HEADER) {
        let timestamp = request.header(gitee::TIMESTAMP_HEADER);
        return gitee::verify(secret, Some(token), timestamp, when.now, when.tolerance);
    }
    // The form hooks of before 2019 have no such header; the body holds the same value.
    read(request, |json| {
        let (token, time) = (json.first(&["sign", "password"]), json.text("timestamp"));
        gitee::verify(secret, token, time, when.now, when.tolerance)
    })
}

pub(super) fn describe(request: &Received<'_>) -> Described {
    let key = format!("sha256:{}", hex::encode(Sha256::digest(request.body)));
    let header = request.first_of(&["x-gitee-event", "x-git-oschina-event"]);
    let (event_type, named) = read(request, |json| {
        (event_type(json, header), json.owned(&["hook_name"]))
    });
    let original = header.or(named.as_deref());
    Described::new(event_type, Some(key)).originally(original)
}

fn event_type(json: Tree<'_>, header: Option<&str>) -> Option<String> {
    let status = json.text("job.statusCode");
    if let (Some(_), Some(status)) = (json.text("job.pipelineId"), status) {
        return Some(match status {
            "SUCC" | "FAIL" | "CANCEL" | "SKIP" => {
                format!("pipeline.{}", status.to_ascii_lowercase())
            }
            _ => "pipeline".to_owned(),
        });
    }
    let named = json.text("hook_name").filter(|name| is_type(name));
    Some(normalised(named.or(header)?)).filter(|name| is_type(name))
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

/// Reads the body's JSON, or the JSON in the field `hook` of a form hook.
fn read<T>(request: &Received<'_>, take: impl Fn(Tree<'_>) -> T) -> T {
    let body = match field(request.content_type(), request.body, "hook") {
        Some(json) => Cow::Owned(json.into_bytes()),
        None => Cow::Borrowed(request.body),
    };
    let fields = ["hook_name", "password", "sign", "timestamp", "job"];
    lenient::read(&body, &fields, take)
}
