//! The corpus: a payload of every event type that the producers' documentation has, told word by word.
//! `tests/corpus/KIND.md` holds what is said of each; `HOOKBOX_WRITE_CORPUS=1 cargo test corpus::` writes
//! it anew, to be looked at.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use hookbox::model::activity::{Activity, Facts, Tone};
use hookbox::model::header::Header;
use hookbox::model::kind::SourceKind;
use serde_json::Value;

use crate::support::{TestDb, assert_kept, wait_until};

const KINDS: [SourceKind; 6] = [
    SourceKind::Gogs,
    SourceKind::Gitea,
    SourceKind::Forgejo,
    SourceKind::Github,
    SourceKind::Gitlab,
    SourceKind::Gitee,
];

/// One payload: its name, the headers that name its event, its body.
struct Sample {
    name: String,
    headers: Vec<Header>,
    body: Vec<u8>,
}

fn corpus(kind: SourceKind) -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut samples: Vec<Sample> = std::fs::read_dir(folder.join(kind.name()))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read(&path).unwrap();
            let file: Value = serde_json::from_slice(&text).unwrap();
            let headers = file["headers"].as_object().unwrap().iter();
            Sample {
                name,
                headers: headers
                    .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                    .collect(),
                body: serde_json::to_vec(&file["body"]).unwrap(),
            }
        })
        .collect();
    samples.sort_by(|a, b| a.name.cmp(&b.name));
    samples
}

/// The types that a running service gives the samples, by name.
fn types(kind: SourceKind, samples: &[Sample]) -> BTreeMap<String, String> {
    let here = TestDb::new();
    assert_eq!(
        here.run(&["source", "add", "in", "--kind", kind.name()])
            .code,
        0
    );
    let served = here.serve();
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for sample in samples {
        let headers: Vec<(&str, &str)> = sample
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain([("Content-Type", "application/json")])
            .collect();
        let (status, answer) = served.post("/in/in", &headers, &sample.body);
        assert!(matches!(status, 200 | 202), "{}: {answer}", sample.name);
        // One that is sent again, as by a button, is the same event.
        let id = answer["id"].as_str().unwrap().to_owned();
        ids.entry(id).or_default().push(sample.name.clone());
    }
    let events = wait_until("the events", || {
        Some(here.list(&["event", "list", "--limit", "1000"]))
    });
    let mut types = BTreeMap::new();
    for event in &events {
        let named = ids.get(event["id"].as_str().unwrap()).into_iter().flatten();
        let event_type = event["type"].as_str().unwrap();
        types.extend(named.map(|name| (name.clone(), event_type.to_owned())));
    }
    types
}

#[test]
fn every_event_of_every_producer_is_told_word_by_word() {
    for kind in KINDS {
        let samples = corpus(kind);
        let types = types(kind, &samples);
        let mut told = format!(
            "# What is said of {kind}'s events\n\nWritten by `tests/it/corpus.rs` from the payloads in `{kind}/`.\n"
        );
        for sample in &samples {
            let event_type = &types[&sample.name];
            let facts = Facts::read(Some(kind), event_type, None, &sample.headers, &sample.body);
            let activity = Activity::read(kind, event_type, None, &sample.headers, &sample.body)
                .unwrap_or_else(|| panic!("{kind} {} says nothing", sample.name));
            // A glance and a study say the same.
            let (Some(summary), Some(whole)) = (facts.summary, activity.summary()) else {
                panic!("{kind} {} says nothing", sample.name);
            };
            let details = &activity.details;
            let is_same = summary == whole || summary.starts_with("test: ");
            assert!(is_same, "{kind} {}: {summary} | {whole}", sample.name);
            // No addresses of people, no keys, no API addresses, no dead comparison.
            for text in [
                Some(&summary),
                details.url.as_ref(),
                details.actor_url.as_ref(),
            ]
            .into_iter()
            .flatten()
            {
                for bad in [
                    "@example",
                    "AAAA",
                    "/api/v1",
                    "api.github",
                    "{",
                    "0000000..",
                    "...0000000",
                ] {
                    assert!(!text.contains(bad), "{kind} {}: {text}", sample.name);
                }
            }
            write!(told, "\n## {}\n\n{summary}\n", sample.name).unwrap();
            let tone = match details.tone {
                Tone::Plain => "plain",
                Tone::Good => "good",
                Tone::Done => "done",
                Tone::Bad => "bad",
                Tone::Quiet => "quiet",
            };
            write!(told, "\n- {event_type}, {tone}").unwrap();
            if let Some(branch) = &facts.branch {
                write!(told, ", branch {branch}").unwrap();
            }
            told.push('\n');
            if let Some(url) = &details.url {
                writeln!(told, "- link {url}").unwrap();
            }
            if let (Some(actor), Some(url)) = (&activity.actor, &details.actor_url) {
                writeln!(told, "- {actor} is {url}").unwrap();
            }
            for (name, value) in &details.fields {
                writeln!(told, "- {name}: {value}").unwrap();
            }
            if let Some(text) = &details.text {
                let line: String = text.split_whitespace().collect::<Vec<&str>>().join(" ");
                writeln!(told, "- text {}", line.chars().take(80).collect::<String>()).unwrap();
            }
        }
        let file = format!("{}/tests/corpus/{kind}.md", env!("CARGO_MANIFEST_DIR"));
        assert_kept(Path::new(&file), &told, "HOOKBOX_WRITE_CORPUS", "corpus::");
    }
}
