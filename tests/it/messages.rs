//! What is told in each chat: a message for every event, held word by word in tests/messages; and
//! that no message is ever too long, breaks its markup or wakes anybody.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hookbox::model::activity::Facts;
use hookbox::model::chat::Chat;
use hookbox::model::connection::Auth;
use hookbox::model::endpoint::{Endpoint, Format, NewEndpoint};
use hookbox::model::id::EventId;
use hookbox::model::kind::SourceKind;
use hookbox::model::sendable::SendableEvent;
use hookbox::outbound::{Outgoing, render};
use hookbox::signature::Secret;
use hookbox::time::Timestamp;
use serde_json::{Value, json};

use crate::support::{Bench, NOON, Script, assert_kept};

mod escaping;

/// A sample: kind of source, type, what it shows, and a file of examples/payloads or the body.
pub type Sample = (&'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
pub const SAMPLES: &[Sample] = &[
    ("gogs", "push", "one commit", "gogs-push.json"),
    ("gogs", "push", "five commits or more", r#"{"ref":"refs/heads/main","before":"a1","after":"b2","compare_url":"https://git.example.org/lighthouse/beacon/compare/a1...b2","commits":[{"id":"c41d2e3f00","message":"Count the probes\n\nOne row an outage.","url":"https://git.example.org/lighthouse/beacon/commit/c41d2e3f00","author":{"name":"Mira Lind"}},{"id":"d52e3f4000","message":"Answer <soon> & *loud*","url":"https://git.example.org/lighthouse/beacon/commit/d52e3f4000","author":{"name":"Tom [the] Keeper"}},{"id":"e63f405100","message":"Trim the wick","author":{"name":"Mira Lind"}},{"id":"f740516200","message":"Oil the hinge of the door","author":{"name":"Mira Lind"}},{"id":"0851627300","message":"","author":{}}],"repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/lighthouse/beacon"},"sender":{"login":"mira"}}"#),
    ("gogs", "push", "a test", "gogs-push-test.json"),
    ("gogs", "create", "a branch", "gogs-create-branch.json"),
    ("gogs", "create", "a tag", "gogs-create-tag.json"),
    ("gogs", "delete", "a tag", "gogs-delete-tag.json"),
    ("gogs", "fork", "", "gogs-fork.json"),
    ("gogs", "issues", "opened", "gogs-issues-opened.json"),
    ("gogs", "issues", "labels", r#"{"action":"label_updated","number":5,"issue":{"number":5,"title":"The lamp is dark","body":"Long ago.","labels":[{"name":"bug"},{"name":"night"}],"assignee":{"login":"mira"},"milestone":{"title":"Winter"}},"repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/lighthouse/beacon"},"sender":{"login":"tom"}}"#),
    ("gogs", "issues", "closed", r#"{"action":"closed","number":5,"issue":{"number":5,"title":"The lamp is dark","body":"Long ago.","labels":[]},"repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/lighthouse/beacon"},"sender":{"login":"tom"}}"#),
    ("gogs", "issue_comment", "made", "gogs-issue-comment-created.json"),
    ("gogs", "issue_comment", "deleted, of a pull request", r#"{"action":"deleted","issue":{"number":7,"title":"Relay","pull_request":{"merged":false}},"comment":{"id":12,"html_url":"https://git.example.org/lighthouse/beacon/pulls/7#issuecomment-","body":"Never mind."},"repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/lighthouse/beacon"},"sender":{"login":"tom"}}"#),
    ("gogs", "pull_request", "opened", "gogs-pull-request-opened.json"),
    ("gogs", "pull_request", "merged", "gogs-pull-request-merged.json"),
    ("gogs", "pull_request", "closed without a merge", r#"{"action":"closed","number":7,"pull_request":{"number":7,"title":"Relay","merged":false,"head_branch":"fix","base_branch":"main","html_url":"https://git.example.org/lighthouse/beacon/pulls/7"},"repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/lighthouse/beacon"},"sender":{"login":"tom"}}"#),
    ("gogs", "release", "", "gogs-release.json"),
    ("gitee", "push", "one commit", "gitee-push.json"),
    ("gitee", "push", "a branch deleted", "gitee-push-deleted.json"),
    ("gitee", "tag_push", "", "gitee-tag-push.json"),
    ("gitee", "issue", "opened", "gitee-issue-open.json"),
    ("gitee", "issue", "closed", "gitee-issue-closed.json"),
    ("gitee", "merge_request", "opened", "gitee-merge-request-open.json"),
    ("gitee", "note", "on a merge request", "gitee-note-merge-request.json"),
    ("gitee", "pipeline.fail", "", "gitee-pipeline-fail.json"),
    ("gitee", "pipeline.succ", "a pipeline that is no JSON", "gitee-pipeline-not-json.txt"),
    ("gitee", "push", "of a form hook of before 2019", "gitee-legacy-push.form.txt"),
    ("gitea", "push", "twelve commits", "gitea-push.json"),
    ("gitea", "create", "a branch", r#"{"ref":"fix/up link","ref_type":"branch","sha":"a1","repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/lighthouse/beacon"},"sender":{"login":"mira","html_url":"https://git.example.org/mira"}}"#),
    ("gitea", "issues", "opened", r#"{"action":"opened","number":5,"issue":{"number":5,"title":"The lamp is dark","body":"Since Monday.","html_url":"https://git.example.org/lighthouse/beacon/issues/5","labels":[{"name":"bug"}]},"repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/lighthouse/beacon"},"sender":{"login":"tom"}}"#),
    ("gitea", "release", "a pre-release", r#"{"action":"published","release":{"tag_name":"v2.0-rc1","name":"Two, nearly","body":"Try it.","html_url":"https://git.example.org/lighthouse/beacon/releases/tag/v2.0-rc1","prerelease":true},"repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/lighthouse/beacon"},"sender":{"login":"mira"}}"#),
    ("github", "push", "one commit", "github-push.json"),
    ("github", "pull_request", "merged", "github-pull-request-merged.json"),
    ("github", "issue_comment", "made", r#"{"action":"created","issue":{"number":5,"title":"The lamp is dark","html_url":"https://github.com/lighthouse/beacon/issues/5"},"comment":{"id":1,"html_url":"https://github.com/lighthouse/beacon/issues/5#issuecomment-1","body":"Is it *really*?\r\n\r\n- yes\r\n- no"},"repository":{"full_name":"lighthouse/beacon","html_url":"https://github.com/lighthouse/beacon"},"sender":{"login":"mira","html_url":"https://github.com/mira"}}"#),
    ("github", "workflow_run", "failed", r#"{"action":"completed","workflow_run":{"name":"Tests","conclusion":"failure","head_branch":"main","html_url":"https://github.com/lighthouse/beacon/actions/runs/9"},"repository":{"full_name":"lighthouse/beacon","html_url":"https://github.com/lighthouse/beacon"},"sender":{"login":"mira"}}"#),
    ("gitlab", "push", "one commit", "gitlab-push.json"),
    ("gitlab", "merge_request", "opened", "gitlab-merge-request-open.json"),
    ("gitlab", "note", "on an issue", r#"{"object_kind":"note","user":{"username":"tom"},"project":{"path_with_namespace":"lighthouse/beacon","web_url":"https://gitlab.example.org/lighthouse/beacon"},"object_attributes":{"id":1,"note":"Look at the fuse.","url":"https://gitlab.example.org/lighthouse/beacon/-/issues/5#note_1"},"issue":{"iid":5,"title":"The lamp is dark"}}"#),
    ("gitlab", "pipeline", "failed", "gitlab-pipeline-failed.json"),
    ("gitea", "delete", "a tag", r##"{"ref":"v1.3","ref_type":"tag","repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/lighthouse/beacon"},"sender":{"login":"mira"}}"##),
    ("gitea", "fork", "", r##"{"forkee":{"full_name":"tom/beacon","html_url":"https://git.example.org/tom/beacon"},"repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/lighthouse/beacon"},"sender":{"login":"mira"}}"##),
    ("gitea", "issue_comment", "made", r##"{"action":"created","is_pull":false,"issue":{"number":5,"title":"The lamp is dark","html_url":"https://git.example.org/lighthouse/beacon/issues/5"},"comment":{"id":9,"html_url":"https://git.example.org/lighthouse/beacon/issues/5#issuecomment-9","body":"It is the relay."},"repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/lighthouse/beacon"},"sender":{"login":"mira"}}"##),
    ("gitea", "pull_request", "opened", r##"{"action":"opened","number":7,"pull_request":{"number":7,"title":"Relay","body":"Closes #5.","html_url":"https://git.example.org/lighthouse/beacon/pulls/7","base":{"ref":"main"},"head":{"ref":"fix"}},"repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/lighthouse/beacon"},"sender":{"login":"mira"}}"##),
    ("gitea", "pull_request_approved", "", r##"{"action":"reviewed","number":7,"review":{"type":"pull_request_review_approved","content":"Good."},"pull_request":{"number":7,"title":"Relay","html_url":"https://git.example.org/lighthouse/beacon/pulls/7","base":{"ref":"main"}},"repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/lighthouse/beacon"},"sender":{"login":"mira"}}"##),
    ("github", "create", "a branch", r##"{"ref":"fix/uplink","ref_type":"branch","repository":{"full_name":"lighthouse/beacon","html_url":"https://github.com/lighthouse/beacon"},"sender":{"login":"mira"}}"##),
    ("github", "delete", "a branch", r##"{"ref":"fix/uplink","ref_type":"branch","repository":{"full_name":"lighthouse/beacon","html_url":"https://github.com/lighthouse/beacon"},"sender":{"login":"mira"}}"##),
    ("github", "fork", "", r##"{"forkee":{"full_name":"tom/beacon","html_url":"https://github.com/tom/beacon"},"repository":{"full_name":"lighthouse/beacon","html_url":"https://github.com/lighthouse/beacon"},"sender":{"login":"mira"}}"##),
    ("github", "issues", "opened", r##"{"action":"opened","issue":{"number":5,"title":"The lamp is dark","body":"Since Monday.","html_url":"https://github.com/lighthouse/beacon/issues/5","labels":[{"name":"bug"}]},"repository":{"full_name":"lighthouse/beacon","html_url":"https://github.com/lighthouse/beacon"},"sender":{"login":"mira"}}"##),
    ("github", "release", "", r##"{"action":"published","release":{"tag_name":"v2","name":"Two","body":"All new.","html_url":"https://github.com/lighthouse/beacon/releases/tag/v2"},"repository":{"full_name":"lighthouse/beacon","html_url":"https://github.com/lighthouse/beacon"},"sender":{"login":"mira"}}"##),
    ("github", "pull_request_review", "changes asked for", r##"{"action":"submitted","review":{"state":"changes_requested","body":"Not so loud.","html_url":"https://github.com/lighthouse/beacon/pull/7#pullrequestreview-1"},"pull_request":{"number":7,"title":"Relay","base":{"ref":"main"}},"repository":{"full_name":"lighthouse/beacon","html_url":"https://github.com/lighthouse/beacon"},"sender":{"login":"mira"}}"##),
    ("gitlab", "tag_push", "", r##"{"object_kind":"tag_push","ref":"refs/tags/v2","before":"0000000000","after":"b2b2b2b2b2","user_username":"mira","project":{"path_with_namespace":"lighthouse/beacon","web_url":"https://gitlab.example.org/lighthouse/beacon"}}"##),
    ("gitlab", "issue", "closed", r##"{"object_kind":"issue","user":{"username":"tom"},"project":{"path_with_namespace":"lighthouse/beacon","web_url":"https://gitlab.example.org/lighthouse/beacon"},"object_attributes":{"iid":5,"title":"The lamp is dark","action":"close","url":"https://gitlab.example.org/lighthouse/beacon/-/issues/5"},"labels":[{"title":"bug"}]}"##),
    ("gitlab", "release", "", r##"{"object_kind":"release","tag":"v2","name":"Two","description":"All new.","action":"create","url":"https://gitlab.example.org/lighthouse/beacon/-/releases/v2","project":{"path_with_namespace":"lighthouse/beacon","web_url":"https://gitlab.example.org/lighthouse/beacon"}}"##),
    ("gitlab", "job", "succeeded", r##"{"object_kind":"build","ref":"main","build_id":77,"build_name":"test","build_status":"success","user":{"username":"tom"},"project":{"path_with_namespace":"lighthouse/beacon","web_url":"https://gitlab.example.org/lighthouse/beacon"}}"##),
    ("gitee", "note", "on an issue", r##"{"action":"comment","noteable_type":"Issue","per_iid":"#I4CF12","title":"Dark","note":"Look at the fuse.","url":"https://gitee.example.org/lighthouse/beacon/issues/I4CF12#note_1","project":{"path_with_namespace":"lighthouse/beacon","html_url":"https://gitee.example.org/lighthouse/beacon"},"sender":{"login":"mira","html_url":"https://gitee.example.org/mira"}}"##),
    ("gitee", "note", "on a commit", r##"{"action":"comment","noteable_type":"Commit","short_commit_id":"c41d2e3","comment":{"body":"Why?","html_url":"https://gitee.example.org/lighthouse/beacon/commit/c41d2e3#note_2"},"project":{"path_with_namespace":"lighthouse/beacon","html_url":"https://gitee.example.org/lighthouse/beacon"},"sender":{"login":"mira","html_url":"https://gitee.example.org/mira"}}"##),
    ("gitee", "pipeline.succ", "", r##"{"job":{"pipelineName":"nightly","buildNumber":20,"statusCode":"SUCC","pipelineUrl":"https://e.gitee.example.org/p/20"},"sources":[{"sourceType":"GITEE_GO","repoPath":"lighthouse/beacon","branch":"main"}]}"##),
    ("standard", "order.paid", "any other JSON", "standard-order-paid.json"),
    ("generic", "note", "any other text", "The lamp was lit at 18:04.\n<!channel> @everyone"),
    ("generic", "empty", "nothing at all", ""),
];

pub fn body_of(sample: &Sample) -> (Vec<u8>, Option<&'static str>) {
    let (_, _, _, body) = *sample;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("examples/payloads").join(body);
    let content_type = match body {
        _ if body.contains(".form.") => Some("application/x-www-form-urlencoded"),
        "" => None,
        _ if body.starts_with("The") => Some("text/plain"),
        _ => Some("application/json"),
    };
    let is_file = !body.is_empty() && !body.contains(['{', ' ']);
    let body = match is_file {
        true => std::fs::read(file).unwrap(),
        false => body.as_bytes().to_vec(),
    };
    (body, content_type)
}

pub fn event(
    kind: &str,
    event_type: &str,
    content_type: Option<&str>,
    body: &[u8],
) -> SendableEvent {
    let kind: SourceKind = kind.parse().unwrap();
    SendableEvent {
        hops: ("Hookbox-Path".to_owned(), "x/in".to_owned()),
        id: EventId(7),
        event_type: event_type.to_owned(),
        original_type: None,
        key: None,
        source: Some((kind.name().to_owned(), kind)),
        received: NOON,
        owed: NOON,
        facts: Facts::read(Some(kind), event_type, content_type, &[], body),
        content_type: content_type.map(str::to_owned),
        headers: Vec::new(),
        body: body.to_vec(),
    }
}

/// Where a chat's bots are, on its server.
pub fn path_of(chat: Chat) -> &'static str {
    match chat {
        Chat::Matrix => "/_matrix/client/v3/rooms/!lamps:example.org/send/m.room.message",
        Chat::Telegram => "/bot7:T0K3N/sendMessage?chat_id=-1007&message_thread_id=3",
        Chat::Ntfy => "/lamps",
        _ => "/robot",
    }
}

/// The credentials of those chats that ask for them in a header.
pub fn auth_of(chat: Chat) -> Option<Auth> {
    let token = Secret::new("t0k3n").unwrap();
    (chat == Chat::Matrix).then_some(Auth::Bearer(token))
}

/// An endpoint of each chat, as a store has it.
pub fn endpoints() -> Vec<(Chat, Endpoint)> {
    let bench = Bench::new(Script::default());
    let made = Chat::ALL.into_iter().map(|chat| {
        bench.endpoint_with(chat.name(), |new: &mut NewEndpoint| {
            new.format = Format::Chat(chat);
            new.connection.auth = auth_of(chat);
            new.url = format!("https://chat.example.org{}", path_of(chat))
                .parse()
                .unwrap();
        });
        (
            chat,
            bench.store.endpoint_report(chat.name()).unwrap().endpoint,
        )
    });
    made.collect()
}

pub fn message(endpoint: &Endpoint, event: SendableEvent) -> Value {
    digest(endpoint, vec![event])
}

/// The message of many events.
pub fn digest(endpoint: &Endpoint, events: Vec<SendableEvent>) -> Value {
    let events = events.into_iter().zip(7..).map(|(event, number)| Outgoing {
        event,
        webhook_id: format!("evt_0a1b2c3d4e_{number}"),
        delivery_id: Some(format!("dlv_0a1b2c3d4e_{}", number + 2)),
    });
    let now = Timestamp(1_700_000_000_000);
    let request = render(endpoint, events.collect(), now).unwrap();
    assert_eq!(
        request.headers[0],
        (
            "Content-Type".to_owned(),
            "application/json; charset=utf-8".to_owned()
        )
    );
    let names: Vec<&str> = request
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let names = names.iter().filter(|name| **name != "Authorization");
    let names: Vec<&str> = names.copied().collect();
    assert_eq!(names, ["Content-Type", "User-Agent", "Hookbox-Path"]);
    serde_json::from_slice(&request.body).unwrap()
}

/// The markup of a message, wherever the chat has it.
pub fn markup(chat: Chat, message: &Value) -> &str {
    let text = match chat {
        Chat::Slack | Chat::Mattermost | Chat::Rocketchat => &message["attachments"][0]["text"],
        Chat::Discord => &message["embeds"][0]["description"],
        Chat::Dingtalk => &message["markdown"]["text"],
        Chat::Wecom => &message["markdown"]["content"],
        Chat::Feishu => &message["card"]["elements"][0]["content"],
        Chat::Teams => &message["attachments"][0]["content"]["body"][1]["text"],
        Chat::Matrix => &message["formatted_body"],
        Chat::Telegram => &message["text"],
        Chat::Ntfy => &message["message"],
    };
    text.as_str().unwrap()
}

fn snapshot(chat: Chat) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/messages")
        .join(format!("{}.md", chat.name()))
}

#[test]
fn every_event_is_told_in_every_chat_word_by_word() {
    for (chat, endpoint) in endpoints() {
        let mut told = format!("# What is sent to {}\n", chat.title());
        for sample in SAMPLES {
            let (kind, event_type, what, _) = *sample;
            let (body, content_type) = body_of(sample);
            let message = message(&endpoint, event(kind, event_type, content_type, &body));
            let what = if what.is_empty() {
                String::new()
            } else {
                format!(": {what}")
            };
            write!(
                told,
                "\n## {kind} {event_type}{what}\n\n```\n{}\n```\n\n```json\n{}\n```\n",
                markup(chat, &message).replace("```", "'''"),
                serde_json::to_string_pretty(&message).unwrap()
            )
            .unwrap();
        }
        let file = snapshot(chat);
        assert_kept(&file, &told, "HOOKBOX_WRITE_MESSAGES", "messages::");
    }
}

/// What a chat counts of a message, and the most that it takes.
fn measures(chat: Chat, message: &Value) -> Vec<(&'static str, usize, usize)> {
    let text = markup(chat, message);
    let whole = message.to_string().len();
    let utf16 = |text: &str| text.encode_utf16().count();
    match chat {
        Chat::Slack => vec![("characters advised", utf16(text), 4_000)],
        Chat::Discord => {
            let footer = message["embeds"][0]["footer"]["text"].as_str().unwrap();
            vec![
                ("characters of the description", utf16(text), 4_096),
                ("characters of the footer", utf16(footer), 2_048),
                ("characters in all", utf16(text) + utf16(footer), 6_000),
            ]
        }
        Chat::Dingtalk => vec![("bytes in all", whole, 20_000)],
        Chat::Wecom => vec![("bytes of the content", text.len(), 4_096)],
        Chat::Feishu => vec![("bytes in all, unsigned", whole, 20_000 - 100)],
        Chat::Teams => vec![("bytes in all", whole, 18_000)],
        Chat::Matrix => vec![
            ("bytes of the HTML", text.len(), 16_500),
            ("bytes in all", whole, 60_000),
        ],
        Chat::Telegram => vec![("characters", utf16(text), 4_096)],
        Chat::Mattermost => vec![("characters chosen", utf16(text), 8_000)],
        Chat::Rocketchat => vec![("characters", utf16(text), 5_000)],
        Chat::Ntfy => vec![
            ("bytes of the message", text.len(), 4_095),
            ("bytes in all", whole, 8_192),
        ],
    }
}

/// Texts that break things: of one letter, or of all that mean something somewhere.
const NASTY: [&str; 9] = [
    "灯",
    "😀",
    "*",
    "\"",
    "\n",
    "<",
    "&",
    "`",
    "a <!channel> @everyone <@U123> [x](https://evil.example/) ![y](z) **b** __c__ ~~d~~ `e`\n# f\n> g\n- h\r\n```\ni\u{7}\u{0}\u{202e}",
];

fn nasty_push(text: &str, count: usize) -> Value {
    let text = text.repeat(count);
    let commit = json!({
        "id": text, "message": text, "author": { "name": text },
        "url": format!("https://git.example.org/{}", "x".repeat(900)),
    });
    json!({
        "ref": format!("refs/heads/{}", text.chars().filter(|c| !c.is_control()).take(80).collect::<String>()),
        "before": "a1", "after": "b2",
        "compare_url": format!("https://git.example.org/{text}"),
        "commits": vec![commit; 20],
        "repository": { "full_name": text, "html_url": format!("https://git.example.org/{text}") },
        "sender": { "login": text, "html_url": format!("javascript:{text}") },
    })
}

fn nasty_issue(text: &str, count: usize) -> Value {
    let text = text.repeat(count);
    json!({
        "action": "opened", "number": 5,
        "issue": {
            "title": text, "body": text, "html_url": format!("https://git.example.org/?q=({text})"),
            "labels": vec![json!({ "name": text }); 12], "assignee": { "login": text },
        },
        "repository": { "full_name": text, "html_url": text },
        "sender": { "login": text },
    })
}

#[test]
fn no_message_is_longer_than_its_chat_takes_and_what_was_cut_is_said() {
    for (chat, endpoint) in endpoints() {
        for text in NASTY {
            let many = 25_000 / text.len();
            for count in [1, 40, many] {
                let whole = text.repeat(count);
                for (event_type, body) in [
                    ("push", nasty_push(text, count).to_string()),
                    ("issues", nasty_issue(text, count).to_string()),
                    ("other", whole.clone()),
                ] {
                    let event = event("gogs", event_type, None, body.as_bytes());
                    let message = message(&endpoint, event);
                    for (what, is, max) in measures(chat, &message) {
                        let case = format!("{} {event_type} {text:?} x {count}", chat.name());
                        assert!(is <= max, "{case}: {is} {what}, of {max}");
                    }
                    let is_seen = !text.trim().is_empty();
                    if event_type == "issues" && count == many && is_seen {
                        assert!(
                            markup(chat, &message).contains("… cut here; "),
                            "{} {text:?}",
                            chat.name()
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_long_text_fills_its_chat_and_not_less() {
    for (chat, endpoint) in endpoints() {
        let body = nasty_issue("x", 1).to_string().replace(
            "\"body\":\"x\"",
            &format!("\"body\":\"{}\"", "灯 is dark. ".repeat(5_000)),
        );
        let message = message(&endpoint, event("gogs", "issues", None, body.as_bytes()));
        let (what, is, max) = measures(chat, &message)[0];
        assert!(is > max * 8 / 10, "{}: {is} {what}, of {max}", chat.name());
        let text = markup(chat, &message);
        let cut = text
            .split(['\n', '>'])
            .find(|line| line.starts_with("… cut here; "))
            .unwrap();
        let missing: usize = cut.split(' ').nth(3).unwrap().parse().unwrap();
        // Every letter is there, or counted as missing.
        let there = text.matches('灯').count();
        let expected = 5_000 - there;
        assert!((expected * 11).abs_diff(missing) <= 11, "{cut}: {there}");
    }
}

/// Cause: a form's body was shown as it came. Damage: `token=` in it was posted to a chat. Cure: a field
/// a line, and credentials hidden as in JSON.
#[test]
fn a_credential_in_a_form_is_told_to_nobody() {
    let form = Some("application/x-www-form-urlencoded");
    let body = b"text=the+lamp+is+lit&token=hunter2&api_key=hunter2&user%5Bpassword%5D=hunter2";
    for (chat, endpoint) in endpoints() {
        let message = message(&endpoint, event("generic", "lamp.lit", form, body));
        let text = message.to_string();
        assert!(!text.contains("hunter2"), "{}: {text}", chat.name());
        assert!(text.contains("the lamp is lit"), "{}: {text}", chat.name());
    }
}

/// What a git server sends has addresses and keys in it, and a chat has many readers.
#[test]
fn what_a_git_server_says_is_never_dumped_into_a_chat() {
    let body = json!({
        "event_name": "lamp_invented", "email": "ann@example.org", "key": "ssh-rsa AAAAB3",
        "action": "lit", "sender": { "login": "mira", "email": "mira@example.org" },
    });
    for kind in ["gogs", "gitea", "forgejo", "github", "gitlab", "gitee"] {
        for body in [body.to_string(), "no JSON, and ann@example.org".to_owned()] {
            for (chat, endpoint) in endpoints() {
                let event = event(kind, "lamp_invented", None, body.as_bytes());
                let text = message(&endpoint, event).to_string();
                for bad in ["example.org", "AAAAB3"] {
                    assert!(!text.contains(bad), "{kind} {}: {text}", chat.name());
                }
                assert!(text.contains("lamp"), "{kind} {}: {text}", chat.name());
            }
        }
    }
}

#[test]
fn what_is_a_credential_by_its_name_is_told_to_nobody() {
    let body =
        r#"{"order":{"id":7,"api_key":"hunter2"},"tokens":[{"token":"hunter2"}],"password":12}"#;
    for (chat, endpoint) in endpoints() {
        let message = message(
            &endpoint,
            event("standard", "order.paid", None, body.as_bytes()),
        );
        let text = message.to_string();
        assert!(
            !text.contains("hunter2") && !text.contains("12"),
            "{}: {text}",
            chat.name()
        );
        assert!(text.contains("order"), "{}: {text}", chat.name());
    }
}

#[test]
fn lines_that_find_no_room_and_labels_that_are_too_many_are_counted() {
    let long = "长".repeat(300);
    let body = json!({
        "action": "opened", "number": 5,
        "issue": {
            "title": long, "html_url": format!("https://git.example.org/{}", "x".repeat(900)),
            "labels": (0..20).map(|label| json!({ "name": format!("l{label}") })).collect::<Vec<_>>(),
            "assignee": { "login": long }, "milestone": { "title": long }, "body": "x",
        },
        "repository": { "full_name": long, "html_url": format!("https://git.example.org/{}", "y".repeat(900)) },
        "sender": { "login": long, "html_url": format!("https://git.example.org/{}", "z".repeat(900)) },
    });
    for (chat, endpoint) in endpoints() {
        let body = body.to_string();
        let message = message(&endpoint, event("gitea", "issues", None, body.as_bytes()));
        let text = markup(chat, &message);
        match chat {
            Chat::Wecom => assert!(text.contains("… cut here; 1 line more"), "{text}"),
            _ => assert!(
                text.contains("l0, l1, l2, l3, l4, l5, l6, l7, 12 more"),
                "{text}"
            ),
        }
    }
}
