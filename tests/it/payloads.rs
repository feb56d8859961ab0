//! Every sample payload through the door: its type, key, summary and branch, as a table says.

use std::path::Path;

use crate::support::{Served, TestDb};

/// A sample: kind of source, the event's name in that kind's header, file; then what is to be read:
/// type, type as it was spelled, summary, branch.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
    Option<&'static str>,
);

const MAIN: Option<&str> = Some("main");

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("gogs", "push", "gogs-push.json", "push", None, "lighthouse/beacon: mira pushed 1 commit to main", MAIN),
    ("gogs", "push", "gogs-push-test.json", "push", None, "lighthouse/beacon: mira sent a test push to main", MAIN),
    ("gogs", "create", "gogs-create-branch.json", "create", None, "lighthouse/beacon: mira created branch fix/uplink", Some("fix/uplink")),
    ("gogs", "create", "gogs-create-tag.json", "create", None, "lighthouse/beacon: mira created tag v1.4.0", Some("v1.4.0")),
    ("gogs", "delete", "gogs-delete-tag.json", "delete", None, "lighthouse/beacon: mira deleted tag v1.3.9", Some("v1.3.9")),
    ("gogs", "fork", "gogs-fork.json", "fork", None, "lighthouse/beacon: tom forked it to tom/beacon", None),
    ("gogs", "issues", "gogs-issues-opened.json", "issues", None, "lighthouse/beacon: tom opened issue #5: The lamp is dark when <fog> & night meet", None),
    ("gogs", "issue_comment", "gogs-issue-comment-created.json", "issue_comment", None, "lighthouse/beacon: mira commented on issue #5: The lamp is dark when <fog> & night meet", None),
    ("gogs", "pull_request", "gogs-pull-request-opened.json", "pull_request", None, "lighthouse/beacon: mira opened pull request #7: Keep the lamp lit while the uplink is down", MAIN),
    ("gogs", "pull_request", "gogs-pull-request-merged.json", "pull_request", None, "lighthouse/beacon: tom merged pull request #7: Keep the lamp lit while the uplink is down", MAIN),
    ("gogs", "release", "gogs-release.json", "release", None, "lighthouse/beacon: mira published release v1.4.0", Some("v1.4.0")),
    ("gitee", "Push Hook", "gitee-push.json", "push", Some("Push Hook"), "lighthouse/beacon: mira pushed 1 commit to main", MAIN),
    // As the Test button spells it.
    ("gitee", "push_hooks", "gitee-push.json", "push", Some("push_hooks"), "lighthouse/beacon: mira pushed 1 commit to main", MAIN),
    ("gitee", "Push Hook", "gitee-push-deleted.json", "push", Some("Push Hook"), "lighthouse/beacon: mira deleted branch fix/uplink", Some("fix/uplink")),
    ("gitee", "Tag Push Hook", "gitee-tag-push.json", "tag_push", Some("Tag Push Hook"), "lighthouse/beacon: mira created tag v1.4.0", Some("v1.4.0")),
    ("gitee", "Issue Hook", "gitee-issue-open.json", "issue", Some("Issue Hook"), "lighthouse/beacon: tom opened issue #I9LAMP: 大雾之夜灯灭了", None),
    ("gitee", "Issue Hook", "gitee-issue-closed.json", "issue", Some("Issue Hook"), "lighthouse/beacon: mira changed issue #I9LAMP to closed: 大雾之夜灯灭了", None),
    ("gitee", "Merge Request Hook", "gitee-merge-request-open.json", "merge_request", Some("Merge Request Hook"), "lighthouse/beacon: mira opened merge request !7: 断网时保持灯亮", MAIN),
    ("gitee", "Note Hook", "gitee-note-merge-request.json", "note", Some("Note Hook"), "lighthouse/beacon: tom commented on merge request !7: 断网时保持灯亮", None),
    ("gitee", "", "gitee-pipeline-fail.json", "pipeline.fail", None, "lighthouse/beacon: pipeline 夜间构建 #19 failed on main at 构建 / 编译", MAIN),
    ("gitee", "", "gitee-pipeline-not-json.txt", "pipeline.succ", None, "pipeline nightly succeeded", None),
    ("gitee", "", "gitee-legacy-push.form.txt", "push", Some("push_hooks"), "beacon: mira created branch main with 2 commits", MAIN),
    ("gitee", "Push Hook", "gitee-robot-push.json", "push", Some("Push Hook"), "push from gitee", None),
    ("gitea", "push", "gitea-push.json", "push", None, "lighthouse/beacon: mira pushed 12 commits to main", MAIN),
    ("forgejo", "push", "gitea-push.json", "push", None, "lighthouse/beacon: mira pushed 12 commits to main", MAIN),
    ("github", "push", "github-push.json", "push", None, "lighthouse/beacon: mira pushed 1 commit to main", MAIN),
    ("github", "pull_request", "github-pull-request-merged.json", "pull_request", None, "lighthouse/beacon: tom merged pull request #7: Keep the lamp lit while the uplink is down", MAIN),
    ("gitlab", "Push Hook", "gitlab-push.json", "push", Some("Push Hook"), "lighthouse/beacon: mira pushed 1 commit to main", MAIN),
    ("gitlab", "Merge Request Hook", "gitlab-merge-request-open.json", "merge_request", Some("Merge Request Hook"), "lighthouse/beacon: mira opened merge request !7: Keep the lamp lit while the uplink is down", MAIN),
    ("gitlab", "System Hook", "gitlab-push.json", "push", Some("System Hook"), "lighthouse/beacon: mira pushed 1 commit to main", MAIN),
    ("gitlab", "Pipeline Hook", "gitlab-pipeline-failed.json", "pipeline", Some("Pipeline Hook"), "lighthouse/beacon: pipeline #31 failed on main, by tom", MAIN),
    ("standard", "", "standard-order-paid.json", "order.paid", None, "order.paid from standard", None),
    ("generic", "lamp.lit", "standard-order-paid.json", "lamp.lit", None, "lamp.lit from generic", None),
];

