//! Reads Feishu's responses.
//!
//! `code` wins over `StatusCode`, and both win over the HTTP status: a 400 may be temporary, and a 200 may
//! refuse the message.
//!
//! Source: Feishu, "Custom bot usage guide", error codes, and "Rate limits".

use std::time::Duration;

use super::retry_after::seconds;
use super::verdict::{Assessment, Verdict, of_chat, said, shorten};
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::model::header::first_value;
use crate::model::lenient;
use crate::time::Timestamp;

/// Pause after throttling without a wait time.
const SLOW_DOWN: Duration = Duration::from_secs(7);

pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    let (code, message) = lenient::read(&reply.body, &[], |body| {
        let message = body.first(&["msg", "StatusMessage"]).unwrap_or_default();
        (body.owned(&["code", "StatusCode"]), shorten(message))
    });
    let is_success = (200..300).contains(&reply.status);
    let wait = wait(reply, now);
    let by_status = || of_chat(Chat::Feishu, reply, now).or_rate_limited(reply, wait);
    let Some(code) = code else {
        return if is_success {
            Verdict::retryable("Feishu's reply has no code: is the URL right?").into()
        } else {
            by_status()
        };
    };
    let explained = |advice: &str| said(&[&format!("Feishu {code}"), &message, advice]);
    let words = message.to_lowercase();
    let verdict = match code.as_str() {
        "0" if is_success => Verdict::ACCEPTED,
        "11232" | "99991400" => return Verdict::rate_limited(explained("too many messages"), wait),
        "9499" if words.contains("too many request") => {
            return Verdict::rate_limited(explained("too many messages"), wait);
        }
        "9499" | "19002" | "19036" | "200621" => {
            Verdict::rejected(explained("Feishu does not take this message"))
        }
        // This code has two meanings: wrong secret or wrong clock. A box that has just started may not have
        // the correct time yet; each attempt is signed anew, so a retry can succeed.
        "19021" => Verdict::retryable(explained(
            "is the endpoint's secret the bot's, and this machine's clock right?",
        )),
        "19022" => Verdict::needs_operator(explained(
            "add this machine's public address to the bot's list",
        )),
        "19024" => Verdict::rejected(explained(
            "add one of the bot's keywords; `hookbox` is in every message",
        )),
        "19001" if words.contains("token") => Verdict::needs_operator(explained(
            "the bot was removed, or the URL is wrong: copy its URL again",
        )),
        "19001" => Verdict::rejected(explained("Feishu does not take this message")),
        "19007" => Verdict::needs_operator(explained("the bot was switched off")),
        _ if is_success => Verdict::retryable(explained("")),
        _ => return by_status(),
    };
    verdict.into()
}

/// Returns how long to wait: what the gateway says, or a short default.
///
/// The wait never ends at a full minute, when everybody sends.
fn wait(reply: &Response, now: Timestamp) -> Duration {
    const CROWDED_SECONDS: i64 = 3;
    if let Some(asked) = first_value(&reply.headers, "x-ogw-ratelimit-reset").and_then(seconds) {
        return asked;
    }
    let second = now.plus(SLOW_DOWN).unix_seconds() % 60;
    if second < CROWDED_SECONDS {
        SLOW_DOWN * 2
    } else {
        SLOW_DOWN
    }
}
