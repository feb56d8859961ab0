//! Mattermost's incoming webhooks: one attachment, in Markdown.
//!
//! Source: Mattermost, "Incoming webhooks" and "Message attachments".

use serde_json::{Value, json};

use super::colour;
use super::compose::{BREAK, Dialect, Place, compose};
use super::markdown;
use super::message::Message;
use crate::model::line::one_line;

/// Longest text, in characters: half of what a post may have, and more than anybody reads.
const TEXT_CHARS_MAX: usize = 8_000;

const DIALECT: Dialect = Dialect {
    escape,
    ..markdown::DIALECT
};

/// Markdown's escapes do not keep names and Slack's `<!channel>` from being read: an invisible character
/// behind their first one does.
fn escape(letter: char, place: Place, out: &mut String) {
    match letter {
        '@' => out.extend(['@', BREAK]),
        '<' => out.extend(['\\', '<', BREAK]),
        letter => markdown::escape(letter, place, out),
    }
}

pub(super) fn body(message: &Message) -> Value {
    json!({
        "attachments": [{
            "fallback": DIALECT.plain(&message.summary, 300),
            "color": format!("#{:06x}", colour(message.tone)),
            "text": compose(&DIALECT, message, true, TEXT_CHARS_MAX),
            "footer": one_line(&message.footer, 300),
        }],
    })
}
