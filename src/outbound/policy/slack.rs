//! What Slack's replies mean: a bare word in the body, which goes before the status.
//!
//! Source: Slack, "Sending messages using incoming webhooks", error handling.

use super::finding::{Finding, Read, of_chat, shorten};
use crate::model::chat::Chat;
use crate::outbound::transport::Reply;
use crate::time::Timestamp;

pub(super) fn read(reply: &Reply, now: Timestamp) -> Read {
    let word = shorten(&String::from_utf8_lossy(&reply.body));
    let said = |advice: &str| format!("Slack {}: {word}: {advice}", reply.status);
    let is_word = !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match (reply.status, word.as_str()) {
        (200..300, "ok") => Finding::TAKEN.into(),
        (200..300, _) => Finding::Taken {
            remark: Some(format!("Slack said `{word}` in the place of ok")),
        }
        .into(),
        (404, _) if !is_word => Finding::Gone {
            why: "Slack 404: there is no such webhook: make a new one, and change the URL"
                .to_owned(),
        }
        .into(),
        (_, "channel_not_found") => Finding::Gone {
            why: said("the channel is no more: make a webhook for another"),
        }
        .into(),
        (_, "channel_is_archived") => Finding::Gone {
            why: said("take the channel out of the archive, or make a webhook for another"),
        }
        .into(),
        (_, "no_service" | "no_service_id" | "no_active_hooks" | "no_team") => Finding::Gone {
            why: said("the webhook was removed: make a new one, and change the URL"),
        }
        .into(),
        (_, "action_prohibited" | "posting_to_general_channel_denied") => Finding::Never {
            why: said("an admin of the workspace does not let it post there"),
        }
        .into(),
        (_, "invalid_token" | "team_disabled") => Finding::Never {
            why: said("the webhook's workspace or app was switched off"),
        }
        .into(),
        (_, "rollup_error") => Finding::not_now(said("Slack's own fault")).into(),
        (400, word) if is_word => Finding::Never {
            why: format!("Slack 400: {word}"),
        }
        .into(),
        _ => of_chat(Chat::Slack, reply, now),
    }
}
