//! Slack's incoming webhooks.
//!
//! One attachment carries the message: it has a colour, and Mattermost and Rocket.Chat show it as well.
//!
//! Source: Slack, "Formatting text for app surfaces" and "Reference: secondary message attachments".

use serde_json::{Value, json};

use super::colour;
use super::compose::{BREAK, Dialect, Fence, Place, Quote, compose, utf16_units};
use super::message::Message;

/// Longest text that Slack recommends, in characters; Slack cuts at 40,000.
const TEXT_CHARS_MAX: usize = 4_000;

const DIALECT: Dialect = Dialect {
    escape,
    url: |url| url.replace('&', "&amp;"),
    link: |text, url| format!("<{}|{text}>", url.replace('&', "&amp;")),
    strong: ("*", "*"),
    quote: Quote::each_line("> "),
    fence: Some(Fence {
        before: "```\n",
        after: "\n```",
        escape: |letter, out| match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            letter => out.push(letter),
        },
    }),
    line_end: "\n",
    cost: utf16_units,
};

/// Writes the three characters that have a meaning in Slack as entities.
///
/// Chats that only accept Slack's messages need more: no `@` may begin a name, and no brackets may make a
/// link.
fn escape(letter: char, place: Place, out: &mut String) {
    match letter {
        '@' if place.before.is_none_or(|before| !before.is_alphanumeric()) => {
            out.extend(['@', BREAK]);
        }
        '(' if place.before == Some(']') => out.extend([BREAK, '(']),
        // Text between two backticks would be code, over several lines with three of them.
        '`' => out.push('\u{2cb}'),
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        letter => out.push(letter),
    }
}

pub(super) fn body(message: &Message) -> Value {
    json!({
        "attachments": [{
            "fallback": DIALECT.plain(&message.summary, 300),
            "color": format!("#{:06x}", colour(message.tone)),
            "text": compose(&DIALECT, message, true, TEXT_CHARS_MAX),
            "mrkdwn_in": ["text"],
            "footer": DIALECT.plain(&message.footer, 300),
        }],
        "unfurl_links": false,
        "link_names": 0,
    })
}
