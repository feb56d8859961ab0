//! The fake of a chat, which holds every rule that the chat's pages state, and the bench around it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use hookbox::model::attempt::Response;
use hookbox::model::attempt::Timing;
use hookbox::model::chat::Chat;
use hookbox::model::connection::Method;
use hookbox::model::digest::Digest;
use hookbox::model::endpoint::{Endpoint, Format, NewEndpoint};
use hookbox::model::event::NewEvent;
use hookbox::model::kind::SourceKind;
use hookbox::model::source::NewSource;
use hookbox::outbound::{Exchange, OutboundRequest, SendResult, Transport};
use hookbox::signature::Secret;
use hookbox::time::{Clock, ManualClock, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::messages::{auth_of, path_of};
use crate::support::{Bench, DAY, NOON};

pub const SECRET: &str = "SEC0123456789abcdef";

/// A chat that refuses what its pages say it refuses.
pub struct Robot {
    pub chat: Chat,
    pub clock: Arc<ManualClock>,
    pub state: Mutex<State>,
}

#[derive(Default)]
pub struct State {
    pub random: fastrand::Rng,
    /// When messages came, those that count for its limits.
    pub came: VecDeque<Duration>,
    /// What was taken, in order.
    pub taken: Vec<Value>,
    /// What was refused, and why.
    pub refused: Vec<String>,
    /// A text that it refuses a message for.
    pub hates: Option<(String, u16)>,
    /// Whether it cannot be reached.
    pub is_away: bool,
    /// Answers to give first, whatever comes.
    pub first: VecDeque<Said>,
}

/// What a robot answers: status, headers, body; and why it refuses, if it does.
pub struct Said {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub refusal: Option<String>,
}

impl Robot {
    pub fn new(chat: Chat, clock: &Arc<ManualClock>) -> Robot {
        let state = State {
            random: fastrand::Rng::with_seed(3),
            ..State::default()
        };
        Robot {
            chat,
            clock: clock.clone(),
            state: Mutex::new(state),
        }
    }

    pub fn say_first(&self, status: u16, headers: &[(&str, &str)], body: &str) {
        let headers = headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let answer = Said {
            status,
            headers: headers.collect(),
            body: body.to_owned(),
            refusal: None,
        };
        self.state.lock().unwrap().first.push_back(answer);
    }

    /// Why the chat does not take the message, besides its pace.
    fn refusal(&self, request: &OutboundRequest) -> Option<String> {
        let message: Value = match serde_json::from_slice(&request.body) {
            Ok(message) => message,
            Err(error) => return Some(format!("no JSON: {error}")),
        };
        let content_type = request
            .headers
            .iter()
            .find(|(name, _)| name == "Content-Type");
        if content_type.is_none_or(|(_, value)| !value.starts_with("application/json")) {
            return Some("content type".to_owned());
        }
        let now = self.clock.now();
        let is_recent =
            |at: Timestamp| now.since(at).max(at.since(now)) <= Duration::from_secs(3_600);
        let length = |value: &Value| value.as_str().map(|text| text.encode_utf16().count());
        match self.chat {
            Chat::Slack => {
                let attachment = &message["attachments"][0];
                let fits = length(&attachment["text"])
                    .is_some_and(|length| (1..=40_000).contains(&length));
                (!fits || attachment["fallback"].as_str().is_none_or(str::is_empty))
                    .then(|| "invalid_payload".to_owned())
            }
            Chat::Discord => {
                let embed = &message["embeds"][0];
                let description = length(&embed["description"]).unwrap_or(0);
                let footer = length(&embed["footer"]["text"]).unwrap_or(0);
                let fits = (1..=4_096).contains(&description)
                    && footer <= 2_048
                    && description + footer <= 6_000;
                let waits = parameter(request, "wait").as_deref() == Some("true");
                let is_colour = embed["color"]
                    .as_u64()
                    .is_some_and(|colour| colour < 1 << 24);
                (!fits || !waits || !is_colour).then(|| "50035".to_owned())
            }
            Chat::Dingtalk => {
                let Some(stamp) = parameter(request, "timestamp") else {
                    return Some("310000 sign not match".to_owned());
                };
                let expected = hmac(SECRET.as_bytes(), format!("{stamp}\n{SECRET}").as_bytes());
                let markdown = &message["markdown"];
                if parameter(request, "sign") != Some(expected) {
                    return Some("310000 sign not match".to_owned());
                }
                if !is_recent(Timestamp(stamp.parse().unwrap())) {
                    return Some("310000 invalid timestamp".to_owned());
                }
                if !message.to_string().contains("hookbox") {
                    return Some("310000 keywords not in content".to_owned());
                }
                let is_whole = message["msgtype"] == "markdown"
                    && markdown["title"]
                        .as_str()
                        .is_some_and(|title| !title.is_empty())
                    && markdown["text"].is_string()
                    && message["msgUuid"]
                        .as_str()
                        .is_some_and(|id| id.starts_with("dlv_"));
                (!is_whole || request.body.len() > 20_000).then(|| "460101".to_owned())
            }
            Chat::Wecom => {
                let content = message["markdown"]["content"].as_str().unwrap_or_default();
                let fits = message["msgtype"] == "markdown" && (1..=4_096).contains(&content.len());
                (!fits || parameter(request, "key").is_none()).then(|| "45002".to_owned())
            }
            Chat::Feishu => {
                let stamp = message["timestamp"].as_str().unwrap_or_default();
                let expected = hmac(format!("{stamp}\n{SECRET}").as_bytes(), b"");
                if message["sign"] != json!(expected) {
                    return Some("19021 sign match fail".to_owned());
                }
                if !is_recent(Timestamp(stamp.parse::<i64>().unwrap() * 1_000)) {
                    return Some("19021 timestamp".to_owned());
                }
                if !message["card"].to_string().contains("hookbox") {
                    return Some("19024 Key Words Not Found".to_owned());
                }
                let is_card = message["msg_type"] == "interactive"
                    && message["card"]["elements"][0]["content"].is_string();
                (!is_card || request.body.len() > 20_000).then(|| "9499 Bad Request".to_owned())
            }
            Chat::Teams => {
                let card = &message["attachments"][0];
                let is_card = card["contentType"] == "application/vnd.microsoft.card.adaptive"
                    && card["content"]["type"] == "AdaptiveCard"
                    && card["content"]["body"].is_array();
                (!is_card || request.body.len() > 28_000).then(|| "BadRequest".to_owned())
            }
            Chat::Matrix => {
                let path = request.url.uri().path();
                let room = "/_matrix/client/v3/rooms/!lamps:example.org/send/m.room.message/dlv_";
                let is_notice = message["msgtype"] == "m.notice"
                    && message["format"] == "org.matrix.custom.html"
                    && message["body"].is_string()
                    && message["m.mentions"] == json!({});
                let is_put = request.method == Method::Put && path.starts_with(room);
                (!is_notice || !is_put || request.body.len() > 60_000)
                    .then(|| "M_BAD_JSON".to_owned())
            }
            Chat::Telegram => {
                let is_whole = request.url.as_text().ends_with("/bot7:T0K3N/sendMessage")
                    && message["chat_id"] == -1007
                    && message["message_thread_id"] == 3
                    && message["parse_mode"] == "HTML";
                let fits = length(&message["text"]).is_some_and(|length| length <= 4_096);
                (!is_whole || !fits).then(|| "Bad Request: message is too long".to_owned())
            }
            Chat::Mattermost | Chat::Rocketchat => {
                let attachment = &message["attachments"][0];
                let most = if self.chat == Chat::Mattermost {
                    16_383
                } else {
                    5_000
                };
                let fits =
                    length(&attachment["text"]).is_some_and(|length| (1..=most).contains(&length));
                (!fits).then(|| "no text".to_owned())
            }
            Chat::Ntfy => {
                let text = message["message"].as_str().unwrap_or_default();
                let fits = (1..=4_095).contains(&text.len()) && request.body.len() <= 8_192;
                let is_whole = message["topic"] == "lamps"
                    && request.url.uri().path() == "/"
                    && message["sequence_id"]
                        .as_str()
                        .is_some_and(|id| id.starts_with("dlv_") && id.len() <= 64);
                (!fits || !is_whole).then(|| "40024".to_owned())
            }
        }
    }

    /// How many messages it takes in how much time.
    pub fn limits(&self) -> Vec<(usize, Duration)> {
        let second = Duration::from_secs(1);
        match self.chat {
            Chat::Slack => vec![(1, second)],
            Chat::Discord => vec![(5, 2 * second)],
            Chat::Dingtalk | Chat::Wecom => vec![(20, 60 * second)],
            Chat::Feishu => vec![(5, second), (100, 60 * second)],
            Chat::Teams => vec![(4, second), (60, 30 * second), (100, 3_600 * second)],
            Chat::Matrix => vec![(10, 50 * second)],
            Chat::Telegram => vec![(1, second), (20, 60 * second)],
            Chat::Mattermost => Vec::new(),
            Chat::Rocketchat => vec![(10, 60 * second)],
            Chat::Ntfy => vec![(60, 300 * second)],
        }
    }

    fn answer(&self, request: &OutboundRequest, state: &mut State) -> Said {
        let now = self.clock.elapsed();
        let is_late = |(count, span): &(usize, Duration)| {
            let recent = state.came.iter().filter(|at| **at + *span > now).count();
            recent >= *count
        };
        let mut refusal = self.refusal(request);
        let hated = state.hates.clone();
        let hated = hated.filter(|(text, _)| String::from_utf8_lossy(&request.body).contains(text));
        if hated.is_some() {
            refusal = Some("invalid_attachments".to_owned());
        }
        if self.limits().iter().any(is_late) {
            refusal = Some("too fast".to_owned());
        }
        state.came.push_back(now);
        while state.came.len() > 200 {
            state.came.pop_front();
        }
        let is_taken = refusal.is_none();
        let (mut status, mut headers) = (200, Vec::new());
        let body = match (self.chat, &refusal) {
            (Chat::Slack, None) => "ok".to_owned(),
            (Chat::Slack, Some(why)) => {
                status = if why == "too fast" { 429 } else { 400 };
                why.clone()
            }
            (Chat::Discord, _) => {
                let (count, span) = self.limits()[0];
                let recent: Vec<_> = state.came.iter().filter(|at| **at + span > now).collect();
                let remaining = count.saturating_sub(recent.len());
                let reset = (**recent.first().unwrap() + span)
                    .saturating_sub(now)
                    .as_secs_f64();
                headers.push(("x-ratelimit-remaining".to_owned(), remaining.to_string()));
                headers.push(("x-ratelimit-reset-after".to_owned(), format!("{reset:.3}")));
                status = match refusal.as_deref() {
                    None => 200,
                    Some("too fast") => 429,
                    Some(_) => 400,
                };
                json!({ "id": "1", "code": 50035, "retry_after": reset }).to_string()
            }
            (Chat::Dingtalk | Chat::Wecom, None) => r#"{"errcode":0,"errmsg":"ok"}"#.to_owned(),
            (Chat::Dingtalk | Chat::Wecom, Some(why)) => {
                let code: i64 = why.split(' ').next().unwrap().parse().unwrap_or(130_101);
                json!({ "errcode": code, "errmsg": why }).to_string()
            }
            (Chat::Feishu, None) => r#"{"code":0,"msg":"success"}"#.to_owned(),
            (Chat::Feishu, Some(why)) => {
                let code: i64 = why.split(' ').next().unwrap().parse().unwrap_or(11_232);
                json!({ "code": code, "msg": why }).to_string()
            }
            (chat, refusal) => {
                status = match refusal.as_deref() {
                    None if chat == Chat::Teams => 202,
                    None => 200,
                    Some("too fast") => 429,
                    Some(_) => 400,
                };
                let why = refusal.as_deref().unwrap_or_default();
                match (chat, refusal.is_none()) {
                    (Chat::Matrix, true) => r#"{"event_id":"$x"}"#.to_owned(),
                    (Chat::Matrix, false) => json!({ "errcode": why }).to_string(),
                    (Chat::Telegram, ok) => {
                        json!({ "ok": ok, "error_code": status, "description": why }).to_string()
                    }
                    (Chat::Mattermost, true) => "ok".to_owned(),
                    (Chat::Rocketchat, ok) => {
                        json!({ "success": ok, "error": (!ok).then_some(why) }).to_string()
                    }
                    (Chat::Ntfy, true) => r#"{"id":"x","event":"message"}"#.to_owned(),
                    (Chat::Ntfy, false) => json!({ "code": why }).to_string(),
                    _ => String::new(),
                }
            }
        };
        if let Some((_, hated)) = hated {
            status = hated;
        }
        if is_taken {
            state
                .taken
                .push(serde_json::from_slice(&request.body).unwrap());
        }
        Said {
            status,
            headers,
            body,
            refusal,
        }
    }
}

/// The fake as the scheduler has it.
struct Line(Arc<Robot>);

impl Transport for Line {
    fn send(&self, _: &Endpoint, request: &OutboundRequest) -> Exchange {
        let robot = &self.0;
        let mut state = robot.state.lock().unwrap();
        if state.is_away {
            return Exchange {
                timing: Timing::default(),
                result: crate::support::unreachable(),
            };
        }
        let (there, back) = (state.random.u64(5..150), state.random.u64(5..150));
        robot.clock.advance(Duration::from_millis(there));
        let said = match state.first.pop_front() {
            Some(said) => said,
            None => robot.answer(request, &mut state),
        };
        state.refused.extend(said.refusal);
        robot.clock.advance(Duration::from_millis(back));
        Exchange {
            timing: Timing::default(),
            result: SendResult::Replied(Response {
                status: said.status,
                headers: said.headers,
                body: said.body.into_bytes(),
                ..Response::default()
            }),
        }
    }
}

/// A bench with one endpoint of this chat and a source of Gogs, and the robot behind it.
pub fn bench(chat: Chat) -> (Bench, Arc<Robot>) {
    let mut robot = None;
    let bench = Bench::over(|_, clock| {
        let made = Arc::new(Robot::new(chat, clock));
        robot = Some(made.clone());
        Arc::new(Line(made))
    });
    bench.endpoint_with("team", |new: &mut NewEndpoint| {
        new.format = Format::Chat(chat);
        new.digest = Digest::Never;
        new.connection.auth = auth_of(chat);
        let path = path_of(chat);
        let query = if path.contains('?') {
            ""
        } else {
            "?key=k3y&sign=old"
        };
        new.url = format!("https://chat.example.org{path}{query}")
            .parse()
            .unwrap();
        if matches!(chat, Chat::Dingtalk | Chat::Feishu) {
            new.secret = Some(Secret::new(SECRET).unwrap());
        }
    });
    let source = NewSource::new("gogs", SourceKind::Gogs);
    bench.store.add_source(source, NOON).unwrap();
    (bench, robot.unwrap())
}

/// An event whose text is now short, now far too long, now all of one kind of letter.
pub fn issue(number: usize) -> NewEvent {
    let letters = ["灯", "x", "\"", "*", "<", "\n", "&", "😀"];
    let text = letters[number % letters.len()].repeat(number * 37 % 9_000);
    let body = json!({
        "action": "opened",
        "number": number,
        "issue": { "number": number, "title": format!("{text:.50} no. {number}"), "body": text },
        "repository": { "full_name": "lighthouse/beacon", "html_url": "https://git.example.org/lighthouse/beacon" },
        "sender": { "login": "mira" },
    });
    NewEvent {
        content_type: Some("application/json".to_owned()),
        ..NewEvent::new("issues", body.to_string())
    }
}

pub fn accept(bench: &Bench, event: NewEvent) {
    let source = bench.store.source_id("gogs").unwrap();
    let event = NewEvent {
        source: Some(source),
        ..event
    };
    bench.store.accept(event, bench.now()).unwrap();
}

/// Runs until nothing is pending, a step at a time; how long that took.
pub fn drain(bench: &mut Bench, step: Duration) -> Duration {
    let began = bench.clock.elapsed();
    loop {
        bench.run_due();
        if bench.store.stats().unwrap().pending == 0 {
            return bench.clock.elapsed() - began;
        }
        bench.advance(step);
        assert!(bench.clock.elapsed() - began < DAY, "it comes to an end");
    }
}

pub fn number_of(message: &Value) -> usize {
    let text = message.to_string();
    let (_, rest) = text.split_once("issue #").unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

pub fn hmac(key: &[u8], message: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    STANDARD.encode(mac.finalize().into_bytes())
}

fn parameter(request: &OutboundRequest, name: &str) -> Option<String> {
    let url = request.url.as_text();
    let (_, query) = url.split_once('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(held, _)| held == name)
        .map(|(_, value)| value.into_owned())
}
