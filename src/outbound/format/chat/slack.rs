//! Slack's incoming webhooks. One attachment carries the message, since it is what has a colour,
//! and what Mattermost and Rocket.Chat show as well.
//!
//! Source: Slack, "Formatting text for app surfaces" and "Reference: secondary message
//! attachments".

use serde_json::{Value, json};

use super::colour;
use super::compose::{Dialect, Fence, Place, compose, utf16_units};
use super::message::Message;

/// Characters of a text that Slack advises not to go over; it cuts at 40,000.
const TEXT_CHARS_MAX: usize = 4_000;

const DIALECT: Dialect = Dialect {
    escape,
    url: |url| url.replace('&', "&amp;"),
    link: |text, url| format!("<{}|{text}>", url.replace('&', "&amp;")),
    strong: ("*", "*"),
    quote: "> ",
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

/// Not to be seen: it keeps apart what would have a meaning together.
const BREAK: char = '\u{200b}';

/// The three characters that Slack gives a meaning to by themselves, as its entities. For what is
/// not Slack but takes its messages: no `@` begins a name, and no brackets make a link.
fn escape(letter: char, place: Place, out: &mut String) {
    match letter {
        '@' if place.before.is_none_or(|before| !before.is_alphanumeric()) => {
            out.extend(['@', BREAK]);
        }
        '(' if place.before == Some(']') => out.extend([BREAK, '(']),
        // Whatever is between two of them would be code, over lines if there are three.
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
