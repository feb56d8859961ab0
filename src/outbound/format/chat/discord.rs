//! Discord's webhooks: one embed. It has a colour, and mentions in it notify nobody.
//!
//! Source: Discord, "Execute webhook" and "Embed limits".

use serde_json::{Value, json};

use super::colour;
use super::compose::compose;
use super::markdown;
use super::message::Message;
use crate::model::line::one_line;

/// Limit of an embed's description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 4_096;

pub(super) fn body(message: &Message) -> Value {
    json!({
        "embeds": [{
            "description": compose(&markdown::DIALECT, message, true, DESCRIPTION_CHARS_MAX),
            "color": colour(message.tone),
            "footer": { "text": one_line(&message.footer, 300) },
        }],
        "allowed_mentions": { "parse": [] },
    })
}
