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
    browser.fill("input[name=name]", "ci");
    browser.fill("input[name=url]", &receiver.url);
    browser.script(
        "document.querySelectorAll('form.settings details').forEach(it => { it.open = true; })",
    );
    browser.script("document.querySelector('select[name=sign]').value = 'standard'");
    browser.click("button[data-draw]");
    let drawn = browser.script("return document.querySelector('input[name=secret]').value");
    assert!(drawn.as_str().unwrap().starts_with("whsec_"), "{drawn}");
    browser.click("button[name=then]");
    browser.wait_for_url(|url| url.contains("/deliveries/"));
    assert!(receiver.next().header("webhook-signature").is_some());
    assert_eq!(here.json(&["endpoint", "show", "ci"])["sign"], "standard");
}
