//! A real browser: Chromium, driven through chromedriver by the WebDriver protocol.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{ask, is_missing, try_ask, wait_until};

/// A browser session; it ends when dropped.
pub struct Browser {
    driver: Child,
    pub session: String,
}

/// Starts chromedriver and returns its port; `None` if the one that it chose was taken meanwhile.
fn started() -> Option<(Child, String)> {
    let mut driver = Command::new("chromedriver")
        .args(["--port=0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(driver.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let port = lines.find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        Some(port.trim_end_matches('.').to_owned())
    });
    let Some(port) = port else {
        driver.wait().unwrap();
        return None;
    };
    // The rest of its words must be read, or it would stop when the pipe is full.
    std::thread::spawn(move || lines.for_each(drop));
    Some((driver, port))
}

impl Browser {
    pub fn start() -> Browser {
        let (driver, port) = wait_until("chromedriver to start", started);
        let options = json!({ "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--window-size=1280,1000", "--lang=en-US"
        ]});
        let wanted =
            json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let base = format!("http://127.0.0.1:{port}/session");
        let made = call("POST", &base, Some(&wanted));
        let session = format!("{base}/{}", made["sessionId"].as_str().unwrap());
        Browser { driver, session }
    }

    pub fn open(&self, url: &str) {
        call(
            "POST",
            &format!("{}/url", self.session),
            Some(&json!({ "url": url })),
        );
    }

    pub fn url(&self) -> String {
        call("GET", &format!("{}/url", self.session), None)
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub fn find(&self, selector: &str) -> Option<String> {
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
    pub fn await_element(&self, selector: &str) -> String {
        wait_until(selector, || self.find(selector))
    }

    /// Clicks an element. If the page was replaced after it was found, the new page's is clicked.
    pub fn click(&self, selector: &str) {
        const GONE: &str = "stale element reference";
        wait_until(selector, || {
            let element = self.find(selector)?;
            let url = format!("{}/element/{element}/click", self.session);
            let (status, _, text) = ask("POST", &url, &[], "{}");
            let is_gone = status == 404 && text.contains(GONE);
            assert!((200..300).contains(&status) || is_gone, "{url}: {text}");
            (!is_gone).then_some(())
        });
    }

    /// What an element shows; in one step, since a page may be replaced between two.
    pub fn text(&self, selector: &str) -> String {
        let script = format!("document.querySelector({})?.innerText", json!(selector));
        wait_until(selector, || {
            let said = self.script(&format!("return {script}"));
            said.as_str().map(str::to_owned)
        })
    }

    pub fn script(&self, script: &str) -> Value {
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
        let _ = try_ask("DELETE", &self.session, &[], "");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

pub fn call(method: &str, url: &str, body: Option<&Value>) -> Value {
    // Whatever is no GET has a body, if only `null`.
    let body = match method {
        "GET" => String::new(),
        _ => body.unwrap_or(&Value::Null).to_string(),
    };
    let (status, _, text) = ask(method, url, &[], body);
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert!((200..300).contains(&status), "{method} {url}: {answer}");
    answer["value"].clone()
}

pub fn no_browser() -> bool {
    is_missing(
        "chromedriver",
        &["--version"],
        "apt-get install chromium chromium-driver",
    )
}

impl Browser {
    /// Waits until the address is one of these: a click is over before the next page is there.
    pub fn wait_for_url(&self, is_there: impl Fn(&str) -> bool) {
        wait_until("the next page", || is_there(&self.url()).then_some(()));
    }

    /// Waits until a script says something that is true.
    pub fn wait_for(&self, what: &str, script: &str) -> Value {
        wait_until(what, || {
            let said = self.script(&format!("return {script}"));
            (said != Value::Bool(false) && !said.is_null()).then_some(said)
        })
    }

    pub fn fill(&self, selector: &str, text: &str) {
        let element = self.await_element(selector);
        call(
            "POST",
            &format!("{}/element/{element}/value", self.session),
            Some(&json!({ "text": text })),
        );
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub fn press(&self, keys: &str) {
        let strokes = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|what| json!({ "type": what, "value": key.to_string() }))
        });
        let strokes: Vec<Value> = strokes.collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] });
        call("POST", &format!("{}/actions", self.session), Some(&actions));
    }

    pub fn size(&self, width: u32, height: u32) {
        let rect = json!({ "width": width, "height": height });
        call(
            "POST",
            &format!("{}/window/rect", self.session),
            Some(&rect),
        );
    }

    /// Whether pages are shown as at night.
    pub fn night(&self, is_night: bool) {
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

    pub fn screenshot(&self) -> Vec<u8> {
        let shot = call("GET", &format!("{}/screenshot", self.session), None);
        BASE64_STANDARD.decode(shot.as_str().unwrap()).unwrap()
    }
}
