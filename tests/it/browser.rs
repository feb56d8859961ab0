//! The page in a real browser: Chromium, driven through chromedriver by the WebDriver protocol.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::{Box, PUSH, Receiver, Served, agent, is_missing, wait_until};

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

    /// The element, once it is there: a click is over before the next page is.
    fn await_element(&self, selector: &str) -> String {
        wait_until(selector, || self.find(selector))
    }

    fn click(&self, selector: &str) {
        let element = self.await_element(selector);
        call(
            "POST",
            &format!("{}/element/{element}/click", self.session),
            Some(&json!({})),
        );
    }

    /// What an element shows; in one step, since a page may be replaced between two.
    fn text(&self, selector: &str) -> String {
        let script = format!("document.querySelector({})?.innerText", json!(selector));
        wait_until(selector, || {
            let said = self.script(&format!("return {script}"));
            said.as_str().map(str::to_owned)
        })
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

impl Browser {
    /// Waits until the address is one of these: a click is over before the next page is there.
    fn wait_for_url(&self, is_there: impl Fn(&str) -> bool) {
        wait_until("the next page", || is_there(&self.url()).then_some(()));
    }

    /// Waits until a script says something that is true.
    fn wait_for(&self, what: &str, script: &str) -> Value {
        wait_until(what, || {
            let said = self.script(&format!("return {script}"));
            (said != Value::Bool(false) && !said.is_null()).then_some(said)
        })
    }

    fn fill(&self, selector: &str, text: &str) {
        let element = self.await_element(selector);
        call(
            "POST",
            &format!("{}/element/{element}/value", self.session),
            Some(&json!({ "text": text })),
        );
    }

    fn size(&self, width: u32, height: u32) {
        let rect = json!({ "width": width, "height": height });
        call(
            "POST",
            &format!("{}/window/rect", self.session),
            Some(&rect),
        );
    }

    /// Whether pages are shown as at night.
    fn night(&self, is_night: bool) {
        let scheme = if is_night { "dark" } else { "light" };
        let params = json!({
            "cmd": "Emulation.setEmulatedMedia",
            "params": { "features": [{ "name": "prefers-color-scheme", "value": scheme }] },
        });
        call(
            "POST",
            &format!("{}/goog/cdp/execute", self.session),
            Some(&params),
        );
    }

    fn screenshot(&self) -> Vec<u8> {
        let shot = call("GET", &format!("{}/screenshot", self.session), None);
        BASE64_STANDARD.decode(shot.as_str().unwrap()).unwrap()
    }
}

/// A served box with what a person may have to look at: what was delivered, what is dead, what
/// waits for an endpoint that is held and one that is away.
fn lived_in() -> (Box, Served, Receiver) {
    let here = Box::new();
    let (receiver, refusing) = (Receiver::answering(&[200]), Receiver::answering(&[500]));
    here.add_gogs();
    here.add_endpoint("ci", &receiver.url, &[]);
    here.add_endpoint(
        "deploy",
        &refusing.url,
        &["--retry", "none", "--types", "push"],
    );
    here.add_endpoint(
        "archive",
        &receiver.url,
        &["--window", "0 0 2 * * *+3h Europe/Berlin"],
    );
    here.add_endpoint("edge", "http://127.0.0.1:9/hook", &[]);
    here.json(&[
        "endpoint",
        "hold",
        "archive",
        "--reason",
        "moves to another host",
    ]);
    let served = here.serve();
    for number in 0..6 {
        served.push(
            &format!("7f3d7b0c-{number:04}-4222-8333-444455556666"),
            PUSH.as_bytes(),
        );
    }
    wait_until("all to be tried", || {
        let stats = here.json(&["stats"]);
        (stats["dead"] == 6 && stats["delivered"] == 6).then_some(())
    });
    wait_until("the outage", || {
        let shown = here.json(&["endpoint", "show", "edge"]);
        (shown["circuit"] == "open").then_some(())
    });
    // From now on it takes what it gets.
    here.json(&["endpoint", "set", "deploy", "--url", &receiver.url]);
    (here, served, receiver)
}

#[test]
fn a_person_finds_what_failed_looks_at_what_a_replay_would_do_and_watches_it_end() {
    if no_browser() {
        return;
    }
    let (here, served, _receiver) = lived_in();
    let browser = Browser::start();
    browser.open(&format!("{}/deliveries?state=dead", served.status));
    browser.click("a.button");
    let preview = browser.text("#preview");
    assert!(preview.contains("6 deliveries"), "{preview}");
    assert_eq!(here.json(&["stats"])["dead"], 6, "only looked at");
    browser.click("#start");
    browser.wait_for_url(|url| url.contains("/replays/rpl_"));
    // The page follows by itself.
    browser.wait_for(
        "the end",
        "document.querySelector('#state').textContent.trim() === 'done'",
    );
    assert!(browser.text("#progress").contains("6 of 6 settled"));
    assert_eq!(here.json(&["stats"])["mended"], 6);

    // Some that are chosen by hand, from the list.
    browser.open(&format!(
        "{}/deliveries?state=delivered&endpoint=ci",
        served.status
    ));
    browser.click("input[name=id]");
    let before = here.list(&["delivery", "list"]).len();
    browser.click("#chosen button");
    wait_until("one more", || {
        (here.list(&["delivery", "list"]).len() == before + 1).then_some(())
    });
}

#[test]
fn a_person_adds_an_endpoint_tests_holds_and_resumes_it_after_logging_in() {
    if no_browser() {
        return;
    }
    let here = Box::new();
    let receiver = Receiver::answering(&[200]);
    let token = "a-token-that-nobody-guesses";
    let file = here.folder.path().join("token");
    std::fs::write(&file, token).unwrap();
    here.json(&["init"]);
    let served = here.serve_with(&["--token-file", file.to_str().unwrap()]);
    let browser = Browser::start();
    browser.open(&format!("{}/endpoints", served.status));
    browser.wait_for_url(|url| url.contains("/login"));
    browser.fill("#secret", "wrong");
    browser.click("button[type=submit]");
    assert!(browser.text(".problem").contains("not the token"));
    browser.fill("#secret", token);
    browser.click("button[type=submit]");
    browser.wait_for_url(|url| url.ends_with("/endpoints"));

    browser.fill("input[name=name]", "ci");
    browser.fill("input[name=url]", &receiver.url);
    browser.click("form.settings button[type=submit]");
    browser.wait_for_url(|url| url.ends_with("/endpoints/ci"));
    browser.click("#send-a-test");
    assert_eq!(
        receiver.next().header("X-Hookbox-Type"),
        Some("hookbox.test")
    );
    browser.wait_for(
        "the delivery",
        "document.querySelector('#facts').textContent.includes('Settled')",
    );

    browser.open(&format!("{}/endpoints/ci", served.status));
    browser.click("#hold");
    let facts = "document.querySelector('#facts').textContent";
    browser.wait_for(
        "the hold",
        &format!("{facts}.includes('held on the status page')"),
    );
    assert_eq!(here.json(&["endpoint", "show", "ci"])["held"], true);
    browser.click("#resume");
    browser.wait_for("its end", "document.querySelector('#hold') !== null");
    assert_eq!(here.json(&["endpoint", "show", "ci"])["held"], false);
    browser.click("form.logout button");
    browser.wait_for_url(|url| url.contains("/login"));
}

#[test]
fn what_is_shown_follows_what_happens_and_leaves_alone_where_somebody_works() {
    if no_browser() {
        return;
    }
    let (here, served, _receiver) = lived_in();
    let browser = Browser::start();
    browser.open(&format!("{}/deliveries", served.status));
    let rows = "document.querySelectorAll('#rows tbody tr').length";
    let before = browser.script(&format!("return {rows}")).as_i64().unwrap();
    here.json(&["enqueue", "--type", "order.paid"]);
    browser.wait_for("the new rows", &format!("{rows} > {before}"));
    // A box that is ticked stays so.
    browser.click("input[name=id]");
    let before = browser.script(&format!("return {rows}")).as_i64().unwrap();
    here.json(&["enqueue", "--type", "order.paid"]);
    let looked =
        "performance.getEntriesByType('resource').filter(e => e.name === location.href).length";
    let asked = browser
        .script(&format!("return {looked}"))
        .as_i64()
        .unwrap();
    browser.wait_for("two more looks", &format!("{looked} > {}", asked + 1));
    assert_eq!(browser.script(&format!("return {rows}")), before);
    assert_eq!(
        browser.script("return document.querySelectorAll('input:checked').length"),
        1
    );
}

/// Pages that people look at, with names for their pictures.
const PAGES: [(&str, &str); 9] = [
    ("overview", "/"),
    ("deliveries", "/deliveries"),
    ("delivery", "/deliveries/2"),
    ("event", "/events/1"),
    ("endpoints", "/endpoints"),
    ("endpoint", "/endpoints/deploy"),
    ("sources", "/sources"),
    ("preview", "/replays/new?state=dead"),
    ("outages", "/outages"),
];

#[test]
fn nobody_is_shut_out_by_how_pages_are_made() {
    if no_browser() {
        return;
    }
    let axe = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/verifiers/node_modules/axe-core/axe.min.js"
    );
    let probe = "require('node:fs').accessSync('node_modules/axe-core/axe.min.js')";
    if is_missing("node", &["-e", probe], "npm install in tests/verifiers") {
        return;
    }
    let axe = std::fs::read_to_string(axe).unwrap();
    let (_here, served, _receiver) = lived_in();
    let browser = Browser::start();
    for is_night in [false, true] {
        browser.night(is_night);
        for (_, path) in PAGES.iter().chain(&[("replays", "/replays")]) {
            browser.open(&format!("{}{path}", served.status));
            browser.script(
                "document.querySelectorAll('details').forEach(one => { one.open = true; })",
            );
            let run = format!(
                "{axe}; const done = arguments[arguments.length - 1]; axe.run().then(found => done(found.violations.filter(one => one.impact === 'serious' || one.impact === 'critical').map(one => one.id + ': ' + one.help + ': ' + one.nodes.map(node => node.html).slice(0, 3).join(' | '))));"
            );
            let wanted = json!({ "script": run, "args": [] });
            let found = call(
                "POST",
                &format!("{}/execute/async", browser.session),
                Some(&wanted),
            );
            assert_eq!(found, json!([]), "{path}, at night: {is_night}");
        }
    }
}

/// The pictures in docs/: `HOOKBOX_WRITE_PICTURES=1 cargo test pictures` takes them anew.
#[test]
fn pages_are_pictured_wide_and_narrow_by_day_and_by_night() {
    if std::env::var_os("HOOKBOX_WRITE_PICTURES").is_none() || no_browser() {
        return;
    }
    let (_here, served, _receiver) = lived_in();
    let browser = Browser::start();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pages");
    std::fs::create_dir_all(&folder).unwrap();
    let pictured = ["overview", "deliveries", "delivery", "endpoint", "preview"];
    for (name, path) in PAGES.iter().filter(|(name, _)| pictured.contains(name)) {
        for (width, size) in [("desktop", (1280, 900)), ("phone", (500, 900))] {
            browser.size(size.0, size.1);
            for (light, is_night) in [("light", false), ("dark", true)] {
                browser.night(is_night);
                browser.open(&format!("{}{path}", served.status));
                let file = folder.join(format!("{name}-{width}-{light}.png"));
                std::fs::write(file, browser.screenshot()).unwrap();
            }
        }
    }
}
