//! Any text is read as a configuration, or told to be none, with its place.

use std::path::Path;

use super::document::Document;
use super::{Config, Noun};
use crate::fuzz::{fuzz, kind_of};

const SEED: &str = r#"
include = ["conf.d/*.toml"]
prune = true
[serve]
ingest = "127.0.0.1:8420"
keep_delivered = "30d"
[source.gogs]
kind = "gogs"
secret = "topsecret"
[source."a.b"]
kind = "generic"
key_expr = "body.id"
[endpoint.ci]
url = "https://ci.example.org/hook"
sign = "standard"
secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
retry = ["5s", "5m"]
tries = 3
ordered = true
headers = ["X-A: 1", "X-B: 2"]
window = "0 0 2 * * *+3h Europe/Berlin"
template = """
{{ type|tojson }}
"""
[alert.ops]
to = "ops"
about = "held,dead"
"#;

const WORDS: [&str; 24] = [
    "\n",
    " = ",
    "[",
    "]",
    "[[",
    "]]",
    "{ a = 1 }",
    "\"\"\"",
    "'''",
    "'",
    "\"",
    "#",
    "[source.gogs]",
    "[endpoint.ci]",
    "[alert.ops]",
    "[serve]",
    "prune = true",
    "kind = \"stripe\"",
    "secret = \"\"",
    "0x10",
    "1979-05-27T07:32:00Z",
    "inf",
    "\\u0000",
    ".",
];

#[test]
fn configurations() {
    fuzz("config", &[SEED.as_bytes()], &WORDS, |input| {
        let text = String::from_utf8_lossy(input);
        let (path, mut config) = (Path::new("hookbox.toml"), Config::default());
        let document = Document::new(path, &text);
        let read = document.read_into(&mut config);
        let read = read.map_err(|error| {
            // Where it is wrong is always said.
            assert!(error.to_string().starts_with("hookbox.toml:"), "{error}");
            kind_of(&error.to_string())
        });
        let mut outcomes = Vec::new();
        for wanted in &config.wanted {
            let made = match wanted.noun {
                Noun::Source => wanted.source(None).map(drop),
                Noun::Endpoint => wanted.endpoint(None).map(drop),
                Noun::Alert => wanted.alert().map(drop),
            };
            outcomes.push(made.map_err(|error| {
                let told = wanted.explain(error).to_string();
                assert!(told.starts_with("hookbox.toml:"), "{told}");
                kind_of(&told)
            }));
        }
        (read, outcomes)
    });
}
