//! The chat formats: an event as a message for people, one file for each chat.
//!
//! [`message`] chooses the content. `compose` writes it in a chat's markup, within the chat's size limit.
//! Each chat's file holds that markup and the JSON around it. Foreign text is always escaped: nobody can
//! mention a group or hide a link in the title of an issue.

mod compose;
mod dingtalk;
mod discord;
mod feishu;
mod html;
mod json_pretty;
mod markdown;
mod matrix;
mod mattermost;
mod message;
mod ntfy;
mod rocketchat;
mod slack;
mod teams;
mod telegram;
mod web_url;
mod wecom;

use serde_json::Value;

use super::{Content, Outgoing, name_of};
use crate::error::Result;
use crate::model::activity::Tone;
use crate::model::chat::Chat;
use crate::model::connection::Method;
use crate::model::endpoint::{Endpoint, EndpointUrl};
use crate::time::Timestamp;

use message::Message;

/// What is sent to a chat, and where to: for many chats the URL is another for each attempt.
pub(super) struct Post {
    pub(super) content: Content,
    pub(super) method: Method,
    pub(super) url: EndpointUrl,
}

/// Makes the message of an event, or one message of many.
pub(super) fn post(
    chat: Chat,
    endpoint: &Endpoint,
    events: &[Outgoing],
    now: Timestamp,
) -> Result<Post> {
    let message = match events {
        [one] => Message::of(&one.event, &one.webhook_id),
        events => Message::digest(events),
    };
    let secret = endpoint.secrets_at(now).first().copied();
    let name = name_of(events);
    let mut url = endpoint.set.url.clone();
    let mut method = Method::Post;
    let body = match chat {
        Chat::Slack => slack::body(&message),
        Chat::Discord => {
            // Without `wait`, Discord answers before it has saved the message and reports no error.
            url = url.with_query(&[("wait", "true".to_owned())])?;
            discord::body(&message)
        }
        Chat::Dingtalk => {
            if let Some(secret) = secret {
                url = url.with_query(&dingtalk::signed(secret, now))?;
            }
            dingtalk::body(&message, name.as_deref())
        }
        Chat::Wecom => wecom::body(&message),
        Chat::Feishu => feishu::body(&message, secret, now),
        Chat::Teams => teams::body(&message),
        Chat::Matrix => {
            method = Method::Put;
            url = matrix::address(&url, name.as_deref())?;
            matrix::body(&message)
        }
        Chat::Telegram => {
            let body = telegram::body(&message, &url);
            url = telegram::address(&url)?;
            body
        }
        Chat::Mattermost => mattermost::body(&message),
        Chat::Rocketchat => rocketchat::body(&message),
        Chat::Ntfy => {
            let body = ntfy::body(&message, &url, name.as_deref());
            url = url.with_path("/")?;
            body
        }
    };
    Ok(Post {
        content: Content {
            content_type: Some("application/json; charset=utf-8".to_owned()),
            headers: Vec::new(),
            body: to_bytes(&body),
        },
        method,
        url,
    })
}

fn to_bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

/// Returns a dot in a tone's colour, for chats whose messages have none.
fn dot(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "🔵 ",
        Tone::Good => "🟢 ",
        Tone::Done => "🟣 ",
        Tone::Bad => "🔴 ",
        Tone::Quiet => "⚪ ",
    }
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
