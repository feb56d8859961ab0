//! ntfy: plain text with a title, since few of its apps show any markup.
//!
//! Source: ntfy, "Publishing", publish as JSON, and limitations.

use serde_json::{Value, json};

use super::compose::{Dialect, Quote, compose, utf8_bytes};
use super::message::Message;
use crate::model::activity::Tone;
use crate::model::chat::ntfy_topic;
use crate::model::endpoint::EndpointUrl;
use crate::model::line::one_line;

/// Limit of a message, in bytes: older servers make an attachment of 4,096 already.
const MESSAGE_BYTES_MAX: usize = 4_095;

/// Limit of the whole request, in bytes: twice the message's.
const BODY_BYTES_MAX: usize = 8_192;

/// Bytes of a request that are not the message: title, link, topic and the JSON around them.
const AROUND_BYTES_MAX: usize = 2_500;

/// Longest title, in characters: 1 KB as servers allow it.
const TITLE_CHARS_MAX: usize = 250;

/// No markup at all.
pub(super) const DIALECT: Dialect = Dialect {
    escape: |letter, _, out| out.push(letter),
    url: str::to_owned,
    link: |text, _| text.to_owned(),
    strong: ("", ""),
    quote: Quote::each_line("> "),
    fence: None,
    line_end: "\n",
    // A character that JSON writes in two takes the place of two.
    cost: |letter| match letter {
        '"' | '\\' | '\n' => 2,
        letter => utf8_bytes(letter),
    },
};

pub(super) fn body(message: &Message, url: &EndpointUrl, name: Option<&str>) -> Value {
    // Its colours are the emojis of these names; people are woken by what went wrong alone.
    let (tag, priority) = match message.tone {
        Tone::Plain => ("large_blue_circle", 3),
        Tone::Good => ("green_circle", 3),
        Tone::Done => ("purple_circle", 3),
        Tone::Bad => ("red_circle", 4),
        Tone::Quiet => ("white_circle", 2),
    };
    let place = message.place.as_ref().map(|place| place.text.as_str());
    let title = one_line(place.unwrap_or(&message.summary), TITLE_CHARS_MAX);
    let footer = format!("\n{}", one_line(&message.footer, 300));
    let room = MESSAGE_BYTES_MAX.min(BODY_BYTES_MAX - AROUND_BYTES_MAX) - footer.len();
    let text = compose(&DIALECT, message, false, room);
    let mut body = json!({
        "topic": ntfy_topic(url.uri().path()).unwrap_or_default(),
        "title": title,
        "message": format!("{text}{footer}"),
        "tags": [tag],
        "priority": priority,
    });
    if let Some(page) = message.page() {
        body["click"] = json!(page);
    }
    if let Some(name) = name {
        // Newer servers have the apps show one message of a name.
        body["sequence_id"] = json!(name);
    }
    body
}
