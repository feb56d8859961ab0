//! Reads ntfy's responses: on failure a code of five digits.
//!
//! Source: ntfy, "Configuring the ntfy server"; the codes are those of its server's source.

use std::time::Duration;

use super::retry_after::retry_after;
use super::verdict::{Assessment, Verdict, of_chat, said, shorten};
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::model::lenient;
use crate::time::Timestamp;

/// Pause after one message too many: one more is let through every five seconds. Whoever goes on is banned.
const SLOW_DOWN: Duration = Duration::from_secs(30);

/// Pause after the last message of a day: there are more at midnight.
const NO_MORE_TODAY: Duration = Duration::from_secs(3_600);

pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    let (code, message, is_message) = lenient::read(&reply.body, &[], |body| {
        let error = shorten(body.text("error").unwrap_or_default());
        let is_message = body.text("event") == Some("message");
        (body.owned(&["code"]), error, is_message)
    });
    let code = code.unwrap_or_else(|| reply.status.to_string());
    let explained = |advice: &str| said(&[&format!("ntfy {code}"), &message, advice]);
    let verdict = match (reply.status, code.as_str()) {
        (200..300, _) if is_message => Verdict::ACCEPTED,
        (200..300, _) => Verdict::retryable("ntfy's reply is no message: is the URL right?"),
        (_, "42908") => {
            let why = explained("no more messages today");
            return Verdict::rate_limited(why, NO_MORE_TODAY);
        }
        (429, _) => {
            let asked = retry_after(reply, now).map(|at| at.since(now));
            return Verdict::rate_limited(explained(""), asked.unwrap_or(SLOW_DOWN));
        }
        (401 | 403, _) => Verdict::needs_operator(explained(
            "give a token that may write to the topic, with --auth bearer",
        )),
        (_, "40009" | "40010") => {
            Verdict::needs_operator(explained("choose another topic, and change the URL"))
        }
        (404, _) => Verdict::needs_operator(explained("there is no ntfy: is the URL right?")),
        (400 | 413, _) => Verdict::rejected(explained("ntfy does not take this message")),
        _ => return of_chat(Chat::Ntfy, reply, now),
    };
    verdict.into()
}
