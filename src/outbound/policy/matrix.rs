//! Reads the responses of a Matrix server: an `errcode`, which says more than the status.
//!
//! Source: Matrix specification 1.11, client-server API, "Standard error response" and "Rate limiting".

use std::time::Duration;

use super::retry_after::retry_after;
use super::verdict::{Assessment, Verdict, describe, of_chat, said, shorten};
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::model::lenient;
use crate::time::Timestamp;

/// Pause after throttling without a wait time: Synapse lets one message through in five seconds.
const SLOW_DOWN: Duration = Duration::from_secs(5);

pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    let (code, message, wait, is_taken) = lenient::read(&reply.body, &[], |body| {
        let error = shorten(body.text("error").unwrap_or_default());
        let wait = body.text("retry_after_ms").and_then(|ms| ms.parse().ok());
        (body.owned(&["errcode"]), error, wait, body.has("event_id"))
    });
    let by_status = || of_chat(Chat::Matrix, reply, now).or_rate_limited(reply, SLOW_DOWN);
    let Some(code) = code else {
        let verdict = match reply.status {
            200..300 if is_taken => Verdict::ACCEPTED,
            200..300 => Verdict::retryable("Matrix's reply has no event_id: is the URL right?"),
            401 | 403 | 404 => Verdict::needs_operator(said(&[
                &format!("Matrix {}", describe(reply)),
                "no server of Matrix says so: is the URL right?",
            ])),
            _ => return by_status(),
        };
        return verdict.into();
    };
    let explained = |advice: &str| said(&[&format!("Matrix {code}"), &message, advice]);
    let verdict = match code.as_str() {
        "M_LIMIT_EXCEEDED" => {
            let header = retry_after(reply, now).map(|at| at.since(now));
            let wait = header.or(wait.map(Duration::from_millis));
            return Verdict::rate_limited(explained(""), wait.unwrap_or(SLOW_DOWN));
        }
        "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN" => Verdict::needs_operator(explained(
            "log in again, and give the new access token with --auth bearer",
        )),
        "M_FORBIDDEN" => Verdict::needs_operator(explained(
            "invite the user to the room, join it, and let it write there",
        )),
        "M_USER_DEACTIVATED" | "M_USER_LOCKED" | "M_USER_SUSPENDED" => {
            Verdict::needs_operator(explained("an admin has to let the user write again"))
        }
        "M_NOT_FOUND" | "M_UNRECOGNIZED" => Verdict::needs_operator(explained(
            "there is no such room or server: is the URL right?",
        )),
        "M_TOO_LARGE" | "M_BAD_JSON" | "M_NOT_JSON" | "M_INVALID_PARAM" | "M_MISSING_PARAM" => {
            Verdict::rejected(explained("the server does not take this message"))
        }
        _ => return by_status(),
    };
    verdict.into()
}
