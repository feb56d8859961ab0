//! Reads Mattermost's responses: `ok`, or an error as JSON.
//!
//! Source: Mattermost, "Incoming webhooks"; the statuses are those of its server's source.

use std::time::Duration;

use super::verdict::{Assessment, Verdict, describe, is_page, of_chat, said, shorten};
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::model::lenient;
use crate::time::Timestamp;

/// Pause after throttling without a wait time.
const SLOW_DOWN: Duration = Duration::from_secs(10);

pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    let message = lenient::read(&reply.body, &[], |body| {
        shorten(body.text("message").unwrap_or_default())
    });
    let explained =
        |advice: &str| said(&[&format!("Mattermost {}", describe(reply)), &message, advice]);
    let verdict = match reply.status {
        200..300 if reply.body.trim_ascii() == b"ok" => Verdict::ACCEPTED,
        200..300 if is_page(reply) => Verdict::retryable(
            "an HTML page came in the place of Mattermost's ok: is the URL right, or does this network want a login?",
        ),
        200..300 => Verdict::Accepted {
            remark: Some("Mattermost did not say ok".to_owned()),
        },
        // The same status is given for a message that it does not take, of which hookbox sends none.
        400 => Verdict::needs_operator(explained(
            "the webhook was removed, or its channel is archived: make a new one, and change the URL",
        )),
        403 => Verdict::needs_operator(explained("its owner may not post to the channel")),
        404 => Verdict::needs_operator(explained("is the URL right, and the channel there?")),
        501 => Verdict::needs_operator(explained(
            "incoming webhooks are switched off on this server",
        )),
        413 => Verdict::rejected(explained("Mattermost does not take this message")),
        _ => return of_chat(Chat::Mattermost, reply, now).or_rate_limited(reply, SLOW_DOWN),
    };
    verdict.into()
}
