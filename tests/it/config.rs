//! One file says what sources, endpoints and alerts shall be.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use hookbox::model::settings::{ALERT_SETTINGS, ENDPOINT_SETTINGS, Kind, SOURCE_SETTINGS, Setting};
use hookbox::model::source::SenderKind;
use serde_json::{Map, Value, json};

use crate::support::{Receiver, TestDb, assert_kept, on_server, wait_until};

const WHOLE: &str = r#"
# Everything of a small box.
include = ["conf.d/*.toml"]

[source.gogs]
kind = "gogs"
secret_file = "gogs.secret"

[source.in]
kind = "generic"
key_expr = "body.id"

[endpoint.ci]
url = "https://ci.example.org/hook"
sign = "standard"
secret_env = "CI_SECRET"
retry = ["5s", "5m"]
tries = 3
ordered = true
sources = "gogs"
headers = ["X-Team: core", "X-Box: a"]
auth = "basic:mira"
auth_secret_credential = "ci"

[alert.ops]
to = "ops"
"#;

const OPS: &str = r#"
[endpoint.ops]
url = "https://hooks.slack.com/services/T0/B0/abcdefgh"
format = "slack"
types = "hookbox.alert"

[endpoint.shaped]
url = "http://127.0.0.1:9/x"
template_file = "../push.j2"
"#;

const CI_SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// Writes files beside the database; returns the path of the first.
fn write(here: &TestDb, files: &[(&str, &str)]) -> String {
    let folder = here.folder.path();
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder.join(files[0].0).to_str().unwrap().to_owned()
}

fn whole(here: &TestDb) -> String {
    write(
        here,
        &[
            ("hookbox.toml", WHOLE),
            ("conf.d/ops.toml", OPS),
            ("conf.d/.#ops.toml", "what an editor left"),
            ("gogs.secret", "topsecret\n"),
            ("push.j2", r#"{"text": {{ type|tojson }}}"#),
            ("credentials/ci", "hunter2"),
        ],
    )
}

/// Applies a file; returns code, output and errors.
fn apply(here: &TestDb, arguments: &[&str]) -> (i32, String, String) {
    let mut command = here.command(&["apply"]);
    command
        .args(arguments)
        .env("CI_SECRET", CI_SECRET)
        .env(
            "CREDENTIALS_DIRECTORY",
            here.folder.path().join("credentials"),
        )
        .stdin(Stdio::null());
    let ran = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        ran.status.code().unwrap(),
        text(ran.stdout),
        text(ran.stderr),
    )
}

fn applied(here: &TestDb, arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.extend(["--yes", "--json"]);
    let (code, out, error) = apply(here, &all);
    assert_eq!(code, 0, "{error}");
    serde_json::from_str(&out).unwrap()
}

/// What a change is about: `add endpoint ci`.
fn changes(applied: &Value) -> Vec<String> {
    let changes = applied["changes"].as_array().unwrap().iter();
    changes
        .map(|one| {
            let word = |name: &str| one[name].as_str().unwrap();
            format!("{} {} {}", word("change"), word("table"), word("name"))
        })
        .collect()
}

