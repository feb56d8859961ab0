//! Rocket.Chat's incoming integrations: one attachment, in its own Markdown.
//!
//! Source: Rocket.Chat, "Integrations", incoming webhook; what its message parser reads as markup.

use serde_json::{Value, json};

use super::colour;
use super::compose::{BREAK, Dialect, Place, Start, compose};
use super::markdown;
use super::message::Message;

/// A server's usual limit of a message, in characters.
const TEXT_CHARS_MAX: usize = 5_000;

const DIALECT: Dialect = Dialect {
    escape,
    ..markdown::DIALECT
};

/// It has escapes for a few characters alone; an invisible character breaks up what else would be markup.
fn escape(letter: char, place: Place, out: &mut String) {
    match letter {
        '*' | '_' | '~' => out.extend(['\\', letter]),
        '#' if place.after == Start::Blank => out.extend(['\\', letter]),
        '.' if place.after == Start::Number => out.extend(['\\', letter]),
        '>' | '-' | '+' if place.after == Start::Blank => out.extend([BREAK, letter]),
        ')' if place.after == Start::Number => out.extend([BREAK, letter]),
        '[' | ']' | '<' | '@' | '|' | '!' => out.extend([letter, BREAK]),
        '`' => out.push('\u{2cb}'),
        letter => out.push(letter),
    }
}

pub(super) fn body(message: &Message) -> Value {
    let footer = DIALECT.plain(&message.footer, 300);
    let room = TEXT_CHARS_MAX - DIALECT.cost_of(&footer) - 1;
    let text = compose(&DIALECT, message, true, room);
    json!({
        "attachments": [{
            "color": format!("#{:06x}", colour(message.tone)),
            "text": format!("{text}\n{footer}"),
        }],
        "parseUrls": false,
    })
}
