//! Receivers in other languages verify what hookbox signs, with the public libraries.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Receiver, TestDb, is_missing};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Delivers an event for real and gives what arrived, as JSON, to a program that must exit 0.
fn verified_by(scheme: &str, program: &str, arguments: &[&str]) -> bool {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[204]);
    here.add_endpoint(
        "app",
        &receiver.url,
        &["--sign", scheme, "--secret", SECRET],
    );
    let _served = here.serve();
    here.json(&[
        "enqueue",
        "--type",
        "order.paid",
        "--data",
        "{\"id\": 1, \"note\": \"größer\"}",
    ]);
    let got = receiver.next();
    let headers: serde_json::Map<String, serde_json::Value> = got
        .headers
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value.clone().into()))
        .collect();
    let arrived = serde_json::json!({
        "secret": SECRET,
        "headers": headers,
        "body": String::from_utf8(got.body).unwrap(),
    });
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verifiers"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(arrived.to_string().as_bytes())
        .unwrap();
    child.wait().unwrap().success()
}

#[test]
fn the_python_library_accepts_the_signature() {
    if is_missing(
        "python3",
        &["-c", "import standardwebhooks"],
        "pip install standardwebhooks",
    ) {
        return;
    }
    assert!(verified_by("standard", "python3", &["verify.py"]));
}

#[test]
fn the_node_library_accepts_the_signature() {
    let probe = "require(process.cwd() + '/node_modules/standardwebhooks')";
    if is_missing("node", &["-e", probe], "npm install in tests/verifiers") {
        return;
    }
    assert!(verified_by("standard", "node", &["verify.js"]));
}

#[test]
fn githubs_own_library_accepts_the_signature() {
    let probe = "require('node:fs').accessSync('node_modules/@octokit/webhooks-methods')";
    if is_missing("node", &["-e", probe], "npm install in tests/verifiers") {
        return;
    }
    assert!(verified_by("github", "node", &["verify-github.mjs"]));
}
