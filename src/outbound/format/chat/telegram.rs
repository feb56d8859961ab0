//! Telegram's bots: one message in HTML.
//!
//! Source: Telegram, "Bot API", sendMessage and formatting options.

use serde_json::{Value, json};

use super::compose::{compose, utf16_units};
use super::html::{DIALECT, escaped};
use super::message::Message;
use crate::error::Result;
use crate::model::endpoint::EndpointUrl;
use crate::model::line::one_line;

/// Limit of a text, in characters; tags do not count, and are counted here.
const TEXT_CHARS_MAX: usize = 4_096;

/// What says where a message goes: it stands in the URL's query, and is sent in the body.
const PARAMETERS: [&str; 3] = ["chat_id", "message_thread_id", "disable_notification"];

pub(super) fn address(url: &EndpointUrl) -> Result<EndpointUrl> {
    url.without_query(&PARAMETERS)
}

pub(super) fn body(message: &Message, url: &EndpointUrl) -> Value {
    let dot = super::dot(message.tone);
    let footer = format!("\n<i>{}</i>", escaped(&one_line(&message.footer, 300)));
    let around: usize = [dot, &footer]
        .iter()
        .flat_map(|text| text.chars())
        .map(utf16_units)
        .sum();
    let text = compose(&DIALECT, message, true, TEXT_CHARS_MAX - around);
    let mut body = json!({
        "text": format!("{dot}{text}{footer}"),
        "parse_mode": "HTML",
        "link_preview_options": { "is_disabled": true },
    });
    for name in PARAMETERS {
        if let Some(value) = url.query_value(name) {
            body[name] = match name {
                "disable_notification" => json!(matches!(value.as_str(), "1" | "true")),
                _ => value
                    .parse::<i64>()
                    .map_or(json!(value), |number| json!(number)),
            };
        }
    }
    body
}
