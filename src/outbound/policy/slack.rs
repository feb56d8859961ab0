//! Reads Slack's responses: one plain word in the body, which wins over the status.
//!
//! Source: Slack, "Sending messages using incoming webhooks", error handling.

use std::time::Duration;

use super::verdict::{Assessment, Verdict, describe, is_page, of_chat, said, shorten};
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::time::Timestamp;

/// Pause after throttling without a wait time.
const SLOW_DOWN: Duration = Duration::from_secs(30);

pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    let word = shorten(&String::from_utf8_lossy(&reply.body));
    let is_word = !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let explained = |advice: &str| match is_word {
        true => said(&[&format!("Slack {}", reply.status), &word, advice]),
        false => said(&[&format!("Slack {}", describe(reply)), advice]),
    };
    let verdict = match (reply.status, word.as_str()) {
        // Rocket.Chat accepts the same messages and reports success in its own way.
        (200..300, "ok" | r#"{"success":true}"#) => Verdict::ACCEPTED,
        // Slack and compatible chats answer in plain text, so an HTML page comes from something else.
        (200..300, _) if is_page(reply) => Verdict::retryable(
            "an HTML page came in the place of Slack's ok: is the URL right, or does this network want a login?",
        ),
        (200..300, _) => Verdict::Accepted {
            remark: Some(format!("Slack said `{word}` in the place of ok")),
        },
        (_, "channel_not_found") => Verdict::needs_operator(explained(
            "the channel is no more: make a webhook for another",
        )),
        (_, "channel_is_archived") => Verdict::needs_operator(explained(
            "take the channel out of the archive, or make a webhook for another",
        )),
        (_, "no_service" | "no_service_id" | "no_active_hooks" | "no_team") | (404 | 410, _) => {
            Verdict::needs_operator(explained(
                "the webhook was removed: make a new one, and change the URL",
            ))
        }
        (_, "action_prohibited" | "posting_to_general_channel_denied") => Verdict::rejected(
            explained("an admin of the workspace does not let it post there"),
        ),
        (_, "invalid_token" | "team_disabled") => {
            Verdict::needs_operator(explained("the webhook's workspace or app was switched off"))
        }
        (_, "rollup_error") => Verdict::retryable(explained("Slack's own fault")),
        (400, _) if is_word => Verdict::rejected(explained("Slack does not take this message")),
        _ => return of_chat(Chat::Slack, reply, now).or_rate_limited(reply, SLOW_DOWN),
    };
    verdict.into()
}
