//! The pages in a real browser, as people use them.

use serde_json::{Value, json};

use crate::support::webdriver::{Browser, call, no_browser};
use crate::support::{PUSH, Receiver, Served, TestDb, wait_until};

#[test]
fn a_person_finds_the_dead_delivery_and_presses_replay() {
    if no_browser() {
        return;
    }
    let here = TestDb::new();
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

/// A served box with what a person may have to look at: what was delivered, what is dead, what
/// waits for an endpoint that is held and one that is away.
pub fn lived_in() -> (TestDb, Served, Receiver) {
    let here = TestDb::new();
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
    assert_eq!(here.json(&["stats"])["superseded"], 6);

    // Some that are chosen by hand, from the list.
    browser.open(&format!(
        "{}/deliveries?state=delivered&endpoint=ci",
        served.status
    ));
    browser.click("input[name=id]");
    let before = here.list(&["delivery", "list"]).len();
    let is_sent = |count: usize| {
        browser.click("#chosen button");
        let preview = browser.text("#preview");
        let counted = match count {
            1 => "1 delivery,".to_owned(),
            count => format!("{count} deliveries"),
        };
        assert!(preview.starts_with(&counted), "{preview}");
        browser.click("#start");
        browser.wait_for_url(|url| url.contains("/deliveries"));
        let said = browser.text(".done");
        assert!(said.contains("sent again"), "{said}");
    };
    is_sent(1);
    assert_eq!(here.list(&["delivery", "list"]).len(), before + 1);

    // All that are shown at once: two of them are of one event, which is sent once.
    browser.open(&format!(
        "{}/deliveries?state=delivered&endpoint=ci",
        served.status
    ));
    let shown = browser.script("return document.querySelectorAll('#rows input[name=id]').length");
    let shown = usize::try_from(shown.as_u64().unwrap()).unwrap();
    assert_eq!(shown, 7);
    browser.click("[data-all]");
    is_sent(6);
    assert_eq!(here.list(&["delivery", "list"]).len(), before + 1 + 6);
}

#[test]
fn a_person_sends_another_body_to_an_address_given_on_the_spot() {
    if no_browser() {
        return;
    }
    let (here, served, _receiver) = lived_in();
    let elsewhere = Receiver::answering(&[200]);
    here.json(&[
        "enqueue",
        "--type",
        "order.paid",
        "--data",
        "{\n  \"id\": 7\n}\n",
    ]);
    let of_it = here.list(&[
        "delivery",
        "list",
        "--type",
        "order.paid",
        "--endpoint",
        "ci",
    ]);
    let id = of_it[0]["id"].as_str().unwrap();
    here.wait_for_state(id, "delivered");
    let browser = Browser::start();
    browser.open(&format!("{}/deliveries/{id}", served.status));
    browser.click(".actions a.button");
    browser.fill("textarea[name=body]", "more");
    // What cannot be is told, and what was filled in is still there.
    browser.fill("input[name=to]", "ftp://nowhere/");
    browser.click("#look-again");
    let problem = |what: &str| {
        let script = format!("document.querySelector('#problem')?.textContent.includes('{what}')");
        browser.wait_for(what, &script);
    };
    problem("ftp:");
    let typed = "document.querySelector('textarea[name=body]').value";
    let typed = browser.script(&format!("return {typed}"));
    assert_eq!(typed, "{\n  \"id\": 7\n}\nmore");
    browser.script("document.querySelector('input[name=to]').value = ''");
    browser.fill("input[name=to]", &elsewhere.url);
    // It was JSON, and is none any more.
    browser.click("#look-again");
    problem("no JSON any more");
    browser.click("input[name=any_body]");
    assert_eq!(here.list(&["endpoint", "list"]).len(), 4, "only looked at");
    browser.click("#start");
    browser.wait_for_url(|url| url.contains("/deliveries/dlv_"));
    let got = elsewhere.next();
    assert_eq!(got.body, b"{\n  \"id\": 7\n}\nmore");
    let event = here.json(&["event", "show", got.header("webhook-id").unwrap()]);
    assert_eq!(event["replay_of_event"], of_it[0]["event"]);
    assert_eq!(here.list(&["endpoint", "list"]).len(), 5);
}

#[test]
fn a_person_sends_an_event_that_nobody_was_owed() {
    if no_browser() {
        return;
    }
    let here = TestDb::new();
    let (receiver, elsewhere) = (Receiver::answering(&[200]), Receiver::answering(&[200]));
    here.add_gogs();
    here.add_endpoint("ci", &receiver.url, &["--types", "tag"]);
    let served = here.serve();
    served.push("k1", PUSH.as_bytes());
    let events = here.list(&["event", "list"]);
    let event = events[0]["id"].as_str().unwrap();
    let browser = Browser::start();

    // To the endpoint whose filters did not want it, with one press.
    browser.open(&format!("{}/events/{event}", served.status));
    browser.click("#unowed button");
    browser.wait_for_url(|url| url.contains("/deliveries/dlv_"));
    assert_eq!(receiver.next().body, PUSH.as_bytes());

    // Changed, and elsewhere. What stands in one line is indented, to be changed.
    served.push("k2", br#"{"a":[1.0,"\u4fee"]}"#);
    let events = here.list(&["event", "list"]);
    let event = events[0]["id"].as_str().unwrap();
    browser.open(&format!("{}/events/{event}", served.status));
    browser.click(".actions a.button");
    browser.fill("textarea[name=body]", " ");
    browser.fill("input[name=to]", &elsewhere.url);
    browser.click("#start");
    browser.wait_for_url(|url| url.contains("/deliveries/dlv_"));
    let got = elsewhere.next();
    let expected = "{\n  \"a\": [\n    1.0,\n    \"修\"\n  ]\n} ";
    assert_eq!(std::str::from_utf8(&got.body).unwrap(), expected);
    let copy = here.json(&["event", "show", got.header("webhook-id").unwrap()]);
    assert_eq!(copy["replay_of_event"], event);
    // The endpoint that was made for it stands in nobody's way.
    browser.open(&format!("{}/", served.status));
    browser.wait_for(
        "the overview without it",
        "document.querySelectorAll('ul.standings li').length === 1",
    );
    assert!(
        browser
            .text("#endpoints")
            .contains("1 more gets nothing but replays")
    );

    // What is left as it stands goes out byte for byte.
    browser.open(&format!("{}/replays/new?id={event}&to=ci", served.status));
    browser.click("#start");
    browser.wait_for_url(|url| url.contains("/deliveries/dlv_"));
    assert_eq!(receiver.next().body, br#"{"a":[1.0,"\u4fee"]}"#);
}

#[test]
fn a_person_makes_up_for_what_an_endpoint_missed() {
    if no_browser() {
        return;
    }
    let (here, served, receiver) = lived_in();
    here.add_endpoint("late", &receiver.url, &["--types", "push"]);
    let browser = Browser::start();
    for (endpoint, kind, expected) in [("deploy", "recover", 6), ("late", "backfill", 6)] {
        browser.open(&format!("{}/endpoints/{endpoint}", served.status));
        browser.click("details.change:first-of-type summary");
        browser.click(&format!("#{kind} button"));
        let preview = browser.text("#preview");
        assert!(
            preview.starts_with(&format!("{expected} deliveries")),
            "{preview}"
        );
        browser.click("#start");
        browser.wait_for_url(|url| url.contains("/replays/rpl_"));
        browser.wait_for(
            "the end",
            "document.querySelector('#state').textContent.trim() === 'done'",
        );
        let records = here.list(&["replays", "list"]);
        assert_eq!(records[0]["kind"], kind);
        assert_eq!(records[0]["delivered"], expected);
    }
}

#[test]
fn a_form_that_is_refused_says_why_and_keeps_what_was_filled_in_but_secrets() {
    if no_browser() {
        return;
    }
    let here = TestDb::new();
    here.json(&["init"]);
    let served = here.serve();
    let browser = Browser::start();
    browser.open(&format!("{}/endpoints", served.status));
    browser.fill("input[name=name]", "ci");
    browser.fill("input[name=url]", "https://ci.example.org/hook");
    browser.script(
        "document.querySelectorAll('form.settings details').forEach(it => { it.open = true; })",
    );
    browser.fill("input[name=rate]", "often");
    browser.fill("textarea[name=template]", "{{ summary|tojson }}");
    browser.script("document.querySelector('select[name=format]').value = 'template'");
    browser.script("document.querySelector('select[name=sign]').value = 'github'");
    browser.fill("input[name=secret]", "hunter2hunter2");
    browser.click("form.settings button[type=submit]");
    let problem = browser.text("#problem");
    assert!(problem.contains("rate"), "{problem}");
    let values = "[...document.querySelectorAll('form.settings [name]')].map(field => [field.name, field.value])";
    let values: Value = browser.script(&format!("return Object.fromEntries({values})"));
    assert_eq!(values["name"], "ci");
    assert_eq!(values["url"], "https://ci.example.org/hook");
    assert_eq!(values["rate"], "often");
    assert_eq!(values["template"], "{{ summary|tojson }}");
    assert_eq!(values["secret"], "");
    let told = "return [...document.querySelectorAll('.again')].map(it => it.textContent).join()";
    let told = browser.script(told).to_string();
    assert!(told.contains("type it again"), "{told}");
    // The error stands at its field, too.
    assert!(
        told.contains("is not a rate") || told.contains("often"),
        "{told}"
    );
    let wrong = "return document.querySelector('[aria-invalid]').name";
    assert_eq!(browser.script(wrong), "rate");
    assert!(here.list(&["endpoint", "list"]).is_empty());
    let element = browser.await_element("input[name=rate]");
    let clear = format!("{}/element/{element}/clear", browser.session);
    call("POST", &clear, Some(&json!({})));
    browser.fill("input[name=rate]", "20/m");
    browser.click("form.settings button[type=submit]");
    // Nothing is signed otherwise than was wished for.
    assert!(here.list(&["endpoint", "list"]).is_empty());
    browser.fill("input[name=secret]", "hunter2hunter2");
    browser.click("form.settings button[type=submit]");
    browser.wait_for_url(|url| url.ends_with("/endpoints/ci"));
    let added = here.json(&["endpoint", "show", "ci"]);
    assert_eq!(added["rate"], "20/m");
    assert_eq!(added["has_secret"], true);
}

#[test]
fn keys_lead_through_the_pages_and_can_be_turned_off() {
    if no_browser() {
        return;
    }
    let (_here, served, _receiver) = lived_in();
    let browser = Browser::start();
    browser.open(&format!("{}/", served.status));
    browser.press("gd");
    browser.wait_for_url(|url| url.ends_with("/deliveries"));
    // In a field a letter is a letter.
    browser.press("/");
    browser.wait_for("the filter", "document.activeElement.name === 'state'");
    browser.script("document.activeElement.blur()");
    browser.press("jjkx");
    browser.wait_for(
        "the second row to be left and the first with a box to be ticked or passed",
        "document.activeElement.closest('tr') === document.querySelector('#rows tbody tr:not(.date)')",
    );
    browser.press("jj");
    let third = "document.querySelectorAll('#rows tbody tr:not(.date)')[2].querySelector('a')";
    browser.wait_for(
        "the third row",
        &format!("document.activeElement === {third}"),
    );
    let to = browser.script(&format!("return {third}.href"));
    browser.press("o");
    browser.wait_for_url(|url| url == to.as_str().unwrap());

    browser.press("?");
    browser.wait_for("the list of keys", "document.querySelector('#keys').open");
    browser.click("#keys-on");
    browser.click("#keys form button");
    browser.press("gd");
    browser.open(&format!("{}/events", served.status));
    browser.press("gd");
    browser.press("j");
    assert!(browser.url().ends_with("/events"));
    assert_eq!(
        browser.script("return document.activeElement === document.body"),
        true
    );
}

#[test]
fn a_person_adds_an_endpoint_tests_holds_and_resumes_it_after_logging_in() {
    if no_browser() {
        return;
    }
    let here = TestDb::new();
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
        browser.script("return document.querySelectorAll('#rows input:checked').length"),
        1
    );
}

#[test]
fn a_person_sees_at_once_who_needs_them_and_mends_it_from_there() {
    if no_browser() {
        return;
    }
    let (here, served, _receiver) = lived_in();
    let refusing = Receiver::answering(&[500]);
    here.add_endpoint("mail", &refusing.url, &["--retry", "none"]);
    served.push("k-mail", PUSH.as_bytes());
    wait_until("the refusal", || {
        let shown = here.json(&["endpoint", "show", "mail"]);
        (!shown["failing_for"].is_null()).then_some(())
    });
    let browser = Browser::start();
    browser.open(&format!("{}/", served.status));
    assert_eq!(browser.text("h1"), "3 of 5 endpoints need you");
    let title = browser.script("return document.title");
    assert_eq!(title, "3 of 5 endpoints need you · hookbox");
    let icon = "return document.querySelector('link[rel=icon]').getAttribute('href')";
    assert_eq!(browser.script(icon), "/icon-red.svg");
    // The worst comes first, and its cause.
    let lines = browser.text(".standings");
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[0], "refuses", "{lines:?}");
    assert!(
        lines.iter().any(|line| line.starts_with("500 Internal")),
        "{lines:?}"
    );
    // One click, on the spot, and it is said that it was done.
    browser.click("form[action='/endpoints/archive/resume'] button");
    browser.wait_for(
        "the confirmation",
        "document.querySelector('.done') !== null",
    );
    assert_eq!(browser.text(".done"), "It is sent to again.");
    assert_eq!(browser.text("h1"), "2 of 5 endpoints need you");
    // Not said again when the page is loaded again.
    assert_eq!(browser.url(), format!("{}/", served.status));
}

#[test]
fn a_person_finds_what_came_last_night_with_two_clicks() {
    if no_browser() {
        return;
    }
    let (_here, served, _receiver) = lived_in();
    let browser = Browser::start();
    browser.open(&format!("{}/", served.status));
    browser.click("header a[href='/deliveries']");
    // A line each, under its day, with the status of the answer.
    assert_eq!(browser.text("#rows tr.date"), "Today");
    let heights = browser.script(
        "return [...document.querySelectorAll('#rows tbody tr')].map(row => row.offsetHeight)",
    );
    let heights = heights.as_array().unwrap();
    assert!(
        heights.iter().all(|one| one.as_u64().unwrap() < 42),
        "{heights:?}"
    );
    let state = browser.text("#rows tr:not(.date):has(.badge.dead) .state");
    assert_eq!(state, "dead 500");
    browser.click(".spans a:nth-of-type(2)");
    browser.wait_for_url(|url| url.contains("+18%3A00") && url.contains("+08%3A00"));
    assert_eq!(browser.text(".spans [aria-current]"), "Last night");
    browser.click(".spans a:nth-of-type(3)");
    browser.wait_for_url(|url| url.contains("since=today"));
    assert_eq!(browser.text("#rows tr.date"), "Today");
    // The other conditions stay.
    browser.open(&format!("{}/deliveries?state=dead", served.status));
    browser.click(".spans a:nth-of-type(1)");
    browser.wait_for_url(|url| url.contains("state=dead") && url.contains("since=1h"));
}
