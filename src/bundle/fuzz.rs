//! Any bytes are read as a bundle, or told to be none.

use std::io::Write;
use std::path::Path;

use super::line::AckLine;
use super::read::Bundle;
use crate::fuzz::{fuzz, kind_of};
use crate::model::carried::CarriedEvent;
use crate::model::id::{BoxId, SourceId};

const SEEDS: [&str; 2] = [
    r#"{"hookbox_bundle":1,"what":"events","box":"2132006e77","made_at":"2026-11-30T12:00:00.000Z"}
{"id":"evt_2132006e77_1_ejtf5","type":"push","original_type":"Push","source":"gogs","key":"8a1f","received_at":"2026-11-30T11:58:02.114Z","content_type":"application/json","headers":[["X-Gogs-Event","push"]],"body":"{}","deliveries":[{"endpoint":"hub","state":"pending"}]}
{"id":"evt_2132006e77_2_ejtf5","type":"b","received_at":"2026-11-30T11:58:02.114Z","headers":[],"body_base64":"AP8=","deliveries":[]}
{"end":2,"sha256":"","signature":null}
"#,
    r#"{"hookbox_bundle":1,"what":"acks","box":"2132006e77","made_at":"2026-11-30T12:00:00.000Z"}
{"arrived":"evt_2132006e77_1_ejtf5"}
{"end":1,"sha256":"","signature":""}
"#,
];

const WORDS: [&str; 12] = [
    "{\"end\":",
    "\"sha256\":",
    "\"signature\":null",
    "\"hookbox_bundle\":1",
    "\"what\":\"acks\"",
    "\"what\":\"events\"",
    "\"headers\":[[\"A\",\"b\"]]",
    "\"body\":null",
    "\"body_base64\":\"AA\"",
    "{\"arrived\":\"evt_1\"}",
    "null",
    "}\n{",
];

#[test]
fn bundles() {
    let seeds: Vec<&[u8]> = SEEDS.iter().map(|seed| seed.as_bytes()).collect();
    fuzz("bundle", &seeds, &WORDS, |input| {
        // As it is, and packed, with the hash that its last line should have.
        let sha256 = {
            use sha2::{Digest, Sha256};
            let end = input.windows(7).rposition(|part| part == b"{\"end\":");
            hex::encode(Sha256::digest(&input[..end.unwrap_or(input.len())]))
        };
        let text = String::from_utf8_lossy(input);
        let right = text.replace("\"sha256\":\"\"", &format!("\"sha256\":\"{sha256}\""));
        let packed = zstd::encode_all(right.as_bytes(), 1).expect("memory takes all");
        let outcomes = [input, packed.as_slice()].map(|bytes| {
            let mut copy = tempfile::tempfile().expect("a file can be made");
            copy.write_all(bytes).expect("a file can be written");
            let mut bundle = Bundle {
                path: Path::new("a.bundle"),
                copy,
                own: "0123456789".to_owned(),
            };
            let events = bundle.check(&[], |line: CarriedEvent| {
                let here = BoxId::new("00ff00ff00");
                line.into_event(&here, SourceId(1), "boxes").map(drop)
            });
            let acks = bundle.check(&[], |_: AckLine| Ok(()));
            [events, acks].map(|read| {
                read.map(drop).map_err(|error| {
                    let told = error.to_string();
                    assert!(
                        told.starts_with("a.bundle: ") && told.len() < 2_000,
                        "{told}"
                    );
                    kind_of(&told)
                })
            })
        });
        format!("{outcomes:?}")
    });
}
