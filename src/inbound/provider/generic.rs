//! Anything that can POST: the type in `X-Hookbox-Type`, the key in `X-Hookbox-Key`.
//!
//! With a secret, `X-Hub-Signature-256` must be `sha256=` and the hex of HMAC-SHA256 over the
//! body, the form that GitHub made common.

use super::{Described, Received};
use crate::signature::{Rejection, Secret, github};

pub(super) fn verify(secret: &Secret, request: &Received<'_>) -> Result<(), Rejection> {
    github::verify(secret, request.body, request.header(github::HEADER))
}

pub(super) fn describe(request: &Received<'_>) -> Described {
    Described::new(
        request.header("x-hookbox-type"),
        request.header("x-hookbox-key"),
    )
}
