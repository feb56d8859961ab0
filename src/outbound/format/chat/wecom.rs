//! WeCom's group robots: message type markdown.
//!
//! WeCom's subset of Markdown has colours but no escapes. So an invisible character breaks up text that
//! would be markup.
//!
//! Source: WeCom, "Group robot configuration".

use serde_json::{Value, json};

use super::compose::{BREAK, Dialect, Place, Start, compose, utf8_bytes};
use super::markdown;
use super::message::Message;
use crate::model::activity::Tone;

/// Limit of a message's content, in bytes.
const CONTENT_BYTES_MAX: usize = 4_096;

const DIALECT: Dialect = Dialect {
    escape,
    fence: None,
    cost: utf8_bytes,
    ..markdown::DIALECT
};

fn escape(letter: char, place: Place, out: &mut String) {
    match letter {
        '#' | '>' if place.after == Start::Blank => out.extend([BREAK, letter]),
        '*' | '[' | ']' | '<' => out.extend([letter, BREAK]),
        // No character between two backticks keeps them from making code, so they are replaced.
        '`' => out.push('\u{2cb}'),
        letter => out.push(letter),
    }
}

pub(super) fn body(message: &Message) -> Value {
    let dot = match message.tone {
        Tone::Plain => "",
        Tone::Good | Tone::Done => "<font color=\"info\">●</font> ",
        Tone::Bad => "<font color=\"warning\">●</font> ",
        Tone::Quiet => "<font color=\"comment\">●</font> ",
    };
    let footer = DIALECT.plain(&message.footer, 300);
    let footer = format!("\n<font color=\"comment\">{footer}</font>");
    let around = DIALECT.cost_of(dot) + DIALECT.cost_of(&footer);
    let text = compose(&DIALECT, message, true, CONTENT_BYTES_MAX - around);
    json!({
        "msgtype": "markdown",
        "markdown": { "content": format!("{dot}{text}{footer}") },
    })
}
