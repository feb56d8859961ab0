//! Where requests may go: what is never sent to, what is not unless allowed, and how it is said.

use crate::support::{Box, Receiver};

fn dead_reason(here: &Box, delivery: &str) -> String {
    let settled = here.wait_for_state(delivery, "dead");
    settled["reason"].as_str().unwrap().to_owned()
}

#[test]
fn link_local_and_metadata_addresses_are_never_sent_to_and_the_delivery_says_why() {
    let here = Box::new();
    let urls = [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://100.100.100.200/",
    ];
    for (number, url) in urls.iter().enumerate() {
        here.add_endpoint(&format!("e{number}"), url, &[]);
    }
    // Nor through a proxy, nor where everything is allowed.
    here.add_endpoint("proxied", urls[0], &["--proxy", "http://127.0.0.1:9"]);
    let _served = here.serve_with(&["--egress-allow", "0.0.0.0/0,::/0"]);
    here.json(&["enqueue", "--type", "x", "--data", "{}"]);
    for delivery in ["1", "2", "3", "4", "5"] {
        let reason = dead_reason(&here, delivery);
        assert!(reason.contains("never sent to"), "{reason}");
    }
}

#[test]
fn with_egress_public_only_what_is_allowed_of_private_networks_is_sent_to() {
    let here = Box::new();
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
    let here = Box::new();
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
