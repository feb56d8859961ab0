//! GitHub: `X-GitHub-Event`, `X-GitHub-Delivery`, `X-Hub-Signature-256`; JSON and form mode.
//!
//! The delivery id is that of the event: two hooks of one repository or organisation send the
//! same one, so the hook's id is part of the key. A redelivery carries both again.

use super::{Described, Received};
use crate::signature::{Rejection, Secret, github};

pub(super) fn verify(secret: &Secret, request: &Received<'_>) -> Result<(), Rejection> {
    github::verify(secret, request.body, request.header(github::HEADER))
}

pub(super) fn describe(request: &Received<'_>) -> Described {
    let delivery = request.header("x-github-delivery");
    let key = delivery.map(|delivery| match request.header("x-github-hook-id") {
        Some(hook) => format!("{delivery}/{hook}"),
        None => delivery.to_owned(),
    });
    Described::new(request.header("x-github-event"), key)
}
