//! `/metrics`: read by a monitor's own parser, with the figures that the examples use.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Receiver, TestDb, is_missing, on_server, wait_until};

/// A box that has delivered one event, holds one endpoint and refused one request.
fn scraped() -> String {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    here.add_gogs();
    here.add_endpoint("ci", &receiver.url, &[]);
    here.add_endpoint(
        "away",
        "http://127.0.0.1:9/",
        &["--window", "0 0 2 * * *+3h"],
    );
    here.json(&["endpoint", "hold", "away", "--reason", "moved"]);
    let served = here.serve();
    assert_eq!(served.push("k", b"{}").0, 202);
    assert_eq!(served.post("/in/gogs", &[], b"{}").0, 401);
    here.wait_for_state("1", "delivered");
    let (status, headers, _) = served.page("/metrics");
    assert_eq!(status, 200);
    let kind = headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    wait_until("the refusal to be counted", || {
        let text = served.page("/metrics").2;
        text.contains("hookbox_refused_requests_total{source=\"gogs\"} 1")
            .then_some(text)
    })
}

#[test]
fn what_happens_can_be_watched_by_a_monitor() {
    let text = scraped();
    for line in [
        "hookbox_events_total{source=\"gogs\"} 1",
        "hookbox_deliveries_settled{endpoint=\"ci\",state=\"delivered\"} 1",
        "hookbox_deliveries_pending{endpoint=\"away\"} 1",
        "hookbox_endpoint_held{endpoint=\"away\"} 1",
        "hookbox_endpoint_held{endpoint=\"ci\"} 0",
        "hookbox_attempts_total{endpoint=\"ci\",outcome=\"delivered\"} 1",
        "hookbox_attempt_duration_seconds_count{outcome=\"delivered\"} 1",
        "hookbox_store_unwritable 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // The disk of a server is not ours.
    let of_files_only = "hookbox_disk_free_bytes";
    assert_eq!(
        text.contains(&format!("{of_files_only} ")),
        !on_server(),
        "{text}"
    );
    let commits = text
        .lines()
        .find(|line| line.starts_with("hookbox_commit_jobs_count "));
    assert_ne!(commits, Some("hookbox_commit_jobs_count 0"));

    // What the dashboard and the alerts of the examples ask for is there.
    let examples = [
        include_str!("../../examples/grafana.json"),
        include_str!("../../examples/alerts.yml"),
    ];
    let mut asked = 0;
    for example in examples {
        for part in example.split("hookbox_").skip(1) {
            let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let name = format!("hookbox_{}", &part[..end.unwrap_or(part.len())]);
            assert!(
                text.contains(&format!("\n{name}")) || on_server() && name == of_files_only,
                "{name} is not measured"
            );
            asked += 1;
        }
    }
    assert!(asked > 15, "{asked}");

    let how = "apt-get install prometheus";
    if !is_missing("promtool", &["--version"], how) {
        // Each alert tells when it must, and else says nothing.
        let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/alerts.test.yml");
        let ran = Command::new("promtool")
            .args(["test", "rules", tests])
            .output()
            .unwrap();
        let (told, failed) = (
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr),
        );
        assert!(ran.status.success(), "{told}{failed}");
        let alert = |line: &str| line.trim().strip_prefix("- alert: ").map(str::to_owned);
        let tested = std::fs::read_to_string(tests).unwrap();
        for alert in examples[1].lines().filter_map(alert) {
            let of_it = tested.matches(&format!("alertname: {alert}")).count();
            assert!(of_it >= 2, "{alert} is tested both ways");
        }
    }

    let how = "pip install prometheus-client, or run .ci/run";
    if is_missing("python3", &["-c", "import prometheus_client"], how) {
        return;
    }
    let parse = "import sys\nfrom prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\nprint(len(list(parse(sys.stdin.read()))))";
    let mut child = Command::new("python3")
        .args(["-c", parse])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the parser takes it");
    let families: usize = String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(families >= 15, "{families}");
}
