//! The page in a real browser: Chromium, driven through chromedriver by the WebDriver protocol.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Box, PUSH, Receiver, agent, is_missing, wait_until};

/// A browser session; it ends when dropped.
struct Browser {
    driver: Child,
    session: String,
}

impl Browser {
    fn start() -> Browser {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let port = lines
            .find_map(|line| {
                Some(
                    line.split_once("started successfully on port ")?
                        .1
                        .trim_end_matches('.')
                        .to_owned(),
                )
            })
            .expect("chromedriver says its port");
        // The rest of its words must be read, or it would stop when the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        let options = json!({ "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--window-size=1280,1000"
        ]});
        let wanted =
            json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let base = format!("http://127.0.0.1:{port}/session");
        let made = call("POST", &base, Some(&wanted));
        let session = format!("{base}/{}", made["sessionId"].as_str().unwrap());
        Browser { driver, session }
    }

    fn open(&self, url: &str) {
        call(
            "POST",
            &format!("{}/url", self.session),
            Some(&json!({ "url": url })),
        );
    }

    fn url(&self) -> String {
        call("GET", &format!("{}/url", self.session), None)
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn find(&self, selector: &str) -> Option<String> {
        let wanted = json!({ "using": "css selector", "value": selector });
        let found = call("POST", &format!("{}/elements", self.session), Some(&wanted));
        let element = found.as_array().unwrap().first()?;
        Some(
            element
                .as_object()
                .unwrap()
                .values()
                .next()
                .unwrap()
                .as_str()
                .unwrap()
                .to_owned(),
        )
    }

    fn click(&self, selector: &str) {
        let element = self
            .find(selector)
            .unwrap_or_else(|| panic!("no {selector} on the page"));
        call(
            "POST",
            &format!("{}/element/{element}/click", self.session),
            Some(&json!({})),
        );
    }

    fn text(&self, selector: &str) -> String {
        let element = self
            .find(selector)
            .unwrap_or_else(|| panic!("no {selector} on the page"));
        call(
            "GET",
            &format!("{}/element/{element}/text", self.session),
            None,
        )
        .as_str()
        .unwrap()
        .to_owned()
    }

    fn script(&self, script: &str) -> Value {
        let wanted = json!({ "script": script, "args": [] });
        call(
            "POST",
            &format!("{}/execute/sync", self.session),
            Some(&wanted),
        )
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = agent().delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn call(method: &str, url: &str, body: Option<&Value>) -> Value {
    let mut response = match (method, body) {
        ("GET", _) => agent().get(url).call().unwrap(),
        (_, body) => agent()
            .post(url)
            .send(body.unwrap_or(&Value::Null).to_string())
            .unwrap(),
    };
    let text = response.body_mut().read_to_string().unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert!(response.status().is_success(), "{method} {url}: {answer}");
    answer["value"].clone()
}

fn no_browser() -> bool {
    is_missing(
        "chromedriver",
        &["--version"],
        "apt-get install chromium chromium-driver",
    )
}

#[test]
fn a_person_finds_the_dead_delivery_and_presses_replay() {
    if no_browser() {
        return;
    }
    let here = Box::new();
    here.add_gogs();
    let receiver = Receiver::answering(&[500, 200]);
    here.add_endpoint("ci", &receiver.url, &["--retry", "none"]);
    let served = here.serve();
    served.push("k1", PUSH.as_bytes());
    here.wait_for_state("1", "dead");
    let first = receiver.next();

    let browser = Browser::start();
    browser.open(&format!("{}/", served.status));
    browser.click("li.dead a");
    assert!(browser.url().contains("state=dead"));
    browser.click("table.rows tbody a");
    assert!(browser.text("main").contains("500 Internal Server Error"));
    assert!(
        browser
            .text("section:last-of-type pre")
            .contains("lighthouse/beacon"),
        "the body is shown"
    );
    let before = browser.url();
    browser.click("#replay");
    let after = wait_until("the page of the replay", || {
        let url = browser.url();
        (url != before).then_some(url)
    });
    let again = receiver.next();
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    let id = after.rsplit('/').next().unwrap();
    let replay = here.wait_for_state(id, "delivered");
    assert_eq!(
        replay["replay_of"],
        here.json(&["delivery", "show", "1"])["id"]
    );
    browser.open(&after);
    assert_eq!(browser.text(".heading .badge"), "delivered");
}

#[test]
fn pages_fit_a_phone_and_load_nothing_from_outside() {
    if no_browser() {
        return;
    }
    let here = Box::new();
    here.add_gogs();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint(
        "a-rather-long-endpoint-name-for-a-phone",
        &format!("{}/{}", receiver.url, "x".repeat(120)),
        &[],
    );
    let served = here.serve();
    served.push("7f3d7b0c-1111-4222-8333-444455556666", PUSH.as_bytes());
    here.wait_for_state("1", "delivered");
    let browser = Browser::start();
    let phone = json!({ "width": 500, "height": 900 });
    call(
        "POST",
        &format!("{}/window/rect", browser.session),
        Some(&phone),
    );
    for path in [
        "/",
        "/deliveries",
        "/deliveries/1",
        "/events/1",
        "/endpoints",
        "/endpoints/a-rather-long-endpoint-name-for-a-phone",
        "/sources",
        "/sources/gogs",
        "/replays",
        "/replays/new?state=delivered",
        "/outages",
    ] {
        browser.open(&format!("{}{path}", served.status));
        let overflow = browser.script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        assert!(
            overflow.as_i64().unwrap() <= 0,
            "{path} is {overflow} px too wide"
        );
        let loaded = browser
            .script("return performance.getEntriesByType('resource').map(entry => entry.name)");
        for name in loaded.as_array().unwrap() {
            assert!(
                name.as_str().unwrap().starts_with(&served.status),
                "{path} loads {name}"
            );
        }
        assert_eq!(
            browser.script("return [...document.scripts].map(script => script.src)"),
            json!([format!("{}/live.js", served.status)]),
            "{path}"
        );
    }
}
