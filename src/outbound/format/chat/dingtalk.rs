//! DingTalk's custom robots: message type markdown, signed in the URL's query.
//!
//! Source: DingTalk, "Custom robot access" and "Custom robot security settings".

use serde_json::{Value, json};

use super::compose::{Dialect, compose, json_bytes};
use super::markdown;
use super::message::Message;
use crate::model::line::one_line;
use crate::signature::{Secret, dingtalk};
use crate::time::Timestamp;

/// Limit of a whole request, in bytes.
const BODY_BYTES_MAX: usize = 20_000;

/// Bytes of a request that are not the text: the JSON around it, the title, the id.
const AROUND_BYTES_MAX: usize = 2_000;

const DIALECT: Dialect = Dialect {
    fence: None,
    // A single line feed does not end a line in DingTalk's markdown.
    line_end: "  \n",
    cost: json_bytes,
    ..markdown::DIALECT
};

pub(super) fn signed(secret: &Secret, now: Timestamp) -> [(&'static str, String); 2] {
    dingtalk::sign(secret, now)
}

pub(super) fn body(message: &Message, delivery: Option<&str>) -> Value {
    // DingTalk documents no colours for its markdown, so a coloured dot shows the tone.
    let dot = super::dot(message.tone);
    let text = compose(&DIALECT, message, true, BODY_BYTES_MAX - AROUND_BYTES_MAX);
    // The footer holds only names and an id, so it needs no escaping.
    let footer = one_line(&message.footer, 300);
    let mut body = json!({
        "msgtype": "markdown",
        "markdown": {
            "title": one_line(&message.summary, 100),
            "text": format!("{dot}{text}\n\n{footer}"),
        },
    });
    if let Some(delivery) = delivery {
        // The id is the same over all tries of a delivery. So a message that arrived, but whose response
        // was lost, is not shown twice.
        body["msgUuid"] = json!(delivery);
    }
    body
}
