//! Matrix: a notice in a room, as HTML and as text.
//!
//! Source: Matrix specification 1.11, client-server API, "Sending events to a room" and "m.room.message"; its
//! module "User and room mentions".

use serde_json::{Value, json};

use super::compose::{Dialect, Quote, compose, json_bytes};
use super::message::Message;
use super::{html, ntfy};
use crate::error::Result;
use crate::model::endpoint::EndpointUrl;

/// An event may be 65,536 bytes in all, with what servers add to it.
const HTML_BYTES_MAX: usize = 16_000;
const TEXT_BYTES_MAX: usize = 10_000;

const DIALECT: Dialect = Dialect {
    quote: Quote {
        before: "<blockquote>",
        line: "",
        after: "</blockquote>",
    },
    line_end: "<br>",
    cost: json_bytes,
    ..html::DIALECT
};

/// Where the message goes: the last part of the path is its name, and a server takes a name once.
pub(super) fn address(url: &EndpointUrl, name: Option<&str>) -> Result<EndpointUrl> {
    let name = name.unwrap_or("preview");
    let path = url.uri().path().trim_end_matches('/');
    url.with_path(&format!("{path}/{name}"))
}

pub(super) fn body(message: &Message) -> Value {
    let text = compose(&ntfy::DIALECT, message, true, TEXT_BYTES_MAX);
    let html = compose(&DIALECT, message, true, HTML_BYTES_MAX);
    let footer = DIALECT.plain(&message.footer, 300);
    json!({
        "msgtype": "m.notice",
        "body": text,
        "format": "org.matrix.custom.html",
        "formatted_body": format!("{}{html}<br>{footer}", super::dot(message.tone)),
        // Nobody is meant, whatever the text says.
        "m.mentions": {},
    })
}
