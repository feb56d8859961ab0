//! Tables of the events of each dialect, with the expected summary and branch.

use super::*;

/// A kind, an event's type, a body, and the expected summary and branch.
type Row = (
    SourceKind,
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
);

fn check(rows: &[Row]) {
    for (kind, event_type, body, summary, branch) in rows {
        let facts = Facts::read(Some(*kind), event_type, None, &[], body.as_bytes());
        assert_eq!(facts.summary.as_deref(), *summary, "{kind} {event_type}");
        assert_eq!(facts.branch.as_deref(), *branch, "{kind} {event_type}");
        assert!(facts.is_json, "{kind} {event_type}");
    }
}

#[test]
fn what_gogs_and_its_kin_say_is_told_in_one_line() {
    use SourceKind::{Forgejo, Gitea, Github, Gogs};
    check(&[
        (
            Gogs,
            "push",
            r#"{"ref":"refs/heads/main","before":"a1","after":"b2","commits":[{},{},{}],"repository":{"full_name":"l/b"},"pusher":{"username":"mira"}}"#,
            Some("l/b: mira pushed 3 commits to main"),
            Some("main"),
        ),
        (
            Gogs,
            "push",
            r#"{"ref":"refs/heads/main","before":"a1","after":"b2","commits":[{},{},{},{},{}],"repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: mira pushed 5 or more commits to main"),
            Some("main"),
        ),
        (
            Gogs,
            "push",
            r#"{"ref":"refs/heads/main","before":"a1","after":"a1","compare_url":"","commits":[{}],"repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: mira sent a test push to main"),
            Some("main"),
        ),
        (
            Gogs,
            "create",
            r#"{"ref":"v1.0","ref_type":"tag","repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: mira created tag v1.0"),
            Some("v1.0"),
        ),
        (
            Gogs,
            "delete",
            r#"{"ref":"fix/x","ref_type":"branch","pusher_type":"user","repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: mira deleted branch fix/x"),
            Some("fix/x"),
        ),
        (
            Gogs,
            "fork",
            r#"{"forkee":{"full_name":"tom/b"},"repository":{"full_name":"l/b"},"sender":{"login":"tom"}}"#,
            Some("l/b: tom forked it to tom/b"),
            None,
        ),
        (
            Gogs,
            "issues",
            r#"{"action":"label_updated","number":5,"issue":{"number":5,"title":"The lamp\nis dark"},"repository":{"full_name":"l/b"},"sender":{"login":"tom"}}"#,
            Some("l/b: tom changed the labels of issue #5: The lamp is dark"),
            None,
        ),
        (
            Gogs,
            "issue_comment",
            r#"{"action":"created","issue":{"number":5,"title":"Dark"},"comment":{"body":"x"},"repository":{"full_name":"l/b"},"sender":{"login":"tom"}}"#,
            Some("l/b: tom commented on issue #5: Dark"),
            None,
        ),
        (
            Gogs,
            "issue_comment",
            r#"{"action":"deleted","issue":{"number":7,"title":"Relay","pull_request":{"merged":false}},"comment":{},"repository":{"full_name":"l/b"},"sender":{"login":"tom"}}"#,
            Some("l/b: tom deleted a comment on pull request #7: Relay"),
            None,
        ),
        (
            Gogs,
            "pull_request",
            r#"{"action":"closed","number":7,"pull_request":{"number":7,"title":"Relay","head_branch":"fix","base_branch":"main","merged":true},"repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: mira merged pull request #7: Relay"),
            Some("main"),
        ),
        (
            Gitea,
            "pull_request",
            r#"{"action":"synchronized","number":7,"pull_request":{"title":"Relay","base":{"ref":"main"},"head":{"ref":"fix"}},"repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: mira updated pull request #7: Relay"),
            Some("main"),
        ),
        (
            Gitea,
            "push",
            r#"{"ref":"refs/heads/main","commits":[{}],"total_commits":12,"repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: mira pushed 12 commits to main"),
            Some("main"),
        ),
        (
            Forgejo,
            "release",
            r#"{"action":"published","release":{"tag_name":"v2","name":"Two"},"repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: mira published release v2"),
            Some("v2"),
        ),
        (
            Github,
            "push",
            r#"{"ref":"refs/tags/v3","before":"0000","after":"b2","created":true,"commits":[],"repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: mira created tag v3"),
            Some("v3"),
        ),
        (
            Github,
            "push",
            r#"{"ref":"refs/heads/old","before":"b2","after":"0000","deleted":true,"repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: mira deleted branch old"),
            Some("old"),
        ),
        (
            Github,
            "workflow_run",
            r#"{"action":"completed","workflow_run":{"head_branch":"main"},"repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: workflow completed on main, by mira"),
            Some("main"),
        ),
        (
            Github,
            "check_run",
            r#"{"action":"created","check_run":{"check_suite":{"head_branch":"main"}},"repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: check was created on main, by mira"),
            Some("main"),
        ),
        (
            Github,
            "ping",
            r#"{"zen":"Keep it simple.","hook_id":1,"repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: ping, by mira"),
            None,
        ),
        (
            Github,
            "ping",
            r#"{"zen":"No repository."}"#,
            Some("ping"),
            None,
        ),
        (
            Github,
            "pull_request_review",
            r#"{"action":"submitted","review":{"state":"changes_requested","body":"x"},"pull_request":{"number":3,"title":"Relay","base":{"ref":"main"}},"repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: mira asked for changes of pull request #3: Relay"),
            Some("main"),
        ),
        (
            Gitea,
            "pull_request_approved",
            r#"{"action":"reviewed","number":3,"review":{"type":"pull_request_review_approved","content":"x"},"pull_request":{"number":3,"title":"Relay","base":{"ref":"main"}},"repository":{"full_name":"l/b"},"sender":{"login":"mira"}}"#,
            Some("l/b: mira approved pull request #3: Relay"),
            Some("main"),
        ),
    ]);
}

