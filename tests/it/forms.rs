//! The forms of the status page, in a real browser: what is there stands in them, and only what a person
//! changes is changed.

use serde_json::{Value, json};

use crate::support::webdriver::{Browser, no_browser};
use crate::support::{Receiver, TestDb, wait_until};

/// The values of a form's fields by their names.
fn values(browser: &Browser, form: &str) -> Value {
    let fields = format!("[...document.querySelectorAll('{form} [name]')]");
    let pairs = format!(
        "{fields}.map(field => [field.name, field.type === 'checkbox' ? field.checked : field.value])"
    );
    browser.script(&format!("return Object.fromEntries({pairs})"))
}

#[test]
fn a_form_holds_what_is_there_and_saves_only_what_was_changed() {
    if no_browser() {
        return;
    }
    let here = TestDb::new();
    let more = [
        "--types",
        "push,tag*",
        "--rate",
        "20/m",
        "--sign",
        "github",
        "--secret",
        "hunter2hunter2",
        "--ordered",
        "--tries",
        "4",
    ];
    here.add_endpoint("ci", "https://ci.example.org/hook", &more);
    let served = here.serve();
    let browser = Browser::start();
    browser.open(&format!("{}/endpoints/ci", served.status));
    let form = "form[action=\"/endpoints/ci/set\"]";
    browser.script("document.querySelectorAll('details').forEach(it => { it.open = true; })");
    let shown = values(&browser, form);
    assert_eq!(shown["types"], "push, tag*");
    assert_eq!(shown["rate"], "20/m");
    assert_eq!(shown["sign"], "github");
    assert_eq!(shown["tries"], "4");
    assert_eq!(shown["ordered"], true);
    assert_eq!(shown["secret"], "", "a secret is not sent to the page");
    // Somebody else changes the rate meanwhile; here only the order is.
    assert_eq!(
        here.run(&["endpoint", "set", "ci", "--rate", "30/m"]).code,
        0
    );
    browser.click(&format!("{form} [name=ordered]"));
    browser.click(&format!("{form} button[type=submit]"));
    browser.await_element("p.done");
    let set = here.json(&["endpoint", "show", "ci"]);
    assert_eq!(set["ordered"], false);
    assert_eq!(set["rate"], "30/m");
    assert_eq!(set["types"], json!(["push", "tag*"]));
    assert_eq!(set["has_secret"], true);
    // A field that is emptied brings back what is usual.
    browser.script("document.querySelectorAll('details').forEach(it => { it.open = true; })");
    browser.script(&format!(
        "document.querySelector('{form} [name=types]').value = ''"
    ));
    browser.click(&format!("{form} button[type=submit]"));
    wait_until("the types to be all", || {
        let set = here.json(&["endpoint", "show", "ci"]);
        set["types"].is_null().then_some(())
    });
}

#[test]
fn an_endpoint_is_added_with_a_drawn_secret_and_tried_with_one_button() {
    if no_browser() {
        return;
    }
    let receiver = Receiver::answering(&[200]);
    let here = TestDb::new();
    here.json(&["init"]);
    let served = here.serve();
    let browser = Browser::start();
    browser.open(&format!("{}/endpoints", served.status));
    // It is called after its host, and a secret is drawn for a scheme that needs one.
    browser.fill("input[name=url]", &receiver.url);
    let choose = |scheme: &str| {
        let choose = format!(
            "const sign = document.querySelector('select[name=sign]'); sign.value = '{scheme}'; \
             sign.dispatchEvent(new Event('change', {{ bubbles: true }})); \
             return document.querySelector('input[name=secret]').value"
        );
        browser.script(&choose).as_str().unwrap().to_owned()
    };
    assert_eq!(choose("github").len(), 64);
    assert_eq!(choose("none"), "");
    let drawn = choose("standard");
    assert!(drawn.starts_with("whsec_"), "{drawn}");
    // A form that is refused keeps it.
    browser.fill("input[name=name]", "/");
    browser.click("button[name=then]");
    assert!(browser.text("#problem").contains("is not a name"));
    let kept = "return document.querySelector('input[name=secret]').value";
    assert_eq!(browser.script(kept), drawn);
    browser.script("document.querySelector('input[name=name]').value = '127-0-0-1'");
    browser.click("button[name=then]");
    browser.wait_for_url(|url| url.contains("/deliveries/"));
    assert!(receiver.next().header("webhook-signature").is_some());
    let added = here.json(&["endpoint", "show", "127-0-0-1"]);
    assert_eq!(added["sign"], "standard");
    // The secret is shown once, for the other side.
    assert!(browser.text("#drawn").contains(&drawn));
    let page = browser.url();
    browser.open(&page);
    assert_eq!(
        browser.script("return document.getElementById('drawn')"),
        Value::Null
    );

    // Another one takes its place: unfold, and save.
    browser.open(&format!("{}/endpoints/127-0-0-1", served.status));
    let rotate = "form[action$='rotate-secret']";
    browser.script(&format!(
        "document.querySelector(\"{rotate}\").closest('details').querySelector('summary').click()"
    ));
    browser.wait_for(
        "a secret to be drawn",
        &format!("document.querySelector(\"{rotate} input[name=secret]\").value !== ''"),
    );
    browser.click(&format!("{rotate} button[type=submit]"));
    browser.wait_for("the new one", "document.getElementById('drawn') !== null");
    let shown = browser.text("#drawn code");
    assert!(shown.starts_with("whsec_") && shown != drawn, "{shown}");
    let other = standardwebhooks::Webhook::new(&shown).unwrap();
    browser.click("#send-a-test");
    let got = receiver.next();
    let headers: http::HeaderMap = got
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.parse::<http::HeaderName>().unwrap(),
                value.parse().unwrap(),
            )
        })
        .collect();
    other.verify(&got.body, &headers).unwrap();
}

