//! The pages in the reader's language: which one, how it is kept, and that nothing stays in another.

use serde_json::{Value, json};

use crate::browser::lived_in;
use crate::support::webdriver::{Browser, no_browser};
use crate::support::{PUSH, Receiver, Served, TestDb};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn token(html: &str) -> String {
    let rest = html.split("name=\"token\" value=\"").nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn language_of(served: &Served, headers: &[(&str, &str)]) -> String {
    let (status, _, html) = served.ask("GET", "/", headers, "");
    assert_eq!(status, 200);
    let rest = html.split("<html lang=\"").nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn the_browser_says_the_language_and_a_choice_is_kept() {
    let here = TestDb::new();
    let served = here.serve();
    let accepts = |language| ("Accept-Language", language);
    for (asked, expected) in [
        ("de-DE,de;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("de,fr-CH;q=0.7,en;q=0.3", "fr"),
    ] {
        assert_eq!(language_of(&served, &[accepts(asked)]), expected, "{asked}");
    }
    let (_, _, html) = served.page("/alerts");
    let token = token(&html);
    let choose = |to: &str, token: &str, from: &str| {
        let headers = [FORM, ("Referer", from)];
        let (status, headers, _) = served.ask(
            "POST",
            "/language",
            &headers,
            format!("token={token}&to={to}"),
        );
        let header = |name| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        (status, header("location"), header("set-cookie"))
    };
    let from = format!("{}/deliveries?state=dead", served.status);
    let (status, to, cookie) = choose("ru", &token, &from);
    assert_eq!(
        (status, to.as_deref()),
        (303, Some("/deliveries?state=dead"))
    );
    let cookie = cookie.unwrap();
    assert!(cookie.contains("Max-Age=31536000") && cookie.contains("HttpOnly"));
    // What was chosen goes before what the browser asks for.
    let kept = cookie.split(';').next().unwrap();
    let with = |kept| language_of(&served, &[accepts("fr"), ("Cookie", kept)]);
    assert_eq!(with(kept), "ru");
    assert_eq!(with("hookbox_language=tlh"), "fr");
    // It leads to no other server, whatever the page before says.
    for elsewhere in ["https://evil.example//evil.example/x", "x", ""] {
        assert_eq!(choose("fr", &token, elsewhere).1.as_deref(), Some("/"));
    }
    assert_eq!(choose("tlh", &token, &from).0, 400);
    assert_eq!(choose("ru", "forged", &from).0, 403);
}

#[test]
fn whoever_may_only_look_and_whoever_has_not_logged_in_chooses_too() {
    let here = TestDb::new();
    let file = here.folder.path().join("reader");
    std::fs::write(&file, "0123456789abcdef-may-look\n").unwrap();
    let served = here.serve_with(&["--read-token-file", file.to_str().unwrap()]);
    let (_, _, html) = served.ask("GET", "/login", &[("Accept-Language", "ru")], "");
    assert!(html.contains("<html lang=\"ru\""), "{html}");
    let form = format!("token={}&to=zh-Hans", token(&html));
    let choose = |headers: &[(&str, &str)]| {
        let headers = [&[FORM], headers].concat();
        let (status, headers, _) = served.ask("POST", "/language", &headers, &form);
        (status, headers["location"].to_str().unwrap().to_owned())
    };
    let login = format!("{}/login?next=/", served.status);
    assert_eq!(
        choose(&[("Referer", &login)]),
        (303, "/login?next=/".to_owned())
    );
    // Whoever may only look is told so in the language, too.
    let reader = [("Authorization", "Bearer 0123456789abcdef-may-look")];
    let (_, _, html) = served.ask("GET", "/", &reader, "");
    let headers = [reader[0], FORM, ("Accept-Language", "ru")];
    let held = format!("token={}", token(&html));
    let (status, _, html) = served.ask("POST", "/endpoints/ci/hold", &headers, held);
    assert_eq!(status, 403);
    assert!(!html.contains("change nothing"), "{html}");
    assert_eq!(choose(&reader), (303, "/".to_owned()));
    // From a form that was refused, to the page of the form.
    let refused = format!("{}/endpoints/ci/set", served.status);
    let headers = [reader[0], ("Referer", refused.as_str())];
    assert_eq!(choose(&headers), (303, "/endpoints/ci".to_owned()));
}

/// Cause: a text that a person typed was followed into itself. Damage: one address ended the process.
#[test]
fn whatever_is_typed_ends_no_process() {
    let here = TestDb::new();
    let served = here.serve();
    let long = "url:+".repeat(2_300);
    for path in ["/deliveries?since=", "/events?until=", "/deliveries/"] {
        let headers = [("Accept-Language", "ru")];
        let (status, _, _) = served.ask("GET", &format!("{path}{long}"), &headers, "");
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    assert_eq!(served.page("/").0, 200);
}

/// Words that are the same in every language: names, ids, what is typed, and what is counted.
const SAME: &str = r"
    const same = new Set(['hookbox', 'ID', 'URL', 'POST', 'PUT', 'Hex']);
    const named = text => same.has(text) || !/[A-Za-z]{2}/.test(text)
        || text.startsWith('lighthouse/beacon: ') || /^[a-z0-9:_.*-]+$/.test(text);
";

/// Cause: a text that stands in a page's code, and not among the texts, is English for everybody.
#[test]
fn nothing_that_the_pages_say_by_themselves_stays_english() {
    if no_browser() {
        return;
    }
    let (here, served, receiver) = lived_in();
    here.json(&["source", "add", "any", "--kind", "generic", "--secret", "s"]);
    here.json(&["alert", "add", "ops", &receiver.url]);
    here.json(&["replay", "--state", "dead", "--yes"]);
    let browser = Browser::start();
    let mut english: Vec<String> = Vec::new();
    for (tag, letters) in [
        ("zh-Hans", "[\\u4e00-\\u9fff]"),
        ("ru", "[\\u0400-\\u04ff]"),
    ] {
        browser.open(&format!("{}/", served.status));
        browser.click(&format!(".languages button[value='{tag}']"));
        for path in [
            "/",
            "/deliveries",
            "/deliveries?state=nothing",
            "/deliveries/2",
            "/events",
            "/events/1",
            "/endpoints",
            "/endpoints/deploy",
            "/endpoints/archive",
            "/endpoints/edge",
            "/sources",
            "/sources/gogs",
            "/sources/any",
            "/replays",
            "/replays/1",
            "/replays/new?state=dead",
            "/replays/new?id=2",
            "/outages",
            "/alerts",
            "/nothing",
        ] {
            browser.open(&format!("{}{path}", served.status));
            assert_eq!(
                browser.script("return document.documentElement.lang"),
                tag,
                "{path}"
            );
            let left = browser.script(&format!(
                "{SAME} const ours = 'h1, h2, h3, thead th, button, label, dt, summary, nav a, option, small, p.dim, p.note, p.empty, .badge, figcaption, legend, .languages';
                 return [...document.querySelectorAll(ours)]
                    .filter(one => one.closest('.headers, .mono, [lang=en], .languages, pre') === null && one.querySelector('kbd') === null)
                    .map(one => one.textContent.trim())
                    .filter(text => !named(text) && !/{letters}/.test(text))"
            ));
            let has_title = browser.script(&format!("return /{letters}/.test(document.title)"));
            if left != json!([]) || has_title != Value::Bool(true) {
                english.push(format!("{tag}: {path}: {left}, title: {has_title}"));
            }
        }
    }
    assert!(english.is_empty(), "{}", english.join("\n"));
}

#[test]
fn reasons_and_errors_are_told_in_the_language_too() {
    let here = TestDb::new();
    here.add_gogs();
    let refusing = Receiver::answering(&[500]);
    here.add_endpoint("ci", &refusing.url, &["--retry", "none"]);
    let served = here.serve();
    served.push("k1", PUSH.as_bytes());
    here.wait_for_state("1", "dead");
    let page = |path: &str, language: &str| {
        let (_, _, html) = served.ask("GET", path, &[("Accept-Language", language)], "");
        html
    };
    let told = "500 Internal Server Error; given up after 1 try";
    assert!(page("/deliveries/1", "en").contains(told));
    for language in ["zh", "ru", "fr"] {
        for path in ["/deliveries/1", "/deliveries"] {
            let html = page(path, language);
            assert!(html.contains("500 Internal Server Error"), "{html}");
            assert!(!html.contains("given up"), "{language}: {path}");
        }
        let html = page("/endpoints", language);
        let form = format!(
            "token={}&name=ci2&url=http://127.0.0.1:9/&tries=many",
            token(&html)
        );
        let headers = [FORM, ("Accept-Language", language)];
        let (status, _, html) = served.ask("POST", "/endpoints", &headers, form);
        assert_eq!(status, 400);
        // At its field, and over the page.
        let told = html
            .split("id=\"/endpoints/tries/problem\">")
            .nth(1)
            .unwrap();
        let told = told.split('<').next().unwrap();
        assert!(
            told.contains("`many`") && !told.contains("is no number"),
            "{told}"
        );
        assert!(
            !html.contains("tries: `"),
            "the setting by its label: {html}"
        );
        let html = page("/deliveries/x", language);
        assert!(!html.contains("is not a delivery id"), "{html}");
    }
}

/// A reader of the contract's own words finds them: values of fields stay as they are typed.
#[test]
fn what_is_sent_by_a_form_is_the_same_in_every_language() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint(
        "ci",
        &receiver.url,
        &["--format", "slack", "--rate", "20/m"],
    );
    let served = here.serve();
    let values = |language: &str| {
        let headers = [("Accept-Language", language)];
        let (_, _, html) = served.ask("GET", "/endpoints/ci", &headers, "");
        let values = html.split(" name=\"").skip(1).map(|rest| {
            let tag = rest.split('>').next().unwrap();
            let name = tag.split('"').next().unwrap();
            let value = tag.split(" value=\"").nth(1).unwrap_or_default();
            format!("{name}={}", value.split('"').next().unwrap())
        });
        values.collect::<Vec<String>>()
    };
    let english = values("en");
    assert!(english.len() > 40, "{english:?}");
    let options = |language: &str| {
        let headers = [("Accept-Language", language)];
        let (_, _, html) = served.ask("GET", "/deliveries", &headers, "");
        let values = html.split("<option value=\"").skip(1);
        let values = values.map(|rest| rest.split('"').next().unwrap().to_owned());
        values.collect::<Vec<String>>()
    };
    assert!(options("en").contains(&"dead".to_owned()));
    for language in ["zh", "ru", "fr"] {
        assert_eq!(values(language), english, "{language}");
        assert_eq!(options(language), options("en"), "{language}");
    }
}