/// The header that names the event, and the one that names the delivery.
fn headers_of(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "gogs" => ("X-Gogs-Event", "X-Gogs-Delivery"),
        "gitea" => ("X-Gitea-Event", "X-Gitea-Delivery"),
        "forgejo" => ("X-Forgejo-Event", "X-Forgejo-Delivery"),
        "github" => ("X-GitHub-Event", "X-GitHub-Delivery"),
        "gitlab" => ("X-Gitlab-Event", "Idempotency-Key"),
        // It sends no id; the body's hash stands for one.
        "gitee" => ("X-Gitee-Event", "X-Request-ID"),
        "standard" => ("X-None", "webhook-id"),
        _ => ("X-Hookbox-Type", "X-Hookbox-Key"),
    }
}

fn sample(file: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/payloads");
    std::fs::read(folder.join(file)).unwrap()
}

fn post(served: &Served, row: &Row, key: &str, body: &[u8]) -> (u16, String) {
    let (kind, event, file, ..) = *row;
    let (event_header, key_header) = headers_of(kind);
    let content_type = if file.contains(".form.") {
        "application/x-www-form-urlencoded"
    } else {
        "application/json"
    };
    let headers = [
        ("Content-Type", content_type),
        (event_header, event),
        (key_header, key),
    ];
    let (status, answer) = served.post(&format!("/in/{kind}"), &headers, body);
    (status, answer["id"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn every_sample_is_typed_keyed_and_summarised_and_the_same_delivery_twice_is_one_event() {
    let here = TestDb::new();
    for kind in [
        "gogs", "gitee", "gitea", "forgejo", "github", "gitlab", "standard", "generic",
    ] {
        let ran = here.run(&["source", "add", kind, "--kind", kind]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let served = here.serve();
    for (number, row) in ROWS.iter().enumerate() {
        let (kind, event, file, event_type, original, summary, branch) = *row;
        // Gitee's key is the body's hash: the sample that is used twice must differ.
        let mut body = sample(file);
        body.extend(std::iter::repeat_n(b' ', number));
        let key = format!("delivery-{number}");
        let (status, id) = post(&served, row, &key, &body);
        assert_eq!(status, 202, "{file}");
        let shown = here.json(&["event", "show", &id]);
        let what = format!("{kind} {event}: {file}");
        assert_eq!(shown["type"], event_type, "{what}");
        assert_eq!(shown["original_type"].as_str(), original, "{what}");
        assert_eq!(shown["summary"], summary, "{what}");
        assert_eq!(shown["branch"].as_str(), branch, "{what}");
        assert_eq!(shown["json"], !file.contains("not-json"), "{what}");
        let expected = match kind {
            "gitee" => {
                use sha2::Digest;
                format!("sha256:{}", hex::encode(sha2::Sha256::digest(&body)))
            }
            _ => key.clone(),
        };
        assert_eq!(shown["key"], expected.as_str(), "{what}");
        assert_eq!(here.run(&["event", "body", &id]).stdout, body, "{what}");
        let again = post(&served, row, &key, &body);
        assert_eq!(again, (200, id), "{what}");
    }
    // Each is told so in the lists as well.
    let listed = here.run(&["event", "list"]);
    assert!(listed.text().contains("mira sent a test push to main"));
    let (_, _, page) = served.page("/events/21");
    assert!(page.contains("not JSON"), "{page}");
}

#[test]
fn no_sample_names_a_real_host_or_person() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/payloads");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for (index, _) in text.match_indices("://") {
            let host: String = text[index + 3..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || ".-".contains(*c))
                .collect();
            assert!(host.ends_with("example.org"), "{}: {host}", path.display());
        }
        read += 1;
    }
    assert!(read >= 25, "{read}");
}