/// Cause: a scheme that was tried and put back drew a secret over the one that was kept. Damage: every delivery
/// was refused from then on.
#[test]
fn a_secret_that_is_kept_is_not_drawn_over() {
    if no_browser() {
        return;
    }
    let here = TestDb::new();
    here.add_endpoint(
        "ci",
        "http://127.0.0.1:9/",
        &["--sign", "gogs", "--secret", "hunter2hunter2"],
    );
    let served = here.serve();
    let browser = Browser::start();
    browser.open(&format!("{}/endpoints/ci", served.status));
    for scheme in ["standard", "gogs"] {
        browser.script(&format!(
            "const sign = document.querySelector('form[action$=\"/set\"] [name=sign]'); sign.value = '{scheme}'; \
             sign.dispatchEvent(new Event('change', {{ bubbles: true }}))"
        ));
    }
    let typed = "return document.querySelector('form[action$=\"/set\"] [name=secret]').value";
    assert_eq!(browser.script(typed), "");
}

/// The text of an attribute.
fn unescaped(text: &str) -> String {
    let plain = text.replace("&quot;", "\"").replace("&lt;", "<");
    plain.replace("&gt;", ">").replace("&amp;", "&")
}

/// The fields of a page that hold what is set, each with its text.
fn was(html: &str) -> Vec<(String, String)> {
    let fields = html.split("name=\"was:").skip(1);
    let pair = |field: &str| {
        let (name, rest) = field.split_once("\" value=\"").unwrap();
        (name.to_owned(), unescaped(rest.split('"').next().unwrap()))
    };
    fields.map(pair).collect()
}