#[test]
fn what_a_file_names_is_made_once_and_changed_when_the_file_is() {
    let here = TestDb::new();
    let file = whole(&here);
    // A new box is looked at before it is made.
    let (code, out, error) = apply(&here, &[&file, "--dry-run"]);
    assert!(code == 0 && out.contains("add alert ops"), "{out}");
    assert_eq!(error, "", "an empty box stood for it, and is gone");
    // Nobody is there to be asked: nothing is done.
    let (code, _, error) = apply(&here, &[&file]);
    assert_eq!(code, 2);
    assert!(
        error.contains("add source gogs\n    kind    gogs\n    secret  (secret)\n"),
        "{error}"
    );
    assert!(
        error.contains("nothing was changed; to apply it without being asked, add --yes"),
        "{error}"
    );
    assert!(!here.is_made());

    let first = applied(&here, &[&file]);
    assert_eq!(
        changes(&first),
        [
            "add source gogs",
            "add source in",
            "add endpoint ops",
            "add endpoint shaped",
            "add endpoint ci",
            "add alert ops"
        ]
    );
    let ci = here.json(&["endpoint", "show", "ci"]);
    assert_eq!(
        (&ci["retry"], &ci["tries_max"]),
        (&json!("5s,5m"), &json!(3))
    );
    assert_eq!(ci["connection"]["auth"], json!("basic mira"));
    assert_eq!(ci["sources"], json!(["gogs"]));
    let shaped = here.json(&["endpoint", "show", "shaped"]);
    assert_eq!(shaped["format"], json!("template:push.j2"));
    let again = applied(&here, &[&file]);
    assert_eq!(
        (changes(&again), &again["applied"]),
        (Vec::new(), &json!(false))
    );

    // A setting that is taken out has its default again; a new secret is seen and not shown.
    let changed = WHOLE.replace("tries = 3\n", "").replace("\"5m\"", "\"1h\"");
    write(
        &here,
        &[("hookbox.toml", &changed), ("gogs.secret", "another one\n")],
    );
    let (code, out, _) = apply(&here, &[&file, "--dry-run"]);
    assert_eq!(code, 0);
    assert_eq!(
        out,
        "change source gogs\n    secret  replaced\nchange endpoint ci\n    retry  5s,5m -> 5s,1h\n    tries  3 -> default\n"
    );
    assert!(!out.contains("another"));
    let second = applied(&here, &[&file]);
    assert_eq!(
        changes(&second),
        ["change source gogs", "change endpoint ci"]
    );
    assert_eq!(
        second["changes"][1]["settings"]["tries"],
        json!({ "from": "3", "to": null })
    );
    assert_eq!(
        here.json(&["endpoint", "show", "ci"])["tries_max"],
        json!(3),
        "one more than the ladder"
    );
}

