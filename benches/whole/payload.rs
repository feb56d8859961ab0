//! A push as Gogs sends it, of a wished size: names, links, hashes and messages that differ, so
//! that it takes as much room in a file as a real one.

use serde_json::json;

const WORDS: [&str; 24] = [
    "retry", "the", "queue", "when", "parser", "fails", "on", "empty", "input", "fix", "build",
    "for", "arm64", "update", "docs", "remove", "stale", "cache", "entry", "handle", "timeout",
    "in", "worker", "tests",
];

const AUTHORS: [(&str, &str); 4] = [
    ("Mira Okafor", "mira"),
    ("Jonas Lindqvist", "jonas"),
    ("Wei Zhang", "wzhang"),
    ("Ana Duarte", "ana.duarte"),
];

/// A push of exactly so many bytes; the same for the same size.
pub(crate) fn push(bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(bytes as u64);
    let mut commits = Vec::new();
    let mut smaller = with_commits(&mut random.clone(), &commits);
    loop {
        let next = commit(&mut random);
        commits.push(next);
        let larger = with_commits(&mut random.clone(), &commits);
        if larger.len() > bytes {
            break;
        }
        smaller = larger;
    }
    // What is left is white space at the end, which JSON allows.
    assert!(
        smaller.len() <= bytes,
        "a push has {} bytes at least",
        smaller.len()
    );
    smaller.resize(bytes, b' ');
    smaller
}

fn hash(random: &mut fastrand::Rng) -> String {
    (0..40)
        .map(|_| char::from_digit(random.u32(0..16), 16).unwrap())
        .collect()
}

fn commit(random: &mut fastrand::Rng) -> serde_json::Value {
    let id = hash(random);
    let (name, login) = AUTHORS[random.usize(0..AUTHORS.len())];
    let message: Vec<&str> = (0..random.usize(4..14))
        .map(|_| WORDS[random.usize(0..WORDS.len())])
        .collect();
    let person =
        json!({ "name": name, "email": format!("{login}@example.org"), "username": login });
    json!({
        "id": id,
        "message": format!("{}\n", message.join(" ")),
        "url": format!("https://git.example.org/tools/conveyor/commit/{id}"),
        "author": person,
        "committer": person,
        "added": [],
        "removed": [],
        "modified": [format!("src/{}/{}.go", WORDS[random.usize(0..24)], WORDS[random.usize(0..24)])],
        "timestamp": format!("2026-03-{:02}T{:02}:{:02}:{:02}+01:00", random.u8(1..29), random.u8(0..24), random.u8(0..60), random.u8(0..60)),
    })
}

fn with_commits(random: &mut fastrand::Rng, commits: &[serde_json::Value]) -> Vec<u8> {
    let (before, after) = (hash(random), hash(random));
    let push = json!({
        "ref": "refs/heads/main",
        "before": before,
        "after": after,
        "compare_url": format!("https://git.example.org/tools/conveyor/compare/{before}...{after}"),
        "commits": commits,
        "repository": {
            "id": 17,
            "owner": { "id": 3, "login": "tools", "full_name": "", "email": "", "avatar_url": "https://git.example.org/avatars/3" },
            "name": "conveyor",
            "full_name": "tools/conveyor",
            "html_url": "https://git.example.org/tools/conveyor",
            "ssh_url": "git@git.example.org:tools/conveyor.git",
            "clone_url": "https://git.example.org/tools/conveyor.git",
            "default_branch": "main",
        },
        "pusher": { "id": 5, "login": "mira", "full_name": "Mira Okafor", "email": "mira@example.org" },
        "sender": { "id": 5, "login": "mira", "full_name": "Mira Okafor", "email": "mira@example.org" },
    });
    serde_json::to_vec_pretty(&push).unwrap()
}
