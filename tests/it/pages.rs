//! How the pages look in a real browser: on a phone, to those who cannot see or point, by day and by night.

use serde_json::json;

use crate::browser::lived_in;
use crate::support::webdriver::{Browser, call, no_browser};
use crate::support::{PUSH, Receiver, TestDb, is_missing};

#[test]
fn pages_fit_a_phone_and_load_nothing_from_outside() {
    if no_browser() {
        return;
    }
    let here = TestDb::new();
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
        for language in ["fr", "ru", "zh-Hans", "en"] {
            browser.click(&format!(".languages button[value='{language}']"));
            let overflow = browser.script(
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth",
            );
            assert!(
                overflow.as_i64().unwrap() <= 0,
                "{path} is {overflow} px too wide in {language}"
            );
        }
        // Headers were shown one letter a line.
        let narrow = browser.script(
            "document.querySelectorAll('details').forEach(one => { one.open = true; }); return [...document.querySelectorAll('.headers th, .headers td')].filter(cell => cell.offsetWidth < 90 || cell.offsetHeight > 120).map(cell => cell.textContent)",
        );
        assert_eq!(narrow, json!([]), "{path}");
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
fn every_page_passes_the_accessibility_check() {
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
    browser.open(&format!("{}/", served.status));
    // In the language with the longest words, too.
    for (is_night, language) in [(false, "en"), (true, "en"), (false, "ru")] {
        browser.night(is_night);
        browser.click(&format!(".languages button[value='{language}']"));
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
            assert_eq!(found, json!([]), "{path}, at night: {is_night}, {language}");
        }
    }
}

/// The pictures in docs/: `HOOKBOX_WRITE_PICTURES=1 cargo test --test it pictured` takes them anew.
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
