//! The five chats: fakes that hold every rule that their pages state take a thousand events each,
//! and what they refuse is told and paced as it should be.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use hookbox::model::attempt::Timing;
use hookbox::model::chat::Chat;
use hookbox::model::endpoint::{Endpoint, EndpointUrl, Format, NewEndpoint};
use hookbox::model::event::NewEvent;
use hookbox::model::kind::SourceKind;
use hookbox::model::source::NewSource;
use hookbox::outbound::{Answer, Exchange, OutboundRequest, Reply, Transport};
use hookbox::signature::Secret;
use hookbox::store::{DeliveryFilter, PAGE_MAX, ReplayOptions, Store};
use hookbox::time::{Clock, ManualClock, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Bench, DAY, NOON, PUSH, Receiver, Script, TestDb, replied, wait_until};

const SECRET: &str = "SEC0123456789abcdef";

/// A chat that refuses what its pages say it refuses.
struct Robot {
    chat: Chat,
    clock: Arc<ManualClock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    random: fastrand::Rng,
    /// When messages came, those that count for its limits.
    came: VecDeque<Duration>,
    /// What was taken, in order.
    taken: Vec<Value>,
    /// What was refused, and why.
    refused: Vec<String>,
    /// Answers to give first, whatever comes.
    first: VecDeque<Said>,
}

/// What a robot answers: status, headers, body; and why it refuses, if it does.
struct Said {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    refusal: Option<String>,
}

fn hmac(key: &[u8], message: &[u8]) -> String {
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

impl Robot {
    fn new(chat: Chat, clock: &Arc<ManualClock>) -> Robot {
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

    fn say_first(&self, status: u16, headers: &[(&str, &str)], body: &str) {
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
        }
    }

    /// How many messages it takes in how much time.
    fn limits(&self) -> Vec<(usize, Duration)> {
        let second = Duration::from_secs(1);
        match self.chat {
            Chat::Slack => vec![(1, second)],
            Chat::Discord => vec![(5, 2 * second)],
            Chat::Dingtalk | Chat::Wecom => vec![(20, 60 * second)],
            Chat::Feishu => vec![(5, second), (100, 60 * second)],
        }
    }

    fn answer(&self, request: &OutboundRequest, state: &mut State) -> Said {
        let now = self.clock.elapsed();
        let is_late = |(count, span): &(usize, Duration)| {
            let recent = state.came.iter().filter(|at| **at + *span > now).count();
            recent >= *count
        };
        let mut refusal = self.refusal(request);
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
        };
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
            answer: Answer::Replied(Reply {
                status: said.status,
                headers: said.headers,
                body: said.body.into_bytes(),
                ..Reply::default()
            }),
        }
    }
}