#[test]
fn what_gitee_says_is_told_in_one_line() {
    use SourceKind::Gitee;
    let pushed = r#"{"ref":"refs/heads/main","before":"a1","after":"b2","created":false,"deleted":false,"commits":[{}],"total_commits_count":11,"project":{"path_with_namespace":"l/b","full_name":"Light / B"},"sender":{"login":"mira","name":"Mira"}}"#;
    check(&[
        (
            Gitee,
            "push",
            pushed,
            Some("l/b: mira pushed 11 commits to main"),
            Some("main"),
        ),
        (
            Gitee,
            "push",
            r#"{"ref":"refs/heads/old","before":"b2","after":"0000","deleted":true,"commits":[],"total_commits_count":null,"repository":{"full_name":"l/b"},"user_name":"mira"}"#,
            Some("l/b: mira deleted branch old"),
            Some("old"),
        ),
        (
            Gitee,
            "tag_push",
            r#"{"ref":"refs/tags/v1","before":"0000","after":"b2","created":true,"commits":null,"project":{"path_with_namespace":"l/b"},"sender":{"user_name":"mira"}}"#,
            Some("l/b: mira created tag v1"),
            Some("v1"),
        ),
        (
            Gitee,
            "merge_request",
            r#"{"action":"update","action_desc":"source_branch_changed","iid":9,"title":"Relay","source_branch":"fix","target_branch":"main","project":{"path_with_namespace":"l/b"},"sender":{"login":"tom"}}"#,
            Some("l/b: tom updated merge request !9: Relay"),
            Some("main"),
        ),
        (
            Gitee,
            "merge_request",
            r#"{"action":"update","action_desc":"update_label","number":9,"title":"Relay","target_branch":"main","project":{"path_with_namespace":"l/b"},"sender":{"login":"tom"}}"#,
            Some("l/b: tom changed the labels of merge request !9: Relay"),
            Some("main"),
        ),
        (
            Gitee,
            "issue",
            r#"{"action":"state_change","iid":"I4CYEO","title":"Dark","state":"closed","project":{"path_with_namespace":"l/b"},"sender":{"login":"tom"}}"#,
            Some("l/b: tom changed issue #I4CYEO to closed: Dark"),
            None,
        ),
        (
            Gitee,
            "note",
            r##"{"action":"comment","noteable_type":"Issue","per_iid":"#I4CF12","title":"Dark","project":{"path_with_namespace":"l/b"},"author":{"login":"tom"}}"##,
            Some("l/b: tom commented on issue #I4CF12: Dark"),
            None,
        ),
        (
            Gitee,
            "note",
            r#"{"action":"comment","noteable_type":"Commit","short_commit_id":"c41d2e3","project":{"path_with_namespace":"l/b"},"author":{"login":"tom"}}"#,
            Some("l/b: tom commented on commit c41d2e3"),
            None,
        ),
        (
            Gitee,
            "note",
            r#"{"action":"comment","per_iid":"灯9","project":{"path_with_namespace":"l/b"}}"#,
            Some("l/b: commented on 灯9"),
            None,
        ),
        (
            Gitee,
            "pipeline.fail",
            r#"{"job":{"pipelineId":7,"pipelineName":"nightly","stageName":"Build","jobName":"compile","buildNumber":19,"statusCode":"FAIL"},"sources":[{"sourceType":"CODE_LEVEL_ARTIFACT"},{"sourceType":"GITEE_GO","repoPath":"l/b","branch":"main"}]}"#,
            Some("l/b: pipeline nightly #19 failed on main at Build / compile"),
            Some("main"),
        ),
        (
            Gitee,
            "pipeline.succ",
            r#"{"job":{"pipelineId":7,"pipelineName":"nightly","buildNumber":19,"statusCode":"SUCC"},"sources":[{"sourceType":"PIPELINE","buildNumber":7,"upParams":"{\"GITEE_REPO\":\"l/up\",\"GITEE_BRANCH\":\"dev\"}"}]}"#,
            Some("l/up: pipeline nightly #19 succeeded on dev"),
            Some("dev"),
        ),
        (
            Gitee,
            "push",
            r#"{"hook_name":"push_hooks","push_data":{"ref":"refs/heads/main","before":"0000","after":"b2","user_name":"mira","commits":[{}],"total_commits_count":2,"repository":{"name":"b"}}}"#,
            Some("b: mira created branch main with 2 commits"),
            Some("main"),
        ),
    ]);
    let mut form = form_urlencoded::Serializer::new(String::new());
    let form = form.append_pair("hook", pushed).finish();
    let content_type = Some("application/x-www-form-urlencoded");
    let facts = Facts::read(Some(Gitee), "push", content_type, &[], form.as_bytes());
    assert!(facts.is_json);
    assert_eq!(facts.branch.as_deref(), Some("main"));
    let ping = [("X-Gitee-Ping".to_owned(), "true".to_owned())];
    let facts = Facts::read(Some(Gitee), "push", None, &ping, pushed.as_bytes());
    let summary = facts.summary.unwrap();
    assert_eq!(summary, "test: l/b: mira pushed 11 commits to main");
}

