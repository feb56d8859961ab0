//! Reads Telegram's responses: `ok`, and a description in words.
//!
//! Source: Telegram, "Bot API", making requests and ResponseParameters; "Bots FAQ". The words are those of its
//! own server's source.

use std::time::Duration;

use super::verdict::{Assessment, Verdict, describe, of_chat, said, shorten};
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::model::lenient;
use crate::time::Timestamp;

/// What it says where the bot may not write, whoever asks.
const NOT_ALLOWED: [&str; 7] = [
    "not enough rights",
    "have no rights",
    "administrator rights",
    "write_forbidden",
    "chat_restricted",
    "peer_id_invalid",
    "deactivated",
];

/// Pause after throttling without a wait time.
const SLOW_DOWN: Duration = Duration::from_secs(30);

pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    let (ok, description, wait, moved_to) = lenient::read(&reply.body, &[], |body| {
        let words = shorten(body.text("description").unwrap_or_default());
        let parameters = body.at("parameters");
        let wait = parameters.text("retry_after");
        let wait = wait.and_then(|seconds| seconds.parse().ok());
        let moved_to = parameters.owned(&["migrate_to_chat_id"]);
        let is_answer = body.is_true("ok") || body.has("error_code");
        let ok = is_answer.then(|| body.is_true("ok"));
        (ok, words, wait, moved_to)
    });
    let explained =
        |advice: &str| said(&[&format!("Telegram {}", reply.status), &description, advice]);
    let words = description.to_lowercase();
    let speaks_of = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
    if let Some(chat) = moved_to {
        let advice = format!("the group became a supergroup: put chat_id={chat} into the URL");
        return Verdict::needs_operator(explained(&advice)).into();
    }
    let verdict = match (reply.status, ok) {
        (200..300, Some(true)) => Verdict::ACCEPTED,
        (200..300, _) => Verdict::retryable("Telegram's reply has no `ok`: is the URL right?"),
        (429, Some(false)) => {
            let wait = wait.map_or(SLOW_DOWN, Duration::from_secs);
            return Verdict::rate_limited(explained(""), wait);
        }
        (401 | 404, Some(false)) => Verdict::needs_operator(explained(
            "the token is wrong, or was revoked: put the one that @BotFather gives into the URL",
        )),
        (403, Some(false)) => {
            Verdict::needs_operator(explained("add the bot to the chat, and let it write there"))
        }
        (400, Some(false)) if speaks_of(&["chat not found", "thread not found", "topic_"]) => {
            Verdict::needs_operator(explained(
                "is chat_id right, and message_thread_id, if there is one? The bot must be in the chat",
            ))
        }
        (400, Some(false)) if speaks_of(&NOT_ALLOWED) => {
            Verdict::needs_operator(explained("let the bot write in the chat"))
        }
        (400, Some(false)) => Verdict::rejected(explained("Telegram does not take this message")),
        (401 | 403 | 404, None) => Verdict::needs_operator(said(&[
            &format!("Telegram {}", describe(reply)),
            "no server of Telegram says so: is the URL right?",
        ])),
        _ => return of_chat(Chat::Telegram, reply, now).or_rate_limited(reply, SLOW_DOWN),
    };
    verdict.into()
}