/// A bench with one endpoint of this chat and a source of Gogs, and the robot behind it.
fn bench(chat: Chat) -> (Bench, Arc<Robot>) {
    let mut robot = None;
    let bench = Bench::over(|_, clock| {
        let made = Arc::new(Robot::new(chat, clock));
        robot = Some(made.clone());
        Arc::new(Line(made))
    });
    bench.endpoint_with("team", |new: &mut NewEndpoint| {
        new.format = Format::Chat(chat);
        new.url = "https://chat.example.org/robot?key=k3y&sign=old"
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
fn issue(number: usize) -> NewEvent {
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

fn accept(bench: &Bench, event: NewEvent) {
    let source = bench.store.source_id("gogs").unwrap();
    let event = NewEvent {
        source: Some(source),
        ..event
    };
    bench.store.accept(event, bench.now()).unwrap();
}

/// Runs until nothing is pending, a step at a time; how long that took.
fn drain(bench: &mut Bench, step: Duration) -> Duration {
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

fn number_of(message: &Value) -> usize {
    let text = message.to_string();
    let (_, rest) = text.split_once("issue #").unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn a_thousand_events_go_through_each_chat_in_order_and_none_is_refused() {
    for chat in Chat::ALL {
        let (mut bench, robot) = bench(chat);
        for number in 0..1_000 {
            accept(&bench, issue(number));
        }
        // A signature made when they were accepted would be out of date.
        bench.advance(Duration::from_secs(2 * 3_600));
        let finest = robot.limits().iter().map(|(_, span)| *span).min().unwrap();
        let took = drain(&mut bench, finest / 10);
        let state = robot.state.lock().unwrap();
        assert_eq!(state.refused, Vec::<String>::new(), "{}", chat.name());
        let numbers: Vec<usize> = state.taken.iter().map(number_of).collect();
        assert_eq!(
            numbers,
            (0..1_000).collect::<Vec<usize>>(),
            "{}",
            chat.name()
        );
        let stats = bench.store.stats().unwrap();
        assert_eq!((stats.delivered, stats.dead), (1_000, 0), "{}", chat.name());
        // And not much slower than the chat allows.
        let limits = robot.limits();
        let fastest = limits
            .iter()
            .map(|(count, span)| span.mul_f64(1_000.0 / *count as f64));
        let fastest = fastest.max().unwrap();
        assert!(
            took < fastest.mul_f64(1.5),
            "{}: {took:?} of {fastest:?}",
            chat.name()
        );
    }
}

#[test]
fn a_restart_begins_no_new_minute() {
    for chat in [Chat::Dingtalk, Chat::Feishu] {
        let (mut bench, robot) = bench(chat);
        for number in 0..300 {
            accept(&bench, issue(number));
        }
        for _ in 0..40 {
            bench.run_due();
            bench.advance(Duration::from_millis(700));
            bench.restart();
        }
        drain(&mut bench, Duration::from_millis(500));
        let state = robot.state.lock().unwrap();
        assert_eq!(
            (state.refused.len(), state.taken.len()),
            (0, 300),
            "{}",
            chat.name()
        );
    }
}

#[test]
fn replays_pass_the_same_bucket() {
    let (mut bench, robot) = bench(Chat::Wecom);
    for number in 0..20 {
        accept(&bench, issue(number));
    }
    drain(&mut bench, Duration::from_secs(1));
    let ids: Vec<_> = bench
        .store
        .deliveries(&DeliveryFilter::default(), PAGE_MAX)
        .unwrap()
        .iter()
        .map(|delivery| delivery.id)
        .collect();
    bench
        .store
        .replay(ids, ReplayOptions::default(), bench.now())
        .unwrap();
    drain(&mut bench, Duration::from_secs(1));
    let state = robot.state.lock().unwrap();
    assert_eq!((state.refused.len(), state.taken.len()), (0, 40));
}

#[test]
fn a_chat_that_asks_for_less_gets_nothing_for_as_long_and_then_everything_in_order() {
    for (chat, status, headers, body, pause) in [
        (Chat::Slack, 429, &[("retry-after", "30")][..], "", 30),
        (
            Chat::Discord,
            429,
            &[("retry-after", "3")],
            r#"{"retry_after":2.5}"#,
            3,
        ),
        (
            Chat::Dingtalk,
            200,
            &[],
            r#"{"errcode":130101,"errmsg":"send too fast"}"#,
            60,
        ),
        (
            Chat::Wecom,
            200,
            &[],
            r#"{"errcode":45009,"errmsg":"freq"}"#,
            60,
        ),
        (
            Chat::Feishu,
            400,
            &[("x-ogw-ratelimit-reset", "20")],
            r#"{"code":99991400}"#,
            20,
        ),
    ] {
        let (mut bench, robot) = bench(chat);
        robot.say_first(status, headers, body);
        for number in 0..5 {
            accept(&bench, issue(number));
        }
        assert_eq!(
            bench.run_due(),
            1,
            "{}: the others wait as well",
            chat.name()
        );
        let waits = bench
            .store
            .deliveries(&DeliveryFilter::default(), 10)
            .unwrap();
        for row in &waits {
            assert_eq!(row.waiting(bench.now()), Some("pace"), "{}", chat.name());
            assert_eq!(row.tries, 0, "{}: it spends none", chat.name());
        }
        // The one that was refused says why.
        assert!(waits[4].reason.is_some(), "{}", chat.name());
        bench.advance(Duration::from_secs(pause - 1));
        assert_eq!(bench.run_due(), 0, "{}", chat.name());
        drain(&mut bench, Duration::from_secs(1));
        let state = robot.state.lock().unwrap();
        assert_eq!(state.refused, Vec::<String>::new(), "{}", chat.name());
        let numbers: Vec<usize> = state.taken.iter().map(number_of).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4], "{}", chat.name());
    }
}

#[test]
fn a_robot_that_is_no_more_holds_its_endpoint_and_the_rest_waits() {
    for (chat, status, body, says) in [
        (
            Chat::Slack,
            404,
            "no_service",
            "Slack 404: no_service: the webhook was removed",
        ),
        (
            Chat::Discord,
            404,
            r#"{"code":10015,"message":"Unknown Webhook"}"#,
            "Unknown Webhook",
        ),
        (
            Chat::Dingtalk,
            200,
            r#"{"errcode":400106,"errmsg":"robot missing"}"#,
            "DingTalk 400106",
        ),
        (
            Chat::Wecom,
            200,
            r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#,
            "WeCom 93000",
        ),
        (
            Chat::Feishu,
            200,
            r#"{"code":19007,"msg":"Bot Not Enabled"}"#,
            "Feishu 19007",
        ),
    ] {
        let (mut bench, robot) = bench(chat);
        robot.say_first(status, &[], body);
        for number in 0..4 {
            accept(&bench, issue(number));
        }
        for _ in 0..50 {
            bench.run_due();
            bench.advance(Duration::from_secs(60));
        }
        let report = bench.store.endpoint_report("team").unwrap();
        assert_eq!((report.pending, report.dead), (4, 0), "{}", chat.name());
        let hold = report.endpoint.held.unwrap();
        assert!(hold.reason.contains(says), "{}", hold.reason);
        // A person mends it: all that waited goes out.
        bench.store.resume_endpoint("team").unwrap();
        drain(&mut bench, Duration::from_secs(1));
        let state = robot.state.lock().unwrap();
        let numbers: Vec<usize> = state.taken.iter().map(number_of).collect();
        assert_eq!(numbers, [0, 1, 2, 3], "{}", chat.name());
    }
}

#[test]
fn a_signature_is_made_anew_for_every_try() {
    for chat in [Chat::Dingtalk, Chat::Feishu] {
        let (mut bench, robot) = bench(chat);
        for _ in 0..6 {
            robot.say_first(502, &[], "");
        }
        accept(&bench, issue(1));
        // The last tries are ten hours apart and more, and the robot takes a signature for one.
        let took = drain(&mut bench, Duration::from_secs(600));
        assert!(took > Duration::from_secs(10 * 3_600), "{took:?}");
        let state = robot.state.lock().unwrap();
        assert_eq!(
            (state.refused.len(), state.taken.len()),
            (0, 1),
            "{}",
            chat.name()
        );
    }
}

#[test]
fn the_binary_tells_a_chat_and_keeps_its_secrets() {
    let here = TestDb::new();
    here.add_gogs();
    let receiver = Receiver::saying(&[200], r#"{"errcode":0,"errmsg":"ok"}"#);
    let url = format!("{}?access_token=T0K3N&timestamp=1&sign=old", receiver.url);
    let settings = ["--format", "dingtalk", "--secret", "this is secret"];
    here.add_endpoint("team", &url, &settings);
    let shown = here.json(&["endpoint", "show", "team"]);
    assert_eq!(shown["format"], "dingtalk");
    assert_eq!(
        (&shown["rate"], &shown["concurrency"]),
        (&json!("20/m"), &json!(1))
    );
    let served = here.serve();
    served.push("k1", PUSH.as_bytes());
    let delivered = here.wait_for_state("1", "delivered");
    let got = receiver.next();
    let (_, query) = got.target.split_once('?').unwrap();
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["access_token", "timestamp", "sign"]);
    let signed = hmac(
        b"this is secret",
        format!("{}\nthis is secret", pairs[1].1).as_bytes(),
    );
    assert_eq!(pairs[2].1, signed);
    let message: Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(message["msgUuid"], delivered["id"]);
    assert!(
        message["markdown"]["text"]
            .as_str()
            .unwrap()
            .contains("mira")
    );

    for arguments in [
        &["endpoint", "show", "team", "--json"][..],
        &["endpoint", "list"],
        &["endpoint", "preview", "team", "1"],
        &["attempt", "list", "1", "--json"],
    ] {
        let ran = here.run(arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let out = String::from_utf8_lossy(&ran.stdout);
        for secret in ["T0K3N", "this is secret", signed.as_str(), "=old"] {
            assert!(!out.contains(secret), "{arguments:?}: {secret}");
        }
    }
    let (_, _, page) = served.page("/");
    assert!(page.contains("dingtalk") && !page.contains("T0K3N"));
}

#[test]
fn a_feishu_preview_has_its_signature_only_when_asked_for() {
    let here = TestDb::new();
    let url = "https://open.feishu.cn/open-apis/bot/v2/hook/3f2b8c1e-9d4a-4e6f-8b7c-1a2b3c4d5e6f";
    here.add_endpoint("team", url, &["--format", "feishu", "--secret", "demo"]);
    here.json(&["enqueue", "--type", "lamp.lit", "--data", "{}"]);
    let plain = here.json(&["endpoint", "preview", "team", "1"]);
    let body: Value = serde_json::from_str(plain["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["sign"], "[hidden]");
    assert_eq!(
        plain["url"],
        "https://open.feishu.cn/open-apis/bot/v2/hook/***"
    );
    let signed = here.json(&["endpoint", "preview", "team", "1", "--signed"]);
    let body: Value = serde_json::from_str(signed["body"].as_str().unwrap()).unwrap();
    let stamp = body["timestamp"].as_str().unwrap();
    assert_eq!(
        body["sign"],
        json!(hmac(format!("{stamp}\ndemo").as_bytes(), b""))
    );
    assert_eq!(signed["url"], url);
}

#[test]
fn settings_that_a_chat_does_not_know_are_refused_with_advice() {
    let here = TestDb::new();
    for (arguments, says) in [
        (
            &["--format", "teams"][..],
            "raw, slack, discord, dingtalk, wecom, feishu or template:FILE",
        ),
        (
            &["--format", "slack", "--sign", "gogs", "--secret", "s"],
            "--sign none",
        ),
        (&["--format", "wecom", "--secret", "s"], "no --secret"),
        (
            &["--format", "discord", "--content-type", "text/plain"],
            "brings its own",
        ),
    ] {
        let mut all = vec!["endpoint", "add", "x", "http://h/"];
        all.extend_from_slice(arguments);
        let ran = here.run(&all);
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
    }
    let ran = here.run(&[
        "endpoint",
        "add",
        "x",
        "https://hooks.slack.com/services/T/B/X",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("--format slack"), "{}", ran.stderr);
}

#[test]
fn a_chat_that_goes_on_asking_for_less_is_asked_ever_more_seldom_and_nothing_is_lost() {
    let (mut bench, robot) = bench(Chat::Dingtalk);
    for _ in 0..100 {
        robot.say_first(200, &[], r#"{"errcode":130101,"errmsg":"send too fast"}"#);
    }
    accept(&bench, issue(1));
    let mut asked = 0;
    for _ in 0..24 * 60 {
        asked += bench.run_due();
        bench.advance(Duration::from_secs(60));
    }
    // A minute, two, four and so on to an hour.
    assert!((24..35).contains(&asked), "{asked} times in a day");
    let waiting = bench
        .store
        .deliveries(&DeliveryFilter::default(), 1)
        .unwrap();
    assert_eq!((waiting[0].settled, waiting[0].tries), (None, 0));
    assert!(waiting[0].reason.as_deref().unwrap().contains("130101"));
    robot.state.lock().unwrap().first.clear();
    drain(&mut bench, Duration::from_secs(60));
    assert_eq!(robot.state.lock().unwrap().taken.len(), 1);
}

#[test]
fn a_token_that_an_error_page_repeats_is_in_no_list_log_or_record() {
    let here = TestDb::new();
    let says = r#"{"errcode":1,"errmsg":"bad request for /hook?access_token=T0K3N-T0K3N"}"#;
    let receiver = Receiver::saying(&[200], says);
    let url = format!("{}?access_token=T0K3N-T0K3N", receiver.url);
    here.add_endpoint("team", &url, &["--format", "dingtalk"]);
    let served = here.serve();
    here.json(&["enqueue", "--type", "lamp.lit", "--data", "{}"]);
    receiver.next();
    let shown = wait_until("the refusal to be recorded", || {
        let shown = here.json(&["delivery", "show", "1"]);
        (shown["tries"] == 1).then_some(shown)
    });
    assert_eq!(
        shown["reason"],
        "DingTalk 1: bad request for /hook?access_token=[hidden]"
    );
    for arguments in [
        &["delivery", "list"][..],
        &["attempt", "list", "1", "--json"],
    ] {
        let ran = here.run(arguments);
        let out = String::from_utf8_lossy(&ran.stdout);
        assert!(!out.contains("T0K3N"), "{arguments:?}: {out}");
    }
    for page in [
        "/",
        "/deliveries",
        &format!("/deliveries/{}", shown["id"].as_str().unwrap()),
    ] {
        let (status, _, html) = served.page(page);
        assert!(status == 200 && !html.contains("T0K3N"), "{page}");
    }
}

#[test]
fn what_is_odd_about_a_success_is_told_with_the_delivery() {
    let here = TestDb::new();
    let receiver = Receiver::saying(&[200], "thank you");
    here.add_endpoint("team", &receiver.url, &["--format", "slack"]);
    // What a network says that wants a login first is no ok.
    let portal = Receiver::saying(&[200], "<html>Sign in to WiFi</html>");
    let options = ["--format", "slack", "--retry", "none"];
    here.add_endpoint("away", &portal.url, &options);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "lamp.lit", "--data", "{}"]);
    let settled = |name: &str, state: &str| {
        wait_until(&format!("{name} to be {state}"), || {
            let all = here.list(&["delivery", "list", "--endpoint", name, "--state", state]);
            Some(all.first()?["reason"].as_str().unwrap().to_owned())
        })
    };
    let reason = settled("team", "delivered");
    assert!(reason.contains("thank you"), "{reason}");
    let reason = settled("away", "dead");
    assert!(reason.contains("login"), "{reason}");
}

#[test]
fn a_robots_secret_goes_with_its_format_and_a_preview_is_what_was_sent() {
    let here = TestDb::new();
    let receiver = Receiver::saying(&[200], r#"{"errcode":0}"#);
    let settings = ["--format", "dingtalk", "--secret", "this is secret"];
    here.add_endpoint("team", &receiver.url, &settings);
    assert_eq!(here.json(&["endpoint", "show", "team"])["has_secret"], true);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "lamp.lit", "--data", "{}"]);
    here.wait_for_state("1", "delivered");
    let sent: Value = serde_json::from_slice(&receiver.next().body).unwrap();
    let preview = here.json(&["endpoint", "preview", "team", "1"]);
    let shown: Value = serde_json::from_str(preview["body"].as_str().unwrap()).unwrap();
    assert_eq!(shown, sent);
    for format in ["slack", "raw"] {
        let set = here.json(&["endpoint", "set", "team", "--format", format]);
        assert_eq!(
            (&set["format"], &set["has_secret"]),
            (&json!(format), &json!(false))
        );
    }
}

#[test]
fn however_long_a_chat_asks_to_be_left_alone_it_is_asked_again_within_the_hour() {
    let (mut bench, robot) = bench(Chat::Discord);
    for reset in ["1e12", "1772366400", "18446744073"] {
        let headers = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset-after", reset),
        ];
        robot.say_first(200, &headers, "{}");
        accept(&bench, issue(1));
        accept(&bench, issue(2));
        assert_eq!(bench.run_due(), 1);
        bench.advance(Duration::from_secs(3_601));
        assert_eq!(bench.run_due(), 1, "{reset}");
    }
}

#[test]
fn a_larger_rate_holds_over_a_restart_too() {
    let mut bench = Bench::new(Script::default().forever(replied(200)));
    bench.endpoint_with("paced", |new| new.rate = Some("200/h".parse().unwrap()));
    for _ in 0..300 {
        bench.event();
    }
    let mut sent = 0;
    for _ in 0..10 {
        sent += bench.run_due();
        bench.advance(Duration::from_secs(60));
        bench.restart();
    }
    assert_eq!(sent, 200);
}

#[test]
fn an_endpoint_that_is_elsewhere_has_its_whole_rate() {
    let mut bench = Bench::new(Script::default().forever(replied(200)));
    bench.endpoint_with("paced", |new| new.rate = Some("2/h".parse().unwrap()));
    for _ in 0..4 {
        bench.event();
    }
    assert_eq!(bench.run_due(), 2);
    let elsewhere: EndpointUrl = "http://127.0.0.1:9/new".parse().unwrap();
    let change = move |set: &mut NewEndpoint| {
        set.url = elsewhere.clone();
        Ok(())
    };
    bench
        .store
        .set_endpoint("paced", change, bench.now())
        .unwrap();
    assert_eq!(bench.run_due(), 2);
}

#[test]
fn a_hold_that_cannot_be_written_keeps_nothing_back() {
    /// While it is asked, somebody takes the delivery out of the file by hand.
    struct Emptied(Store);
    impl Transport for Emptied {
        fn send(&self, endpoint: &Endpoint, _: &OutboundRequest) -> Exchange {
            if endpoint.name == "team" {
                let connection = rusqlite::Connection::open(self.0.path()).unwrap();
                let emptied = "delete from hookbox_delivery where endpoint_id = 1;";
                connection.execute_batch(emptied).unwrap();
            }
            Exchange {
                timing: Timing::default(),
                answer: replied(404),
            }
        }
    }
    let mut bench = Bench::over(|store, _| Arc::new(Emptied(store.clone())));
    bench.endpoint_with("team", |new| new.format = Format::Chat(Chat::Slack));
    bench.endpoint("other");
    for _ in 0..2 {
        bench.event();
        assert!(bench.scheduler.run_due().is_err());
        bench.advance(Duration::from_secs(2));
    }
    let report = bench.store.endpoint_report("team").unwrap();
    assert!(report.endpoint.held.is_none());
}
