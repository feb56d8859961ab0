//! Discord's webhooks: one embed. It has a colour, and mentions in it notify nobody.
//!
//! Source: Discord, "Execute webhook" and "Embed limits".

use serde_json::{Value, json};

use super::colour;
use super::compose::{Dialect, Fence, Quote, compose, escape_markdown, link_markdown, utf16_units};
use super::message::Message;
use crate::model::line::one_line;

/// Limit of an embed's description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 4_096;

const DIALECT: Dialect = Dialect {
    escape: escape_markdown,
    url: str::to_owned,
    link: link_markdown,
    strong: ("**", "**"),
    quote: Quote::each_line("> "),
    fence: Some(Fence {
        before: "```\n",
        after: "\n```",
        escape: |letter, out| out.push(letter),
    }),
    line_end: "\n",
    cost: utf16_units,
};

pub(super) fn body(message: &Message) -> Value {
    json!({
        "embeds": [{
            "description": compose(&DIALECT, message, true, DESCRIPTION_CHARS_MAX),
            "color": colour(message.tone),
            "footer": { "text": one_line(&message.footer, 300) },
        }],
        "allowed_mentions": { "parse": [] },
    })
}
