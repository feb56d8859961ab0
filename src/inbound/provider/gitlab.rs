//! GitLab: `X-Gitlab-Event`, `Idempotency-Key`, and a token or a signature.
//!
//! The request has either `X-Gitlab-Token` (the plain secret) or the headers of Standard Webhooks (a secret
//! that begins with `whsec_`).
//!
//! Types are GitLab's own words in a short form: `Merge Request Hook` is `merge_request`. A confidential
//! issue or note has a type of its own, as its `event_type` says, so that nobody posts it to a chat with
//! the others. A `System Hook` names its type in the body.

use sha2::{Digest, Sha256};

use super::{Described, Received, When};
use crate::model::event::is_type;
use crate::model::lenient;
use crate::signature::generic::Rules;
use crate::signature::{Rejection, Scheme, Secret, standard, token};

pub(super) fn verify(secret: &Secret, request: &Received<'_>, when: When) -> Result<(), Rejection> {
    // A hook with a signing secret sends no token.
    if secret.expose().starts_with(b"whsec_") {
        return request.verify(Scheme::Standard, secret, &Rules::default(), when);
    }
    token::verify(
        token::GITLAB_HEADER,
        secret,
        request.header(token::GITLAB_HEADER),
    )
}

pub(super) fn describe(request: &Received<'_>) -> Described {
    // The signed id comes first; in real requests the two are the same.
    let key = request
        .header(standard::ID_HEADER)
        .or_else(|| request.header("idempotency-key"));
    // Servers before 17.4 send neither. The UUID alone is not enough: a hook that was started by another
    // hook carries the same UUID.
    let key = key.map(str::to_owned).or_else(|| {
        let uuid = request.header("x-gitlab-event-uuid")?;
        let hash = hex::encode(Sha256::digest(request.body));
        Some(format!("{uuid}/{hash}"))
    });
    Described::new(event_type(request), key).originally(request.header("x-gitlab-event"))
}

fn event_type(request: &Received<'_>) -> Option<String> {
    let header = request.header("x-gitlab-event").unwrap_or_default();
    let words = header.strip_suffix(" Hook").unwrap_or(header);
    let name = words.to_ascii_lowercase().replace(' ', "_");
    let fields = ["object_kind", "event_name", "event_type"];
    let (kind, exact) = lenient::read(request.body, &fields, |json| {
        (json.owned(&fields[..2]), json.owned(&fields[2..]))
    });
    let name = match name.as_str() {
        "" | "system" => kind?,
        _ => name,
    };
    // Headers of older servers do not say that an issue is confidential.
    let confidential = format!("confidential_{name}");
    let is_confidential = exact.as_ref() == Some(&confidential);
    Some(if is_confidential { confidential } else { name }).filter(|name| is_type(name))
}
