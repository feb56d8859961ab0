//! DingTalk's custom robots: message type markdown, signed in the URL's query.
//!
//! Source: DingTalk, "Custom robot access" and "Custom robot security settings".

use serde_json::{Value, json};

use super::compose::{Dialect, compose, escape_markdown, json_bytes, link_markdown};
use super::message::Message;
use crate::model::activity::Tone;
use crate::model::line::one_line;
use crate::signature::{Secret, dingtalk};
use crate::time::Timestamp;

/// Bytes of a whole request.
const BODY_BYTES_MAX: usize = 20_000;

/// Bytes of it that are not the text: the JSON around it, the title, the identifier.
const AROUND_BYTES_MAX: usize = 2_000;

const DIALECT: Dialect = Dialect {
    escape: escape_markdown,
    url: str::to_owned,
    link: link_markdown,
    strong: ("**", "**"),
    quote: "> ",
    fence: None,
    // A single line feed ends no line there.
    line_end: "  \n",
    cost: json_bytes,
};

pub(super) fn signed(secret: &Secret, now: Timestamp) -> [(&'static str, String); 2] {
    dingtalk::sign(secret, now)
}

pub(super) fn body(message: &Message, delivery: Option<&str>) -> Value {
    // Markdown has no colours there that are written down.
    let dot = match message.tone {
        Tone::Plain => "🔵",
        Tone::Good => "🟢",
        Tone::Done => "🟣",
        Tone::Bad => "🔴",
        Tone::Quiet => "⚪",
    };
    let text = compose(&DIALECT, message, true, BODY_BYTES_MAX - AROUND_BYTES_MAX);
    // Names and an id: nothing in it is markup.
    let footer = one_line(&message.footer, 300);
    let mut body = json!({
        "msgtype": "markdown",
        "markdown": {
            "title": one_line(&message.summary, 100),
            "text": format!("{dot} {text}\n\n{footer}"),
        },
    });
    if let Some(delivery) = delivery {
        // The same over all tries of a delivery: what arrived though its answer was lost is not
        // shown twice.
        body["msgUuid"] = json!(delivery);
    }
    body
}
