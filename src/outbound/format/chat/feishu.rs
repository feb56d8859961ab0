//! Feishu's and Lark's bots: a card with a coloured header, signed in the body.
//!
//! Source: Feishu, "Custom bot usage guide", "Card JSON 1.0 structure" and its rich text component, whose
//! special characters are written as HTML entities.

use serde_json::{Value, json};

use super::compose::{Dialect, Place, Quote, Start, compose, json_bytes};
use super::markdown;
use super::message::Message;
use crate::model::activity::Tone;
use crate::model::line::one_line;
use crate::signature::{Secret, feishu};
use crate::time::Timestamp;

/// Limit of a whole request, in bytes, signature included: "20 KB", read as the smaller value.
const BODY_BYTES_MAX: usize = 20_000;

/// Bytes of a request that are not the text: the JSON around it, header, footer and signature.
const AROUND_BYTES_MAX: usize = 3_000;

const DIALECT: Dialect = Dialect {
    escape,
    // Cards have no quote markup in the version that old clients can show.
    quote: Quote::each_line("┃ "),
    fence: None,
    cost: json_bytes,
    ..markdown::DIALECT
};

fn escape(letter: char, place: Place, out: &mut String) {
    let is_marked = match letter {
        '&' | '<' | '>' | '*' | '~' | '_' | '`' | '[' | ']' | '(' | ')' | '!' | '\\' => true,
        '#' | '-' | '+' | '=' => place.after == Start::Blank,
        '.' => place.after == Start::Number,
        _ => false,
    };
    if is_marked {
        out.push_str(&format!("&#{};", u32::from(letter)));
    } else {
        out.push(letter);
    }
}

pub(super) fn body(message: &Message, secret: Option<&Secret>, now: Timestamp) -> Value {
    let colour = match message.tone {
        Tone::Plain => "blue",
        Tone::Good => "green",
        Tone::Done => "purple",
        Tone::Bad => "red",
        Tone::Quiet => "grey",
    };
    let place = message.place.as_ref().map(|place| place.text.as_str());
    let title = one_line(place.unwrap_or(&message.summary), 200);
    let plain = |text: &str| json!({ "tag": "plain_text", "content": text });
    let text = compose(&DIALECT, message, false, BODY_BYTES_MAX - AROUND_BYTES_MAX);
    let mut body = json!({
        "msg_type": "interactive",
        "card": {
            "config": { "wide_screen_mode": true },
            "header": { "template": colour, "title": plain(&title) },
            "elements": [
                { "tag": "markdown", "content": text },
                { "tag": "note", "elements": [plain(&one_line(&message.footer, 300))] },
            ],
        },
    });
    if let Some(secret) = secret {
        for (name, value) in feishu::sign(secret, now) {
            body[name] = json!(value);
        }
    }
    body
}