#[test]
fn a_secret_that_the_file_does_not_name_stays_where_it_is() {
    let here = TestDb::new();
    let file = whole(&here);
    applied(&here, &[&file]);
    let before = [("gogs", "source"), ("ci", "endpoint")]
        .map(|(name, noun)| here.json(&[noun, "show", name]));
    let bare = WHOLE
        .replace("secret_file = \"gogs.secret\"\n", "")
        .replace("secret_env = \"CI_SECRET\"\n", "")
        .replace("headers = [\"X-Team: core\", \"X-Box: a\"]\n", "")
        .replace("auth_secret_credential = \"ci\"\n", "");
    write(&here, &[("hookbox.toml", &bare)]);
    assert!(changes(&applied(&here, &[&file])).is_empty());
    let after = [("gogs", "source"), ("ci", "endpoint")]
        .map(|(name, noun)| here.json(&[noun, "show", name]));
    assert_eq!(before, after);
    // An empty text takes it away; another user has another password.
    let emptied = bare.replace("kind = \"gogs\"", "kind = \"gogs\"\nsecret = \"\"");
    write(&here, &[("hookbox.toml", &emptied)]);
    assert_eq!(changes(&applied(&here, &[&file])), ["change source gogs"]);
    assert_eq!(
        here.json(&["source", "show", "gogs"])["signed"],
        json!(false)
    );
    let other = bare.replace("basic:mira", "basic:jon");
    write(&here, &[("hookbox.toml", &other)]);
    let (code, _, error) = apply(&here, &[&file, "--yes"]);
    assert_eq!(code, 2);
    assert!(
        error.contains("give the password or token as `auth_secret`\n"),
        "{error}"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_column_and_nothing_is_half_done() {
    let here = TestDb::new();
    here.json(&["init"]);
    let endpoint =
        |more: &str| format!("[endpoint.fine]\nurl = \"http://x/\"\n[endpoint.a]\n{more}\n");
    let url = "url = \"http://x/\"\n";
    let cases = [
        ("x = 1".to_owned(), "1:1: there is no `x` here"),
        ("a = [".to_owned(), "1:6: "),
        (
            "[source.a]".to_owned(),
            "1:9: source a has no kind; one of gogs, ",
        ),
        (
            "[source.a]\nkind = \"svn\"".to_owned(),
            "2:1: unknown source kind `svn`",
        ),
        (
            "[source.\"a b\"]\nkind = \"gogs\"".to_owned(),
            "1:9: `a b` is not a name",
        ),
        (endpoint("tries = 2"), "3:11: endpoint a: url is missing"),
        (
            endpoint(&format!("{url}retry = \"soon\"")),
            "5:1: retry: `soon` is not a span",
        ),
        (
            endpoint(&format!("{url}header = [\"A: b\"]")),
            "5:1: endpoint a has no setting `header`; it is `headers`",
        ),
        (
            endpoint(&format!("{url}  colour = 1")),
            "5:3: endpoint a has no setting `colour`",
        ),
        (
            endpoint(&format!("{url}sign = \"standard\"")),
            "3:11: endpoint a: sign standard needs a secret: give secret\n",
        ),
        (
            endpoint(&format!("{url}sources = \"nobody\"")),
            "3:11: endpoint a: no source matches `nobody` of sources",
        ),
        (
            endpoint(&format!("{url}format = \"slack\"\nmethod = \"PUT\"")),
            "3:11: endpoint a: Slack has one method alone, which is chosen by itself: give method POST",
        ),
        (
            endpoint(&format!("{url}secret = \"a\"\nsecret_env = \"B\"")),
            "6:1: secret is given twice",
        ),
        (
            endpoint(&format!("{url}secret_file = \"nix\"")),
            "5:1: cannot read ",
        ),
        (
            endpoint(&format!("{url}secret_env = \"HOOKBOX_NIX\"")),
            "5:1: the environment has no variable HOOKBOX_NIX",
        ),
        (
            endpoint(&format!("{url}secret_credential = \"../a\"")),
            "5:1: `../a` is no name of a credential",
        ),
        (
            endpoint(&format!("{url}timeout = 1.5")),
            "5:11: put this value in quotes",
        ),
        (
            endpoint(&format!("{url}tries = [[1]]")),
            "5:10: a list in a list",
        ),
        (
            endpoint(&format!("{url}when = {{ a = 1 }}")),
            "5:8: a value is expected here",
        ),
        (
            endpoint(&format!("{url}headers = [\"a: 1\\nb: 2\"]")),
            "5:1: headers has a line break",
        ),
        ("[endpoint]\na = 1".to_owned(), "2:5: `a` is a table"),
        (
            "[alert.a]\nto = \"nobody\"".to_owned(),
            "1:8: alert a: no endpoint named nobody",
        ),
        (
            "[alert.a]\nto = \"https://x/\"".to_owned(),
            "2:1: to: name an endpoint",
        ),
        (
            "[serve]\ningest = \"x\"".to_owned(),
            "2:1: invalid value 'x'",
        ),
        (
            "[serve]\nfoo = 1".to_owned(),
            "2:1: serve has no option `foo`",
        ),
        (
            "[serve]\nconfig = \"a\"".to_owned(),
            "2:1: serve has no option `config`",
        ),
        ("include = [\"nix.toml\"]".to_owned(), "1:12: cannot read "),
        (
            "include = \"hookbox.toml\"".to_owned(),
            "1:11: files include each other 8 deep",
        ),
        ("prune = \"yes\"".to_owned(), "1:9: prune is true or false"),
    ];
    for (text, says) in cases {
        let file = write(&here, &[("hookbox.toml", &text)]);
        for how in ["--yes", "--dry-run"] {
            let (code, out, error) = apply(&here, &[&file, how]);
            assert_eq!(code, 2, "{text}: {out}{error}");
            assert!(
                error.starts_with(&format!("hookbox: error: {file}:{says}")),
                "{how} {text}: {error}"
            );
        }
        assert!(here.list(&["endpoint", "list"]).is_empty(), "{text}");
    }
    // The same name in two files.
    let files = [
        (
            "hookbox.toml",
            "include = [\"b.toml\"]\n[endpoint.a]\nurl = \"http://x/\"",
        ),
        ("b.toml", "[endpoint.a]\nurl = \"http://y/\""),
    ];
    let file = write(&here, &files);
    let (_, _, error) = apply(&here, &[&file, "--yes"]);
    assert!(
        error.contains("hookbox.toml:2:11: endpoint a stands at "),
        "{error}"
    );
    assert!(error.contains("b.toml:1:11 already"), "{error}");
}

#[test]
fn what_the_file_does_not_name_is_removed_where_that_is_asked() {
    let here = TestDb::new();
    let file = whole(&here);
    applied(&here, &[&file]);
    here.json(&["endpoint", "test", "shaped", "--no-wait"]);
    let rest = "[endpoint.ci]\nurl = \"https://ci.example.org/hook\"\n";
    let file = write(&here, &[("hookbox.toml", rest)]);
    assert_eq!(changes(&applied(&here, &[&file])), ["change endpoint ci"]);
    assert_eq!(here.list(&["endpoint", "list"]).len(), 3);
    // Something is pending: nothing is removed.
    let (code, _, error) = apply(&here, &[&file, "--prune", "--yes"]);
    assert_eq!(code, 2);
    assert!(
        error.contains("endpoint shaped has deliveries pending; to cancel them and remove it, add --cancel-pending"),
        "{error}"
    );
    assert_eq!(here.list(&["source", "list"]).len(), 2);
    // An alert is left that names what would be removed, or an endpoint one of a source: nothing is removed.
    for (rest, says) in [
        (
            "[alert.ops]\nto = \"ops\"\n",
            "gets the messages of alert ops",
        ),
        (
            "[endpoint.ci]\nurl = \"https://ci.example.org/hook\"\nsources = \"gogs\"\n",
            "endpoint ci: no source matches `gogs`",
        ),
    ] {
        let file = write(&here, &[("hookbox.toml", rest)]);
        let (code, _, error) = apply(&here, &[&file, "--prune", "--cancel-pending", "--yes"]);
        assert!(code == 2 && error.contains(says), "{error}");
        assert_eq!(here.list(&["source", "list"]).len(), 2);
        assert_eq!(here.list(&["endpoint", "list"]).len(), 3);
    }
    let file = write(
        &here,
        &[("hookbox.toml", "prune = true\ninclude = \"nix.d/*\"\n")],
    );
    let (code, _, error) = apply(&here, &[&file, "--yes"]);
    assert!(code == 2 && error.contains("nix.d is not there"), "{error}");
    let file = write(&here, &[("hookbox.toml", rest)]);
    let pruned = applied(&here, &[&file, "--prune", "--cancel-pending"]);
    assert_eq!(
        changes(&pruned),
        [
            "remove alert ops",
            "remove endpoint ops",
            "remove endpoint shaped",
            "remove source gogs",
            "remove source in"
        ]
    );
    assert_eq!(here.list(&["endpoint", "list"]).len(), 1);
    assert!(here.list(&["source", "list"]).is_empty());
    assert!(here.list(&["alert", "list"]).is_empty());
}

#[test]
fn what_is_exported_makes_the_same_of_another_box() {
    let (here, other) = (TestDb::new(), TestDb::new());
    applied(&here, &[&whole(&here)]);
    here.json(&["source", "set", "in", "--path-token"]);
    let folder = here.folder.path();
    let (written, secrets) = (folder.join("out.toml"), folder.join("secrets"));
    let (written, secrets) = (written.to_str().unwrap(), secrets.to_str().unwrap());
    let export = ["export", "config", "-o", written, "--secrets-to", secrets];
    here.json(&export);
    for entry in std::fs::read_dir(secrets).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let mode = std::fs::metadata(secrets).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    // A file that is there is not written over.
    assert_ne!(here.run(&export).code, 0);
    let text = std::fs::read_to_string(written).unwrap();
    for secret in ["topsecret", CI_SECRET, "hunter2", "abcdefgh", "X-Team"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(
        text.contains("secret_file = \"secrets/source-gogs-secret\""),
        "{text}"
    );
    assert_eq!(changes(&applied(&other, &[written])).len(), 6);
    assert!(changes(&applied(&here, &[written])).is_empty());
    let plain = |db: &TestDb| db.run(&["export", "config"]).text().to_owned();
    assert_eq!(plain(&here), plain(&other));
    let whole_again = folder.join("again.toml");
    other.json(&[
        "export",
        "config",
        "-o",
        whole_again.to_str().unwrap(),
        "--secrets-to",
        secrets,
    ]);
    assert_eq!(std::fs::read_to_string(whole_again).unwrap(), text);
    // Secrets that stay in the database are kept by what is written without them.
    let bare = write(&here, &[("bare.toml", &plain(&here))]);
    assert!(changes(&applied(&here, &[&bare])).is_empty());
}

#[test]
fn a_service_is_as_its_file_says_from_the_start_and_follows_it() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    // An index of texts is for a file alone.
    let index = !on_server();
    let text = |more: &str| {
        format!(
            "[serve]\nstatus = \"127.0.0.1:1\"\nbody_max = \"64KiB\"\ntext_index = {index}\nkeep_delivered = \"30d\"\n\n[source.in]\nkind = \"generic\"\n\n[endpoint.a]\nurl = \"{}\"\n{more}",
            receiver.url
        )
    };
    let file = write(&here, &[("hookbox.toml", &text(""))]);
    // The port 1 of the file gives way to that of the command line.
    let served = here.serve_with(&["--config", &file]);
    let (status, _) = served.post("/in/in", &[], b"{}");
    assert_eq!(status, 202);
    assert_eq!(receiver.next().method, "POST");
    let (status, _) = served.post("/in/in", &[], &[b' '; 65 * 1024]);
    assert_eq!(status, 413);

    write(&here, &[("hookbox.toml", &text("method = \"PUT\"\n"))]);
    let method = || here.json(&["endpoint", "show", "a"])["connection"]["method"].clone();
    wait_until("PUT", || (method() == json!("PUT")).then_some(()));
    // What is wrong changes nothing, is told, and does not end the service.
    write(&here, &[("hookbox.toml", &text("method = \"GET\"\n"))]);
    wait_until("a rejected file", || {
        served.log().contains("config.rejected").then_some(())
    });
    assert!(
        served.log().contains("hookbox.toml:12:1: method: "),
        "{}",
        served.log()
    );
    assert_eq!(method(), json!("PUT"));
    wait_until("the page and the metrics to tell of it", || {
        let (_, _, page) = served.page("/");
        let (_, _, metrics) = served.page("/metrics");
        let is_told = page.contains("is not applied") && page.contains("hookbox.toml:12:1");
        (is_told && metrics.contains("hookbox_config_problem 1")).then_some(())
    });
    // Who asks what is wrong finds it by the process that serves the file.
    if !on_server() {
        let ran = here.run(&["doctor"]);
        assert_eq!(ran.code, 1, "{}", ran.text());
        let told = "the configuration file is not applied: ";
        assert!(ran.text().contains(told), "{}", ran.text());
    }
    write(&here, &[("hookbox.toml", &text(""))]);
    wait_until("POST", || (method() == json!("POST")).then_some(()));
    wait_until("nothing to be told any more", || {
        let (_, _, page) = served.page("/");
        (!page.contains("is not applied")).then_some(())
    });
    let told = here.run(&["doctor"]);
    assert!(!told.text().contains("is not applied"), "{}", told.text());
    // A file that it includes is mended where it stands; what is pending keeps its endpoint until it went.
    write(
        &here,
        &[(
            "hookbox.toml",
            &format!("prune = true\ninclude = \"more/*.toml\"\n{}", text("")),
        )],
    );
    wait_until("a word of the folder", || {
        served.log().contains("more is not there").then_some(())
    });
    here.add_endpoint("far", "http://127.0.0.1:9/", &[]);
    here.json(&["endpoint", "test", "far", "--no-wait"]);
    write(&here, &[("more/b.toml", "[endpoint.b]\nurl = 1.5\n")]);
    wait_until("a word of the file", || {
        served
            .log()
            .contains("b.toml:2:7: put this value in quotes")
            .then_some(())
    });
    write(
        &here,
        &[(
            "more/b.toml",
            "[endpoint.b]\nurl = \"http://127.0.0.1:9/\"\n",
        )],
    );
    let names = || {
        let list = here.list(&["endpoint", "list"]);
        let mut names: Vec<String> = list
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names.join(" ")
    };
    wait_until("the included endpoint", || {
        (names() == "a b far").then_some(())
    });
    wait_until("a word of what is left", || {
        served
            .log()
            .contains("removed when nothing is pending to them: far")
            .then_some(())
    });
    here.json(&["delivery", "cancel", "--endpoint", "far", "--yes"]);
    wait_until("the endpoint to go", || (names() == "a b").then_some(()));
    write(&here, &[("hookbox.toml", &text("").replace("30d", "60d"))]);
    wait_until("a word of [serve]", || {
        served
            .log()
            .contains("keep_delivered of [serve] has changed: restart")
            .then_some(())
    });
    write(
        &here,
        &[("hookbox.toml", &text("").replace("64KiB", "3 cats"))],
    );
    wait_until("a word of a wrong option", || {
        let log = served.log();
        log.contains("hookbox.toml:3:1: invalid value '3 cats'")
            .then_some(())
    });
    write(&here, &[("hookbox.toml", &text(""))]);
    wait_until("a word of the mend", || {
        served.log().contains("config.applied").then_some(())
    });
    let log = served.stop_and_read_log();
    assert!(log.contains("config.changes"), "{log}");
    // It does not begin by a file that is wrong.
    write(&here, &[("hookbox.toml", "[endpoint.new]\n")]);
    let ran = here.run(&["serve", "--config", &file, "--status", "127.0.0.1:0"]);
    assert_eq!(ran.code, 2);
    write(&here, &[("hookbox.toml", "[serve]\nheal_every = \"5m\"\n")]);
    let ran = here.run(&["serve", "--config", &file]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains(
            "hookbox.toml: the following required arguments were not provided: --heal <KIND=WHERE>"
        ),
        "{}",
        ran.stderr
    );
}

/// The schema by which editors complete and check the file.
#[test]
fn the_published_schema_is_that_of_the_tables() {
    let here = TestDb::new();
    let help = here.run(&["serve", "--help"]);
    let options = help.text().lines().filter_map(|line| {
        let name = line.trim_start().strip_prefix("--")?;
        let name = name.split(['=', ' ', '<']).next().unwrap();
        (!matches!(
            name,
            "config" | "db" | "json" | "log-level" | "help" | "version"
        ))
        .then(|| name.replace('-', "_"))
    });
    let any = json!({ "type": ["string", "integer", "boolean", "array"] });
    // Only the file has these: where systemd puts a token is known when the service runs.
    let credentials = ["token_credential", "read_token_credential"].map(str::to_owned);
    let options = options.chain(credentials);
    let serve: Map<String, Value> = options.map(|name| (name, any.clone())).collect();
    assert!(
        serve.contains_key("ingest") && serve.len() > 15,
        "{serve:?}"
    );
    let named = |properties: Value, required: &[&str]| {
        json!({
            "type": "object",
            "additionalProperties": { "type": "object", "additionalProperties": false,
                "properties": properties, "required": required },
        })
    };
    let mut source = settings(&SOURCE_SETTINGS);
    source["kind"] = json!({ "enum": SenderKind::names() });
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "hookbox.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "include": { "type": ["string", "array"], "items": { "type": "string" } },
            "prune": { "type": "boolean" },
            "serve": { "type": "object", "additionalProperties": false, "properties": serve },
            "source": named(source, &["kind"]),
            "endpoint": named(settings(&ENDPOINT_SETTINGS), &[]),
            "alert": named(settings(&ALERT_SETTINGS), &[]),
        },
    });
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hookbox.schema.json");
    let told = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    assert_kept(&file, &told, "HOOKBOX_WRITE_SCHEMA", "config");
}

fn settings(table: &[Setting]) -> Value {
    let mut properties = Map::new();
    for setting in table {
        let texts = json!({ "type": ["string", "array"], "items": { "type": "string" } });
        let mut schema = match setting.kind {
            Kind::Choice(words) => json!({ "enum": words }),
            Kind::Number => json!({ "type": ["integer", "string"] }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Text | Kind::Lines => texts,
            Kind::File | Kind::Secret | Kind::Format => json!({ "type": "string" }),
        };
        schema["description"] = json!(setting.described());
        properties.insert(setting.name.to_owned(), schema);
        for (suffix, from) in [
            ("file", "this file"),
            ("env", "this environment variable"),
            ("credential", "this credential of systemd"),
        ] {
            let description = format!("{}: read from {from}", setting.name);
            properties.insert(
                format!("{}_{suffix}", setting.name),
                json!({ "type": "string", "description": description }),
            );
        }
    }
    Value::Object(properties)
}
