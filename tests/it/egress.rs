//! Where requests may go: what is never sent to, what is not unless allowed, and how it is said.

use crate::support::{Receiver, TestDb, wait_until};

fn dead_reason(here: &TestDb, delivery: &str) -> String {
    let settled = here.wait_for_state(delivery, "dead");
    settled["reason"].as_str().unwrap().to_owned()
}

#[test]
fn link_local_and_metadata_addresses_are_refused_when_they_are_set() {
    let here = TestDb::new();
    here.add_endpoint("there", "http://h/", &[]);
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://100.100.100.200/",
        // Systems take a number for an address.
        "http://2852039166/",
        "http://0xa9fea9fe/",
    ] {
        for arguments in [
            &["endpoint", "add", "x", url][..],
            &["endpoint", "set", "there", "--url", url],
            &["replay", "--yes", "--state", "dead", "--to", url],
        ] {
            let refused = here.run(arguments);
            assert_eq!(refused.code, 2, "{arguments:?}: {}", refused.stderr);
            let says = ["never sent to", "a.b.c.d"];
            let said = says.iter().any(|words| refused.stderr.contains(words));
            assert!(said, "{}", refused.stderr);
        }
    }
    for proxy in ["http://169.254.169.254:80", "socks5://[fe80::1]:1080"] {
        let refused = here.run(&["endpoint", "set", "there", "--proxy", proxy]);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(
            refused.stderr.contains("never sent to"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn with_egress_public_only_what_is_allowed_of_private_networks_is_sent_to() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    let by_name = receiver.url.replace("127.0.0.1", "localhost");
    here.add_endpoint("address", &receiver.url, &[]);
    here.add_endpoint("name", &by_name, &[]);
    let served = here.serve_with(&["--egress", "public"]);
    here.json(&["enqueue", "--type", "x", "--data", "{}"]);
    for delivery in ["1", "2"] {
        let reason = dead_reason(&here, delivery);
        assert!(reason.contains("--egress is public"), "{reason}");
    }
    assert!(receiver.got_nothing_more());
    served.signal("TERM");
    let served = here.serve_with(&["--egress", "public", "--egress-allow", "127.0.0.0/8"]);
    here.json(&["replay", "1", "2"]);
    receiver.next();
    receiver.next();
    here.wait_for_state("4", "delivered");
    served.signal("TERM");
    // What is denied goes before what is allowed.
    let _served = here.serve_with(&["--egress-deny", "127.0.0.0/8"]);
    here.json(&["replay", "1"]);
    let reason = dead_reason(&here, "5");
    assert!(reason.contains("--egress-deny"), "{reason}");
}

#[test]
fn a_network_that_is_none_is_refused_when_serving_starts() {
    let here = TestDb::new();
    for (option, value) in [
        ("--egress", "all"),
        ("--egress-allow", "10.0.0.0/33"),
        ("--egress-deny", "example.org"),
    ] {
        let ran = here.run(&["serve", option, value]);
        assert_eq!(ran.code, 2, "{option} {value}: {}", ran.stderr);
        assert!(ran.stderr.contains(value), "{}", ran.stderr);
    }
}

#[test]
fn a_proxy_may_be_private_but_is_no_way_around_what_may_not_be_sent_to() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    let by_name = receiver.url.replace("127.0.0.1", "localhost");
    let far = "http://127.0.0.1:9";
    // SOCKS proxies are given addresses, so the name is resolved here.
    here.add_endpoint("name", &by_name, &["--proxy", "socks5://127.0.0.1:9"]);
    // The proxy is private, and nobody listens there: an outage, not a refusal.
    here.add_endpoint("offline", "http://93.184.216.34/", &["--proxy", far]);
    let _served = here.serve_with(&["--egress", "public", "--egress-allow", "192.0.2.0/24"]);
    here.json(&["enqueue", "--type", "x", "--data", "{}"]);
    let reason = dead_reason(&here, "1");
    assert!(reason.contains("--egress is public"), "{reason}");
    wait_until("the outage", || {
        let shown = here.json(&["endpoint", "show", "offline"]);
        shown["outage"].is_object().then_some(())
    });
    assert_eq!(here.json(&["delivery", "show", "2"])["tries"], 0);
}
