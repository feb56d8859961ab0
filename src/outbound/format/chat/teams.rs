//! Microsoft Teams, by a workflow or an old connector: an Adaptive Card.
//!
//! Source: Microsoft, "Create and send messages", "Format cards in Teams" and "Adaptive Cards for Teams". Of
//! Markdown, cards have bold, italics, lists and links; headings, quotes and code they have not.

use serde_json::{Value, json};

use super::compose::{BREAK, Dialect, Place, Quote, Start, compose, json_bytes};
use super::markdown;
use super::message::Message;
use crate::model::activity::Tone;
use crate::model::line::one_line;

/// Limit of a whole request, in bytes: "about 28 KB", of which cards of more than 18 KB were seen refused.
const BODY_BYTES_MAX: usize = 18_000;

/// Bytes of a request that are not the text: the JSON around it, header and footer.
const AROUND_BYTES_MAX: usize = 3_000;

const DIALECT: Dialect = Dialect {
    escape,
    quote: Quote::each_line("┃ "),
    fence: None,
    line_end: "\n\n",
    cost: json_bytes,
    ..markdown::DIALECT
};

fn escape(letter: char, place: Place, out: &mut String) {
    match letter {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        // {{DATE(...)}} would be a date.
        '{' => out.extend(['{', BREAK]),
        '#' | '-' | '+' | '=' if place.after == Start::Blank => out.extend([BREAK, letter]),
        '.' | ')' if place.after == Start::Number => out.extend([BREAK, letter]),
        '\\' | '*' | '_' | '~' | '[' | ']' => out.extend(['\\', letter]),
        '`' => out.push('\u{2cb}'),
        letter => out.push(letter),
    }
}

pub(super) fn body(message: &Message) -> Value {
    let style = match message.tone {
        Tone::Plain => "accent",
        Tone::Good => "good",
        Tone::Done => "emphasis",
        Tone::Bad => "attention",
        Tone::Quiet => "default",
    };
    let place = message.place.as_ref().map(|place| place.text.as_str());
    let title = DIALECT.plain(place.unwrap_or(&message.summary), 200);
    let text = compose(&DIALECT, message, false, BODY_BYTES_MAX - AROUND_BYTES_MAX);
    let block = |text: &str| json!({ "type": "TextBlock", "wrap": true, "text": text });
    let mut head = block(&title);
    head["weight"] = json!("Bolder");
    let mut footer = block(&DIALECT.plain(&message.footer, 300));
    footer["size"] = json!("Small");
    footer["isSubtle"] = json!(true);
    json!({
        "type": "message",
        // What notifications and old apps show.
        "summary": one_line(&message.summary, 300),
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                // What phones know as well.
                "version": "1.2",
                "msteams": { "width": "Full" },
                "body": [
                    { "type": "Container", "style": style, "bleed": true, "items": [head] },
                    block(&text),
                    footer,
                ],
            },
        }],
    })
}
