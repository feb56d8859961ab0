//! A forge is asked by its API to send again what never arrived: against answers in the shape of GitHub's and
//! GitLab's documentation, over real sockets.

use std::io::{BufReader, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hookbox::signature::{Secret, github};
use hookbox::time::{Clock, SystemClock, Timestamp};
use serde_json::{Value, json};

use crate::support::{PUSH, ReceivedRequest, Served, TestDb, serve_each, wait_until};

const TOKEN: &str = "ghp_0123456789abcdef";

/// A forge's API: what it was asked, and what it answers.
struct Api {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What is answered to `METHOD PATH`: status, headers, body.
type Answer = (u16, String, String);

impl Api {
    fn answering(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Api {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        let address = serve_each(move |mut stream| {
            let mut from = BufReader::new(stream.try_clone().unwrap());
            while let Some(request) = ReceivedRequest::read(&mut from) {
                let what = format!("{} {}", request.method, request.target);
                let is_known = request.header("authorization") == Some(&format!("Bearer {TOKEN}"));
                let (status, headers, body) =
                    match is_known && request.header("user-agent").is_some() {
                        true => answer(&what),
                        false => (401, String::new(), "{}".to_owned()),
                    };
                noted.lock().unwrap().push(what);
                let reply = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
                    body.len()
                );
                if stream.write_all(reply.as_bytes()).is_err() {
                    break;
                }
            }
        });
        Api { address, asked }
    }

    fn hook(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn asked(&self, method: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|one| one.starts_with(method))
            .cloned()
            .collect()
    }
}

fn minutes_ago(minutes: i64) -> Timestamp {
    Timestamp(SystemClock::new().now().0 - minutes * 60_000)
}

fn sent(id: i64, guid: &str, minutes: i64, is_again: bool) -> Value {
    json!({
        "id": id, "guid": guid, "delivered_at": minutes_ago(minutes).to_string(), "redelivery": is_again,
        "duration": 0.27, "status": "failed to connect", "status_code": 502, "event": "push",
        "action": null, "installation_id": null, "repository_id": 456,
    })
}

/// Sends a webhook as GitHub does; the same guid in each attempt.
fn push(ingest: &str, guid: &str) -> u16 {
    let secret = Secret::new("topsecret").unwrap();
    let signature = github::sign(&secret, PUSH.as_bytes());
    let headers = [
        ("X-GitHub-Event", "push"),
        ("X-GitHub-Delivery", guid),
        ("X-GitHub-Hook-ID", "42"),
        ("X-Hub-Signature-256", signature.as_str()),
        ("Content-Type", "application/json"),
    ];
    crate::support::ask("POST", &format!("{ingest}/in/hub"), &headers, PUSH).0
}

fn with_token(here: &TestDb) -> String {
    let file = here.folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    file.to_str().unwrap().to_owned()
}

/// GitHub with two pages: `a` arrived, `b` was tried twice and `e` once, `c` a moment ago, `d` long ago.
fn github_answers(ingest: String) -> impl Fn(&str) -> Answer + Send + Sync {
    move |what| match what {
        "GET /repos/mira/lighthouse/hooks/42/deliveries?per_page=100" => {
            let page = json!([
                sent(9, "c", 0, false),
                sent(8, "b", 20, true),
                sent(7, "a", 30, false),
            ]);
            let link = "link: <REST/hooks/42/deliveries?per_page=100&cursor=v1_6>; rel=\"next\", <x>; rel=\"first\"\r\n";
            (200, link.to_owned(), page.to_string())
        }
        "GET /repos/mira/lighthouse/hooks/42/deliveries?per_page=100&cursor=v1_6" => {
            let page = json!([
                sent(6, "b", 40, false),
                sent(5, "e", 50, false),
                sent(4, "d", 5_000, false),
            ]);
            (
                200,
                "link: <http://198.51.100.1/next>; rel=\"next\"\r\n".to_owned(),
                page.to_string(),
            )
        }
        "POST /repos/mira/lighthouse/hooks/42/deliveries/5/attempts" => {
            (push(&ingest, "e"), String::new(), "{}".to_owned())
        }
        "POST /repos/mira/lighthouse/hooks/42/deliveries/8/attempts" => {
            (push(&ingest, "b"), String::new(), "{}".to_owned())
        }
        _ => (404, String::new(), "{}".to_owned()),
    }
}

/// The same, with links that lead to itself.
fn linked(ingest: String) -> (Api, String) {
    let place = Arc::new(Mutex::new(String::new()));
    let told = place.clone();
    let inner = github_answers(ingest);
    let api = Api::answering(move |what| {
        let (status, headers, body) = inner(what);
        (status, headers.replace("REST", &told.lock().unwrap()), body)
    });
    let hook = api.hook("/repos/mira/lighthouse/hooks/42");
    *place.lock().unwrap() = api.hook("/repos/mira/lighthouse");
    (api, hook)
}

fn keys(here: &TestDb) -> Vec<String> {
    let events = here.list(&["event", "list"]);
    let mut keys: Vec<String> = events
        .iter()
        .map(|one| one["key"].as_str().unwrap().to_owned())
        .collect();
    keys.sort();
    keys
}

fn served(here: &TestDb) -> Served {
    here.json(&[
        "source",
        "add",
        "hub",
        "--kind",
        "github",
        "--secret",
        "topsecret",
    ]);
    here.serve()
}

#[test]
fn github_is_asked_for_what_is_not_here_and_sends_it_with_its_signature() {
    let here = TestDb::new();
    let served = served(&here);
    let (api, hook) = linked(served.ingest.clone());
    assert_eq!(push(&served.ingest, "a"), 202);
    let token = with_token(&here);
    let import = [
        "import",
        "github",
        "--api",
        &hook,
        "--token-file",
        &token,
        "--since",
        "1d",
    ];
    let dry = here.json(&[&import[..], &["--dry-run"]].concat());
    let counts = |done: &Value| {
        ["seen", "had", "asked", "waiting", "left"].map(|name| done[name].as_i64().unwrap())
    };
    assert_eq!(counts(&dry), [4, 1, 2, 1, 0]);
    assert!(api.asked("POST").is_empty());
    assert_eq!(counts(&here.json(&import)), [4, 1, 2, 1, 0]);
    assert_eq!(
        api.asked("POST"),
        [5, 8].map(|id| format!("POST /repos/mira/lighthouse/hooks/42/deliveries/{id}/attempts"))
    );
    assert_eq!(keys(&here), ["a/42", "b/42", "e/42"]);
    assert_eq!(counts(&here.json(&import)), [4, 3, 0, 1, 0]);

    // What is wrong is told.
    let other = here.folder.path().join("other");
    std::fs::write(&other, "wrong").unwrap();
    for (arguments, says) in [
        (
            vec!["--api", &hook, "--token-file", other.to_str().unwrap()],
            "answered 401: the token is wrong",
        ),
        (
            vec!["--api", &api.hook("/nix"), "--token-file", &token],
            "answered 404: there is no such webhook",
        ),
        (vec!["--api", &hook], "--token-file FILE"),
        (vec!["--token-file", &token], "--api"),
    ] {
        let ran = here.run(&[&["import", "github"][..], &arguments[..]].concat());
        assert!(
            ran.code == 2 && ran.stderr.contains(says),
            "{says}: {}",
            ran.stderr
        );
        assert!(!ran.stderr.contains(TOKEN));
    }
}

#[test]
fn serve_asks_by_itself_and_ever_more_seldom() {
    let here = TestDb::new();
    drop(served(&here));
    let place = Arc::new(Mutex::new(String::new()));
    let ingest = place.clone();
    let api = Api::answering(move |what| match what {
        "GET /api/hooks/42/deliveries?per_page=100" => {
            // `y` failed ten times within an hour: it is left alone for hours.
            let mut page = vec![sent(100, "x", 30, false)];
            page.extend((0..10).map(|number| sent(99 - number, "y", 31 + number, true)));
            (200, String::new(), json!(page).to_string())
        }
        "POST /api/hooks/42/deliveries/100/attempts" => (
            push(&ingest.lock().unwrap(), "x"),
            String::new(),
            "{}".to_owned(),
        ),
        _ => (500, String::new(), "{}".to_owned()),
    });
    let token = with_token(&here);
    let heal = format!("github={}", api.hook("/api/hooks/42"));
    let ran = here.run(&["serve", "--heal", &heal]);
    assert!(
        ran.code == 2 && ran.stderr.contains("--heal-token-file github=FILE"),
        "{}",
        ran.stderr
    );
    // The forge sends to where this box listens; it has to be known before it is asked.
    let free = crate::support::closed_port();
    *place.lock().unwrap() = format!("http://127.0.0.1:{free}");
    let ingest = format!("127.0.0.1:{free}");
    let mut command = here.command(&[
        "serve",
        "--ingest",
        &ingest,
        "--status",
        "127.0.0.1:0",
        "--json",
        "--heal",
        &heal,
    ]);
    command.args([
        "--heal-token-file",
        &format!("github={token}"),
        "--heal-every",
        "1s",
    ]);
    let served = Served::start(command);
    wait_until("the webhook", || (keys(&here) == ["x/42"]).then_some(()));
    wait_until("more looks", || (api.asked("GET").len() >= 3).then_some(()));
    assert_eq!(api.asked("POST").len(), 1);
    assert!(!served.stop_and_read_log().contains(TOKEN));
}

#[test]
fn gitlab_is_asked_as_often_as_it_lets_itself_be_asked() {
    let here = TestDb::new();
    here.json(&[
        "source", "add", "lab", "--kind", "gitlab", "--secret", "tok",
    ]);
    let served = here.serve();
    let headers = [
        ("X-Gitlab-Event", "Push Hook"),
        ("X-Gitlab-Token", "tok"),
        ("Idempotency-Key", "k1"),
    ];
    assert_eq!(served.post("/in/lab", &headers, b"{}").0, 202);
    let one = |id: i64, key: &str| {
        json!({
            "id": id, "url": "https://box.example.org/in/lab", "trigger": "push_hooks",
            "request_headers": { "Content-Type": "application/json", "Idempotency-Key": key, "X-Gitlab-Event": "Push Hook" },
            "request_data": { "object_kind": "push" }, "response_headers": {}, "response_body": "",
            "execution_duration": 1.1, "response_status": "internal error",
        })
    };
    let list = json!([
        one(14, "k4"),
        one(13, "k3"),
        one(12, "k2"),
        one(11, "k1"),
        json!({ "id": 1 })
    ]);
    let api = Api::answering(move |what| match what {
        "GET /api/v4/projects/7/hooks/3/events?per_page=20" => {
            (200, String::new(), list.to_string())
        }
        "POST /api/v4/projects/7/hooks/3/events/12/resend" => (201, String::new(), "{}".to_owned()),
        "POST /api/v4/projects/7/hooks/3/events/13/resend" => (429, String::new(), "{}".to_owned()),
        _ => (500, String::new(), String::new()),
    });
    let hook = api.hook("/api/v4/projects/7/hooks/3/");
    let mut command = here.command(&[
        "import",
        "gitlab",
        "--api",
        &hook,
        "--token-env",
        "LAB_TOKEN",
    ]);
    let ran = command.env("LAB_TOKEN", TOKEN).output().unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(said.contains("of 4 to source lab"), "{said}");
    assert!(
        said.contains("1 are here, 1 are sent again; 2 are left"),
        "{said}"
    );
    assert_eq!(api.asked("POST").len(), 2);
    let ran = here.run(&["import", "gitea", "--api", &hook]);
    assert_eq!(ran.code, 2);
}