#[test]
fn what_gitlab_says_is_told_in_one_line() {
    use SourceKind::Gitlab;
    check(&[
        (
            Gitlab,
            "push",
            r#"{"object_kind":"push","ref":"refs/heads/main","before":"a1","after":"b2","user_username":"mira","total_commits_count":4,"commits":[{}],"project":{"path_with_namespace":"l/b"}}"#,
            Some("l/b: mira pushed 4 commits to main"),
            Some("main"),
        ),
        (
            Gitlab,
            "tag_push",
            r#"{"object_kind":"tag_push","ref":"refs/tags/v1","before":"a1","after":"0000","user_username":"mira","project":{"path_with_namespace":"l/b"}}"#,
            Some("l/b: mira deleted tag v1"),
            Some("v1"),
        ),
        (
            Gitlab,
            "merge_request",
            r#"{"object_kind":"merge_request","user":{"username":"tom"},"project":{"path_with_namespace":"l/b"},"object_attributes":{"iid":3,"title":"Relay","action":"merge","source_branch":"fix","target_branch":"main"}}"#,
            Some("l/b: tom merged merge request !3: Relay"),
            Some("main"),
        ),
        (
            Gitlab,
            "issue",
            r#"{"object_kind":"issue","user":{"username":"tom"},"project":{"path_with_namespace":"l/b"},"object_attributes":{"iid":8,"title":"Dark","action":"reopen"}}"#,
            Some("l/b: tom reopened issue #8: Dark"),
            None,
        ),
        (
            Gitlab,
            "note",
            r#"{"object_kind":"note","user":{"username":"tom"},"project":{"path_with_namespace":"l/b"},"object_attributes":{"id":1,"noteable_type":"MergeRequest"},"merge_request":{"iid":3,"title":"Relay"}}"#,
            Some("l/b: tom commented on merge request !3: Relay"),
            None,
        ),
        (
            Gitlab,
            "pipeline",
            r#"{"object_kind":"pipeline","user":{"username":"tom"},"project":{"path_with_namespace":"l/b"},"object_attributes":{"id":31,"ref":"main","status":"failed"}}"#,
            Some("l/b: pipeline #31 failed on main, by tom"),
            Some("main"),
        ),
        (
            Gitlab,
            "job",
            r#"{"object_kind":"build","ref":"main","build_name":"test","build_status":"success","user":{"username":"tom"},"project":{"path_with_namespace":"l/b"}}"#,
            Some("l/b: job test succeeded on main, by tom"),
            Some("main"),
        ),
        (
            Gitlab,
            "deployment",
            r#"{"object_kind":"deployment","ref":"main","status":"success","environment":"staging","user":{"username":"tom"},"project":{"path_with_namespace":"l/b"}}"#,
            Some("l/b: deployment to staging succeeded on main, by tom"),
            Some("main"),
        ),
        (
            Gitlab,
            "release",
            r#"{"object_kind":"release","tag":"v2","name":"Two","action":"create","project":{"path_with_namespace":"l/b"}}"#,
            Some("l/b: created release v2"),
            Some("v2"),
        ),
        (
            Gitlab,
            "project_create",
            r#"{"event_name":"project_create","path_with_namespace":"l/new","owner_name":"Mira"}"#,
            Some("l/new: project created"),
            None,
        ),
    ]);
}

