//! The README keeps its word: each test it names exists, each command it shows is a command.

use std::path::Path;

use crate::support::Box;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// How many tests a page names, each of which must be there.
fn named(page: &str) -> usize {
    let text = read(page);
    let of_tests = text.match_indices("`tests/it/");
    let of_parts = text.match_indices("`src/").filter(|(index, _)| {
        let reference = text[index + 1..].split('`').next().unwrap();
        reference.contains("::")
    });
    let mut named = 0;
    for (index, _) in of_tests.chain(of_parts) {
        let reference = text[index + 1..].split('`').next().unwrap();
        // A file by itself is none.
        let Some((file, test)) = reference.split_once("::") else {
            continue;
        };
        let there = read(file).contains(&format!("fn {test}("));
        assert!(there, "{page}: {reference} does not exist");
        named += 1;
    }
    named
}

#[test]
fn every_promise_names_a_test_that_exists() {
    assert!(named("README.md") >= 10);
    assert!(named("SECURITY.md") >= 10);
    let readme = read("README.md");
    let (_, promises) = readme.split_once("## What it promises").unwrap();
    let (promises, _) = promises.split_once("## Limits").unwrap();
    let lines = promises
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(2);
    for line in lines {
        assert!(line.contains("`tests/it/"), "{line}");
    }
}

/// What `cargo test` is told to run, by each command of a page.
#[test]
fn every_command_of_the_reliability_page_runs_a_test() {
    let page = read("docs/reliability.md");
    let mut checked = 0;
    for command in page.split('`').filter(|part| part.contains("cargo test ")) {
        for run in command.split("&&") {
            for filter in run.split_whitespace().filter(|word| word.contains("::")) {
                let (module, test) = filter.split_once("::").unwrap();
                let files = match run.contains("--lib") {
                    // A module of the library, wherever it is.
                    true => continue,
                    false => format!("tests/it/{module}.rs"),
                };
                let there = read(&files).contains(&format!("fn {test}"));
                assert!(there, "{command}: {filter} runs nothing");
                checked += 1;
            }
        }
    }
    assert!(checked >= 30, "{checked}");
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
