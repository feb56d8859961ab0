//! What Slack's replies mean: a bare word in the body, which goes before the status.
//!
//! Source: Slack, "Sending messages using incoming webhooks", error handling.

use std::time::Duration;

use super::finding::{Finding, Read, describe, is_page, of_chat, said, shorten};
use crate::model::chat::Chat;
use crate::outbound::transport::Reply;
use crate::time::Timestamp;

/// When it does not say how long.
const SLOW_DOWN: Duration = Duration::from_secs(30);

pub(super) fn read(reply: &Reply, now: Timestamp) -> Read {
    let word = shorten(&String::from_utf8_lossy(&reply.body));
    let is_word = !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let told = |advice: &str| match is_word {
        true => said(&[&format!("Slack {}", reply.status), &word, advice]),
        false => said(&[&format!("Slack {}", describe(reply)), advice]),
    };
    let finding = match (reply.status, word.as_str()) {
        // Rocket.Chat takes the same messages and says so in its own way.
        (200..300, "ok" | r#"{"success":true}"#) => Finding::TAKEN,
        // Slack's own words and those of its like are plain.
        (200..300, _) if is_page(reply) => Finding::not_now(
            "an HTML page came in the place of Slack's ok: is the URL right, or does this network want a login?",
        ),
        (200..300, _) => Finding::Taken {
            remark: Some(format!("Slack said `{word}` in the place of ok")),
        },
        (_, "channel_not_found") => {
            Finding::mend(told("the channel is no more: make a webhook for another"))
        }
        (_, "channel_is_archived") => Finding::mend(told(
            "take the channel out of the archive, or make a webhook for another",
        )),
        (_, "no_service" | "no_service_id" | "no_active_hooks" | "no_team") | (404 | 410, _) => {
            Finding::mend(told(
                "the webhook was removed: make a new one, and change the URL",
            ))
        }
        (_, "action_prohibited" | "posting_to_general_channel_denied") => {
            Finding::never(told("an admin of the workspace does not let it post there"))
        }
        (_, "invalid_token" | "team_disabled") => {
            Finding::mend(told("the webhook's workspace or app was switched off"))
        }
        (_, "rollup_error") => Finding::not_now(told("Slack's own fault")),
        (400, _) if is_word => Finding::never(told("Slack does not take this message")),
        _ => return of_chat(Chat::Slack, reply, now).slowed_down(reply, SLOW_DOWN),
    };
    finding.into()
}