#[test]
fn what_is_no_json_or_says_nothing_has_no_summary() {
    for kind in SourceKind::ALL {
        for (body, is_json) in [
            ("", false),
            ("{\"ref\": main}", false),
            ("[1]", true),
            (&format!("[1{}]", ",\"x\"".repeat(99)), true),
            ("{}", true),
            (r#"{"repository":{"full_name":7},"repository":{}}"#, true),
            (r#"{"repository":[],"sender":"x","commits":{"a":1}}"#, true),
            (r#"{"ref":"refs/heads/"}"#, true),
        ] {
            let facts = Facts::read(Some(kind), "push", None, &[], body.as_bytes());
            assert_eq!(facts.is_json, is_json, "{kind} {body}");
            assert_eq!(facts.summary, None, "{kind} {body}");
            assert_eq!(facts.branch, None, "{kind} {body}");
        }
    }
}

#[test]
fn a_branch_that_no_git_server_has_is_none() {
    for name in [r"a\u0000b", r"\u0000", "", &"x".repeat(256)] {
        let body = format!(r#"{{"ref":"refs/heads/{name}","sender":{{"login":"m"}}}}"#);
        let facts = Facts::read(Some(SourceKind::Gogs), "push", None, &[], body.as_bytes());
        assert_eq!((facts.branch, facts.is_json), (None, true), "{name}");
    }
}

#[test]
fn a_summary_is_one_line_that_is_cut_on_a_character() {
    let activity = Activity {
        actor: Some("mira".to_owned()),
        deed: "opened issue #5".to_owned(),
        title: Some(format!("灯\u{1b}[31m\r\n{}", "灯".repeat(300))),
        ..Activity::default()
    };
    let summary = activity.summary().unwrap();
    assert_eq!(summary.chars().count(), SUMMARY_CHARS_MAX);
    assert!(summary.starts_with("mira opened issue #5: 灯 [31m 灯"));
    assert!(summary.ends_with("灯…"), "{summary}");
}
