//! The chat formats: an event as a message for people, one file for each chat.
//!
//! [`message`] chooses the content. `compose` writes it in a chat's markup, within the chat's size limit.
//! Each chat's file holds that markup and the JSON around it. Foreign text is always escaped: nobody can
//! mention a group or hide a link in the title of an issue.

mod compose;
mod dingtalk;
mod discord;
mod feishu;
mod json_pretty;
mod message;
mod slack;
mod wecom;

use serde_json::Value;

use super::{Content, RenderContext};
use crate::model::activity::Tone;
use crate::model::chat::Chat;
use crate::model::endpoint::Endpoint;
use crate::model::sendable::SendableEvent;

use message::Message;

/// What is sent to a chat, and the query parameters that the URL gets for this attempt.
pub(super) struct Post {
    pub(super) content: Content,
    pub(super) query: Vec<(&'static str, String)>,
}

pub(super) fn post(
    chat: Chat,
    endpoint: &Endpoint,
    event: &SendableEvent,
    context: &RenderContext<'_>,
) -> Post {
    let message = Message::of(event, context.webhook_id);
    let secret = endpoint.secrets_at(context.now).first().copied();
    let mut query = Vec::new();
    let body = match chat {
        Chat::Slack => slack::body(&message),
        Chat::Discord => {
            // Without `wait`, Discord answers before it has saved the message and reports no error.
            query.push(("wait", "true".to_owned()));
            discord::body(&message)
        }
        Chat::Dingtalk => {
            let signed = secret.map(|secret| dingtalk::signed(secret, context.now));
            query.extend(signed.into_iter().flatten());
            dingtalk::body(&message, context.delivery)
        }
        Chat::Wecom => wecom::body(&message),
        Chat::Feishu => feishu::body(&message, secret, context.now),
    };
    Post {
        content: Content {
            content_type: Some("application/json; charset=utf-8".to_owned()),
            headers: Vec::new(),
            body: to_bytes(&body),
        },
        query,
    }
}

fn to_bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

/// Returns a tone's colour, `0xRRGGBB`.
fn colour(tone: Tone) -> u32 {
    match tone {
        Tone::Plain => 0x2f_6f_de,
        Tone::Good => 0x2d_a4_4e,
        Tone::Done => 0x82_50_df,
        Tone::Bad => 0xcf_22_2e,
        Tone::Quiet => 0x8c_95_9f,
    }
}
