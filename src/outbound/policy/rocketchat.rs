//! Reads Rocket.Chat's responses: `success`, and an error in words.
//!
//! Source: Rocket.Chat, "Integrations"; statuses and words are those of its server's source.

use std::time::Duration;

use super::verdict::{Assessment, Verdict, of_chat, said, shorten};
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::model::header::first_value;
use crate::model::lenient;
use crate::time::Timestamp;

/// Pause after throttling without a wait time: the limit is per minute.
const SLOW_DOWN: Duration = Duration::from_secs(60);

pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    let (success, error) = lenient::read(&reply.body, &[], |body| {
        let error = shorten(body.text("error").unwrap_or_default());
        let is_answer = body.is_true("success") || body.has("error");
        let success = is_answer.then(|| body.is_true("success"));
        (success, error)
    });
    let explained =
        |advice: &str| said(&[&format!("Rocket.Chat {}", reply.status), &error, advice]);
    let verdict = match (reply.status, success) {
        (200..300, Some(true)) => Verdict::ACCEPTED,
        (200..300, _) => {
            Verdict::retryable("Rocket.Chat's reply has no `success`: is the URL right?")
        }
        (429, _) => {
            let why = explained("too many messages");
            return Verdict::rate_limited(why, until_reset(reply, now).unwrap_or(SLOW_DOWN));
        }
        (401 | 404, _) => Verdict::needs_operator(explained(
            "the integration was removed, or its owner: make a new one, and change the URL",
        )),
        (503, Some(false)) => Verdict::needs_operator(explained(
            "the integration is switched off: enable it in the workspace's settings",
        )),
        (403, Some(false)) => Verdict::needs_operator(explained("let its user post there")),
        (400, Some(false)) if is_of_the_channel(&error) => Verdict::needs_operator(explained(
            "is the integration's channel there, and may its user post to it?",
        )),
        (400, Some(false)) => {
            Verdict::rejected(explained("Rocket.Chat does not take this message"))
        }
        _ => return of_chat(Chat::Rocketchat, reply, now).or_rate_limited(reply, SLOW_DOWN),
    };
    verdict.into()
}

fn is_of_the_channel(error: &str) -> bool {
    let texts = [
        "channel",
        "not-allowed",
        "muted",
        "read-only",
        "readonly",
        "lacks",
    ];
    let error = error.to_lowercase();
    texts.iter().any(|text| error.contains(text))
}

/// Returns how long to wait: until the time that the reply names, in milliseconds since 1970.
fn until_reset(reply: &Response, now: Timestamp) -> Option<Duration> {
    let at: i64 = first_value(&reply.headers, "x-ratelimit-reset")?
        .parse()
        .ok()?;
    Some(Timestamp(at).since(now)).filter(|wait| !wait.is_zero())
}
