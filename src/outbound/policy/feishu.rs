//! What Feishu's replies mean: `code` goes before `StatusCode`, and both before the status, since a
//! 400 may pass and a 200 may be a refusal.
//!
//! Source: Feishu, "Custom bot usage guide", error codes, and "Rate limits".

use std::time::Duration;

use super::finding::{Finding, Read, of_chat, seconds, shorten};
use crate::model::chat::Chat;
use crate::model::header::first_value;
use crate::model::lenient::{self, Text};
use crate::outbound::transport::Reply;
use crate::time::Timestamp;

/// Away from the full minute, when everybody sends.
const SLOW_DOWN: Duration = Duration::from_secs(7);

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Body {
    code: Text,
    msg: Text,
    #[serde(rename = "StatusCode")]
    status_code: Text,
    #[serde(rename = "StatusMessage")]
    status_message: Text,
}

pub(super) fn read(reply: &Reply, tries: u32, now: Timestamp) -> Read {
    let body: Body = lenient::read(&reply.body);
    let message = body.msg.0.or(body.status_message.0).unwrap_or_default();
    let is_success = (200..300).contains(&reply.status);
    let Some(code) = body.code.0.or(body.status_code.0) else {
        return if is_success {
            Finding::doubtful("Feishu's reply has no code: is the URL right?").into()
        } else {
            busy_or(reply, now, of_chat(Chat::Feishu, reply, now))
        };
    };
    let message = shorten(&message);
    let said = |advice: &str| format!("Feishu {code}: {message}: {advice}");
    match code.as_str() {
        "0" if is_success => Finding::TAKEN.into(),
        "11232" | "99991400" => slow_down(said("too many messages"), reply, now),
        "9499" if message.to_lowercase().contains("too many request") => {
            slow_down(said("too many messages"), reply, now)
        }
        "9499" | "19002" | "19036" | "200621" => Finding::Never {
            why: said("Feishu does not take this message"),
        }
        .into(),
        // The next try is signed anew.
        "19021" if tries == 0 => Finding::not_now(said("is this machine's clock right?")).into(),
        "19021" => Finding::Never {
            why: said("the endpoint's secret is not the bot's, or this machine's clock is off"),
        }
        .into(),
        "19022" => Finding::Never {
            why: said("add this machine's public address to the bot's list"),
        }
        .into(),
        "19024" => Finding::Never {
            why: said("add one of the bot's keywords; `hookbox` is in every message"),
        }
        .into(),
        "19001" => Finding::Gone {
            why: said("the bot was removed, or the URL is wrong: copy its URL again"),
        }
        .into(),
        "19007" => Finding::Gone {
            why: said("the bot was switched off"),
        }
        .into(),
        _ if is_success => Finding::doubtful(format!("Feishu {code}: {message}")).into(),
        _ => busy_or(reply, now, of_chat(Chat::Feishu, reply, now)),
    }
}

fn busy_or(reply: &Reply, now: Timestamp, read: Read) -> Read {
    match read.finding {
        Finding::NotNow { why, .. } if reply.status == 429 => slow_down(why, reply, now),
        _ => read,
    }
}

/// The gateway says after how many seconds there is room again.
fn slow_down(why: String, reply: &Reply, now: Timestamp) -> Read {
    let asked = first_value(&reply.headers, "x-ogw-ratelimit-reset").and_then(seconds);
    Finding::slow_down(why, asked.unwrap_or(SLOW_DOWN), now)
}
