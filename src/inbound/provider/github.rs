//! GitHub: `X-GitHub-Event`, `X-GitHub-Delivery`, `X-Hub-Signature-256`; JSON and form.
//!
//! Older servers send only `X-Hub-Signature`. The delivery id belongs to the event: two hooks of one
//! repository or organisation send the same id, so the hook's id is part of the key. A redelivery carries
//! both again.

use std::borrow::Cow;

use super::{Described, Received};
use crate::signature::gogs::signed_bytes;
use crate::signature::{Rejection, Secret, github};

pub(super) fn verify(secret: &Secret, request: &Received<'_>) -> Result<(), Rejection> {
    let check = |body: &[u8]| {
        let newer = request.header(github::HEADER);
        github::verify(secret, body, newer, request.header(github::SHA1_HEADER))
    };
    check(request.body).or_else(|rejection| {
        // In form mode GitHub signs the body as it is. Servers that descend from Gogs and call themselves
        // GitHub sign the field inside.
        match signed_bytes(request.content_type(), request.body) {
            Cow::Owned(payload) => check(&payload),
            Cow::Borrowed(_) => Err(rejection),
        }
    })
}

pub(super) fn describe(request: &Received<'_>) -> Described {
    let delivery = request.header("x-github-delivery");
    let key = delivery.map(|delivery| match request.header("x-github-hook-id") {
        Some(hook) => format!("{delivery}/{hook}"),
        None => delivery.to_owned(),
    });
    Described::new(request.header("x-github-event"), key)
}