#[test]
fn what_a_field_holds_means_what_is_set() {
    let here = TestDb::new();
    let certificate = rcgen::generate_simple_self_signed(["ci.example.org".to_owned()]).unwrap();
    let ca = here.folder.path().join("ca.pem");
    std::fs::write(&ca, certificate.cert.pem()).unwrap();
    let ca = ca.display().to_string();
    let set = [
        "--sign",
        "generic",
        "--secret",
        "hunter2hunter2",
        "--types",
        "push,tag*",
        "--sources",
        "shop",
        "--branches",
        "main,release/*",
        "--when",
        "type == 'push'\nor true",
        "--concurrency",
        "1",
        "--rate",
        "5/s,100/m",
        "--retry",
        "1m,5m",
        "--tries",
        "7",
        "--expire",
        "30d",
        "--expire-offline",
        "--probe-max",
        "5m",
        "--window",
        "0 0 2 * * *+3h Europe/Berlin; 0 0 14 * * *+30m",
        "--ordered",
        "--timeout",
        "9s",
        "--connect-timeout",
        "3s",
        "--method",
        "PUT",
        "--header",
        "X-A: 1",
        "--auth",
        "basic:mira",
        "--auth-secret",
        "hunter2",
        "--ca",
        &ca,
        "--proxy",
        "http://mira:hunter2@proxy.example.org:3128",
        "--expect",
        "status == 204",
        "--forward-headers",
        "x-shop-*,traceparent",
        "--signature-header",
        "X-Sum",
        "--signature-algorithm",
        "sha512",
        "--signature-encoding",
        "base64",
        "--signature-prefix",
        "v1 ",
        "--signature-over",
        "{timestamp}\n{body}",
        "--timestamp-header",
        "X-At",
    ];
    let source = [
        "source",
        "add",
        "shop",
        "--kind",
        "generic",
        "--secret",
        "hunter2hunter2",
        "--on-repeat",
        "ignore",
        "--type-expr",
        "body.event\nor 'x'",
        "--key-header",
        "X-Key",
        "--signature-over",
        "{timestamp}\n{body}",
        "--timestamp-header",
        "X-At",
        "--tolerance",
        "90s",
        "--handshake",
        "challenge",
    ];
    assert_eq!(here.run(&source).code, 0, "{}", here.run(&source).stderr);
    here.add_endpoint("ci", "https://ci.example.org/hook?key=1", &set);
    let alert = [
        "alert",
        "add",
        "ops",
        "ci",
        "--about",
        "held,silent:1d:shop",
        "--every",
        "1h",
    ];
    assert_eq!(here.run(&alert).code, 0);
    let served = here.serve();
    for (noun, name, page, least) in [
        ("endpoint", "ci", "/endpoints/ci", 25),
        ("source", "shop", "/sources/shop", 9),
        ("alert", "ops", "/alerts", 3),
    ] {
        let before = here.json(&[noun, "show", name]);
        let (_, _, html) = served.page(page);
        let held = was(&html);
        assert!(held.len() >= least, "{page}: {held:?}");
        // An empty text of one may take another one away.
        for (setting, text) in held.into_iter().filter(|(_, text)| !text.is_empty()) {
            let option = format!("--{}={text}", setting.replace('_', "-"));
            // Credentials go with what is not shown of them; each setting may need another one.
            if noun == "endpoint" && setting == "auth" {
                assert_eq!(text, "basic:mira");
                continue;
            }
            let ran = here.run(&[noun, "set", name, &option]);
            assert_eq!(ran.code, 0, "{page}: {option:?}: {}", ran.stderr);
        }
        let after = here.json(&[noun, "show", name]);
        for field in [
            "when",
            "window",
            "retry",
            "types",
            "tolerance",
            "signature",
            "reading",
            "about",
            "connection",
            "every",
        ] {
            assert_eq!(before[field], after[field], "{page}: {field}");
        }
    }
}

#[test]
fn lines_and_spaces_of_a_setting_stay_when_another_one_is_saved() {
    if no_browser() {
        return;
    }
    let here = TestDb::new();
    let more = [
        "--sign",
        "generic",
        "--secret",
        "hunter2hunter2",
        "--signature-prefix",
        "v1 ",
        "--signature-over",
        "{timestamp}\n{body}",
        "--when",
        "type == 'push'\nor true",
    ];
    here.add_endpoint("ci", "https://hooks.slack.com/services/T0/B0/s3cr3t", &more);
    let before = here.json(&["endpoint", "show", "ci"]);
    let served = here.serve();
    let browser = Browser::start();
    browser.open(&format!("{}/endpoints/ci", served.status));
    browser.script("document.querySelectorAll('details').forEach(it => { it.open = true; })");
    let form = "form[action=\"/endpoints/ci/set\"]";
    // One box is ticked, and something is wrong: what was filled in stays.
    browser.click(&format!("{form} [name=ordered]"));
    browser.fill(&format!("{form} [name=expire]"), "soon");
    browser.click(&format!("{form} button[type=submit]"));
    browser.await_element("#problem");
    browser.script(&format!(
        "document.querySelector('{form} [name=expire]').value = ''"
    ));
    browser.script("document.querySelectorAll('details').forEach(it => { it.open = true; })");
    assert_eq!(values(&browser, form)["ordered"], true);
    browser.click(&format!("{form} button[type=submit]"));
    browser.await_element("p.done");
    let after = here.json(&["endpoint", "show", "ci"]);
    assert_eq!(after["ordered"], true);
    for field in ["when", "signature", "url", "expire"] {
        assert_eq!(before[field], after[field], "{field}");
    }
}
