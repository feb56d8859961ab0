//! The house keeps its walls: imports point down, SQL stays in the store, files stay small; and the tests
//! that read the SQLite file stand apart from those of what is promised.

use std::path::{Path, PathBuf};

/// What each part may import, besides itself, `error`, `time` and `caught`.
const MAY_IMPORT: [(&str, &[&str]); 15] = [
    (
        "cli",
        &[
            "service",
            "bundle",
            "config",
            "inbound",
            "outbound",
            "status",
            "store",
            "model",
            "signature",
        ],
    ),
    (
        "service",
        &[
            "config",
            "inbound",
            "outbound",
            "status",
            "store",
            "model",
            "signature",
        ],
    ),
    ("bundle", &["store", "model", "signature"]),
    ("config", &["store", "model", "signature"]),
    ("inbound", &["store", "model", "signature"]),
    ("outbound", &["store", "model", "signature"]),
    ("status", &["store", "model", "signature"]),
    ("store", &["model", "signature"]),
    ("model", &["signature"]),
    ("signature", &[]),
    ("time", &[]),
    ("error", &[]),
    ("names", &[]),
    ("panics", &[]),
    ("fuzz", &[]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The part a file belongs to: its folder under `src`, or its own name.
fn part(path: &Path) -> String {
    let inside = path.strip_prefix(root()).unwrap();
    let first = inside
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn imports_point_down() {
    let mut checked = 0;
    for path in sources(&root()) {
        let part = part(&path);
        if matches!(part.as_str(), "lib" | "main") {
            continue;
        }
        let allowed = MAY_IMPORT.iter().find(|(name, _)| *name == part);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{part} is no part of the house"));
        let text = std::fs::read_to_string(&path).unwrap();
        for (index, _) in text.match_indices("crate::") {
            let rest = &text[index + "crate::".len()..];
            let name: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            checked += 1;
            let fine = name == part
                || allowed.contains(&name.as_str())
                || matches!(
                    name.as_str(),
                    "error" | "time" | "panics" | "fuzz" | "Error" | "Result"
                );
            assert!(fine, "{}: {part} may not import {name}", path.display());
        }
    }
    assert!(checked > 100, "the check reads the code: {checked}");
}

/// The rooms of the store, from the ground up: each may import those before it.
const ROOMS: [&str; 7] = [
    "engine", "intake", "drain", "history", "setup", "replay", "upkeep",
];

#[test]
fn imports_inside_the_store_point_down() {
    let store = root().join("store");
    let rank = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut checked = 0;
    for path in sources(&store) {
        let inside = path.strip_prefix(&store).unwrap();
        let Some(room) = inside.iter().next().filter(|_| inside.iter().count() > 1) else {
            assert_eq!(
                inside,
                Path::new("mod.rs"),
                "a file of the store has a room"
            );
            continue;
        };
        let own = rank(room.to_str().unwrap())
            .unwrap_or_else(|| panic!("{} is in no room", path.display()));
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for (index, _) in code.match_indices("crate::store::") {
            let line_start = code[..index].rfind('\n').map_or(0, |at| at + 1);
            if code[line_start..index].trim_start().starts_with("//") {
                continue;
            }
            let rest = &code[index + "crate::store::".len()..];
            let name = rest
                .split(|c: char| !c.is_ascii_lowercase())
                .next()
                .unwrap();
            checked += 1;
            let other = rank(name).unwrap_or_else(|| {
                panic!("{}: imports the store itself, not a room", path.display())
            });
            assert!(
                other <= own,
                "{}: {room:?} may not import {name}",
                path.display()
            );
        }
    }
    assert!(checked > 100, "the check reads the code: {checked}");
}

/// What only the engine may know: the doc examples of `enqueue` show an application's own connection.
#[test]
fn the_database_is_spoken_to_through_the_engine_only() {
    let engine = root().join("store/engine");
    for path in sources(&root()) {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let speaks = code.clone().any(|line| line.contains("rusqlite::"));
        assert!(!speaks || path.starts_with(&engine), "{}", path.display());
        let has_sql = code.clone().any(|line| {
            let line = line.trim_start().trim_start_matches('"');
            [
                "select ",
                "insert into hookbox",
                "update hookbox",
                "delete from hookbox",
            ]
            .iter()
            .any(|verb| line.starts_with(verb) && line.contains("hookbox_"))
        });
        assert!(!has_sql || part(&path) == "store", "{}", path.display());
    }
}

/// Test files that speak SQL though they are not of the SQLite file itself: an application's own SQL is what
/// the first two are about, the third runs what pages show, and this one names what it looks for.
const SPEAK_SQL: [&str; 4] = ["examples.rs", "outbox.rs", "readme/reader.rs", "layers.rs"];

#[test]
fn only_the_tests_of_the_sqlite_file_open_it_or_look_beside_it() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut checked = 0;
    for path in sources(&tests) {
        let inside = path.strip_prefix(&tests).unwrap();
        let may = ["sqlite", "support"]
            .iter()
            .any(|it| inside.starts_with(it))
            || SPEAK_SQL.iter().any(|file| inside == Path::new(file));
        if may {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for name in ["rusqlite", "sqlite3", "-wal", ".lock\"", " sql("] {
            let names = text.contains(name);
            assert!(!names, "{}: {name} is for tests/it/sqlite", path.display());
        }
        checked += 1;
    }
    assert!(checked > 40, "the check reads the tests: {checked}");
}

#[test]
fn no_statement_selects_everything_and_every_file_says_what_it_owns() {
    for path in sources(&root()) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("//!"),
            "{} does not say what it owns",
            path.display()
        );
        // A language is one noun, and has a line a text.
        let is_language = path.components().any(|part| part.as_os_str() == "texts");
        let lines_max = if is_language { 999 } else { 700 };
        assert!(
            text.lines().count() <= lines_max,
            "{} holds more than one noun",
            path.display()
        );
        if part(&path) == "store" {
            assert!(
                !text.to_lowercase().contains("select *"),
                "{}",
                path.display()
            );
        }
    }
}

/// Whether a literal holds words for people, and not a class, a path or an id.
fn is_said(literal: &str) -> bool {
    let known = ["light dark", "Enter"];
    if known.contains(&literal) || literal.starts_with("hookbox ") {
        return false;
    }
    let is_word = |part: &str| part.len() > 1 && part.chars().all(|c| c.is_ascii_lowercase());
    let parts: Vec<&str> = literal.split(' ').collect();
    let mut starts = literal.chars();
    let is_title = starts.next().is_some_and(|c| c.is_ascii_uppercase())
        && starts.next().is_some_and(|c| c.is_ascii_lowercase());
    is_title
        || parts
            .windows(2)
            .any(|two| two.iter().all(|part| is_word(part)))
}

#[test]
fn what_the_pages_say_stands_in_one_place() {
    assert!(is_said("Not found") && is_said("of them dead") && !is_said("badge {}"));
    let mut checked = 0;
    for path in sources(&root().join("status/page")) {
        if path.components().any(|part| part.as_os_str() == "texts") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        // A quote as a character would turn inside and outside round.
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//") && !line.contains("'\"'"));
        for line in lines {
            for literal in line.split('"').skip(1).step_by(2) {
                checked += 1;
                assert!(!is_said(literal), "{}: `{literal}`", path.display());
            }
        }
    }
    assert!(checked > 200, "the check reads the pages: {checked}");
}
