//! Reads Discord's responses.
//!
//! They have a status, a code in the body, and headers that say how many more requests are allowed.
//!
//! Source: Discord, "Rate limits" and "Opcodes and status codes".

use std::time::Duration;

use super::retry_after::{retry_after, seconds};
use super::verdict::{Assessment, Verdict, of_chat, said, shorten};
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::model::header::first_value;
use crate::model::lenient::{self, Tree};
use crate::time::Timestamp;

pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    lenient::read(&reply.body, &[], |body| read_body(body, reply, now))
}

fn read_body(body: Tree<'_>, reply: &Response, now: Timestamp) -> Assessment {
    let code = body.text("code");
    let message = shorten(body.text("message").unwrap_or_default());
    let explained = |advice: &str| {
        let name = match code {
            Some(code) => format!("Discord {} (code {code})", reply.status),
            None => format!("Discord {}", reply.status),
        };
        said(&[&name, &message, advice])
    };
    match (reply.status, code) {
        (200..300, _) => Assessment {
            pause: spent(reply),
            ..Verdict::ACCEPTED.into()
        },
        (429, _) => {
            // Seconds, with a fraction.
            let asked = body.fraction("retry_after").or(body.text("retry_after"));
            let asked = asked.and_then(seconds);
            let header = retry_after(reply, now).map(|at| at.since(now));
            let wait = asked.max(header).or(spent(reply));
            let why = said(&["Discord 429", &message]);
            Verdict::rate_limited(why, wait.unwrap_or(Duration::from_secs(5)))
        }
        // Discord bans the IP address of whoever goes on sending to a removed webhook.
        (404, _) | (_, Some("10015")) => Verdict::needs_operator(explained(
            "the webhook was removed: make a new one, and change the URL",
        ))
        .into(),
        (401 | 403, _) | (_, Some("50027")) => Verdict::needs_operator(explained(
            "the URL's token is wrong: copy the webhook's URL again",
        ))
        .into(),
        (400, Some(_)) => Verdict::rejected(explained("Discord does not take this message")).into(),
        _ => of_chat(Chat::Discord, reply, now),
    }
}

/// Returns how long to wait if this response used up the rate limit's bucket.
fn spent(reply: &Response) -> Option<Duration> {
    let remaining = first_value(&reply.headers, "x-ratelimit-remaining")?;
    if remaining != "0" {
        return None;
    }
    seconds(first_value(&reply.headers, "x-ratelimit-reset-after")?)
}
