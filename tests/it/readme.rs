//! The README keeps its word: each test it names exists, each command it shows is a command.

use std::path::Path;

use crate::support::Box;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let readme = read("README.md");
    let mut named = 0;
    for (index, _) in readme.match_indices("`tests/it/") {
        let reference = readme[index + 1..].split('`').next().unwrap();
        let (file, test) = reference
            .split_once("::")
            .unwrap_or_else(|| panic!("{reference} names no test"));
        let text = read(file);
        assert!(
            text.contains(&format!("fn {test}(")),
            "{reference} does not exist"
        );
        named += 1;
    }
    assert!(
        named >= 10,
        "the README names the tests of its promises: {named}"
    );
}

#[test]
fn every_command_that_the_readme_shows_is_one() {
    let here = Box::new();
    let readme = read("README.md");
    let mut shown = 0;
    for line in readme
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with("hookbox "))
    {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let path: Vec<&str> = words
            .iter()
            .take(2)
            .take_while(|word| {
                word.starts_with(|c: char| c.is_ascii_lowercase())
                    && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
            })
            .copied()
            .collect();
        let mut arguments = path.clone();
        arguments.push("--help");
        let ran = here.run(&arguments);
        assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
        let flags = words.iter().map(|word| word.trim_start_matches('['));
        for flag in flags.filter(|word| word.starts_with("--")) {
            let flag = flag.split(['=', ']']).next().unwrap();
            assert!(
                ran.text().contains(flag),
                "{line}: {flag} is no option of it"
            );
        }
        shown += 1;
    }
    assert!(shown >= 10, "{shown}");
}
