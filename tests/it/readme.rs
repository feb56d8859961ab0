//! The documentation keeps its word: what it links to and names exists, and every command, statement
//! and setting that it shows works.
//!
//! Commands stand in `sh` blocks, which are run in order, a folder for each page; synopses and output
//! stand in `text` blocks. What a test cannot run is in [`reader::NOT_RUN`], with the reason.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::TestDb;

mod reader;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Files below a folder with this ending, as paths from the root.
fn files_below(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
        if path.is_dir() {
            found.extend(files_below(name, ending));
        } else if name.ends_with(ending) {
            found.push(name.to_owned());
        }
    }
    found.sort();
    found
}

fn pages() -> Vec<String> {
    let mut pages = files_below("docs", ".md");
    for page in [
        "README.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ] {
        pages.push(page.to_owned());
    }
    pages
}

/// A fenced block of a page.
struct Block {
    language: String,
    text: String,
}

/// A page taken apart: its blocks, and its lines outside of them.
fn apart(page: &str) -> (Vec<Block>, Vec<String>) {
    let (mut blocks, mut prose) = (Vec::new(), Vec::new());
    let mut open: Option<(usize, Block)> = None;
    for line in read(page).lines() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(language)) => {
                let block = Block {
                    language: language.to_owned(),
                    text: String::new(),
                };
                open = Some((line.len() - line.trim_start().len(), block));
            }
            (None, None) => prose.push(line.to_owned()),
            (Some(_), Some(_)) => blocks.extend(open.take().map(|(_, block)| block)),
            (Some((indent, block)), None) => {
                let cut = (*indent).min(line.len() - line.trim_start().len());
                block.text.push_str(&line[cut..]);
                block.text.push('\n');
            }
        }
    }
    assert!(open.is_none(), "{page}: a block does not end");
    (blocks, prose)
}

/// The pieces of code within the lines of a page.
fn spans(prose: &[String]) -> Vec<String> {
    let of_line = |line: &String| {
        let parts = line.split('`').skip(1).step_by(2).map(str::to_owned);
        parts.collect::<Vec<_>>()
    };
    prose.iter().flat_map(of_line).collect()
}

/// The commands of a block, one each, without comments on lines of their own.
fn commands(block: &Block) -> Vec<String> {
    let joined = block.text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// What GitHub calls a heading in links.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(page: &str) -> BTreeSet<String> {
    let (_, prose) = apart(page);
    let headings = prose.iter().filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#')))
        .collect()
}

#[test]
fn the_readme_has_at_most_8_kb() {
    let bytes = read("README.md").len();
    assert!(bytes <= 8_192, "{bytes}");
}

#[test]
fn every_link_leads_somewhere() {
    let mut checked = 0;
    for page in pages() {
        let (_, prose) = apart(&page);
        let text = prose.join("\n");
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => page.clone(),
                _ => {
                    let path = Path::new(&page).parent().unwrap().join(file);
                    path.to_str().unwrap().to_owned()
                }
            };
            let there = root().join(&file).exists();
            assert!(there, "{page}: {target} does not exist");
            if !heading.is_empty() {
                let there = anchors(&file).contains(heading);
                assert!(there, "{page}: {target} is no heading");
            }
            checked += 1;
        }
    }
    assert!(checked >= 100, "{checked}");
}

/// How many tests a page names, each of which must be there.
fn tests_named(page: &str) -> usize {
    let mut named = 0;
    for span in spans(&apart(page).1) {
        let of_tests = span.starts_with("tests/it/") || span.starts_with("src/");
        let Some((file, test)) = span.split_once("::").filter(|_| of_tests) else {
            continue;
        };
        let there = read(file).contains(&format!("fn {test}("));
        assert!(there, "{page}: {span} does not exist");
        named += 1;
    }
    named
}

#[test]
fn every_promise_names_a_test_that_exists() {
    for (page, least) in [
        ("README.md", 5),
        ("SECURITY.md", 10),
        ("docs/promises.md", 80),
    ] {
        assert!(tests_named(page) >= least, "{page}: {}", tests_named(page));
    }
    for page in pages() {
        tests_named(&page);
    }
    let rows = read("docs/promises.md");
    let rows = rows.lines().filter(|line| line.starts_with("| "));
    for row in rows.filter(|row| !row.starts_with("| promise ") && !row.starts_with("| --- ")) {
        assert!(row.contains("`tests/it/"), "{row}");
    }
}

#[test]
fn every_source_file_that_is_named_exists() {
    let mut checked = 0;
    for page in pages() {
        for span in spans(&apart(&page).1) {
            let file = span.strip_prefix("src/").unwrap_or(&span);
            let is_file = file.ends_with(".rs") && file.contains('/');
            if !is_file || file.contains(' ') {
                continue;
            }
            let mut places = ["src", ""]
                .iter()
                .map(|place| root().join(place).join(file));
            assert!(
                places.any(|place| place.exists()),
                "{page}: {span} does not exist"
            );
            checked += 1;
        }
    }
    assert!(checked >= 10, "{checked}");
}

#[test]
fn every_block_is_what_it_says() {
    let examples: Vec<String> = files_below("examples", ".rs")
        .iter()
        .map(|file| read(file))
        .collect();
    for page in pages() {
        for Block { language, text } in apart(&page).0 {
            match language.as_str() {
                // Run, or looked at, by the tests below.
                "sh" | "text" | "sql" | "jinja" => {}
                "json" => {
                    let read = serde_json::from_str::<serde_json::Value>(&text);
                    assert!(read.is_ok(), "{page}: {text}{read:?}");
                }
                "toml" => {
                    let read = toml::de::DeTable::parse(&text);
                    assert!(read.is_ok(), "{page}: {text}{read:?}");
                }
                "ini" => {
                    let is_setting =
                        |line: &str| line.starts_with('[') || line.split_once(" = ").is_some();
                    assert!(text.lines().all(is_setting), "{page}: {text}");
                }
                "rust" => {
                    let is_in = |example: &String| text.lines().all(|line| example.contains(line));
                    assert!(examples.iter().any(is_in), "{page}: of no example:\n{text}");
                }
                other => panic!("{page}: nothing checks a block of `{other}`"),
            }
        }
    }
}

/// Whether a filter of `cargo test` runs anything.
fn runs_a_test(filter: &str, of_library: bool) -> bool {
    let (module, test) = filter.split_once("::").unwrap_or((filter, ""));
    let folder = if of_library { "src" } else { "tests/it" };
    let is_of = |file: &String| {
        let parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
        parts.contains(&module) && read(file).contains(&format!("fn {test}"))
    };
    let files = files_below(folder, ".rs");
    // A word runs the tests whose names have it.
    let has_name = |line: &str| {
        let (_, name) = line.trim_start().split_once("fn ")?;
        name.split('(').next()?.contains(filter).then_some(())
    };
    let is_named = |file: &String| {
        !filter.contains("::")
            && (file.contains(filter) || read(file).lines().any(|line| has_name(line).is_some()))
    };
    files.iter().any(|file| is_of(file) || is_named(file))
}

/// Holds a `cargo` command to what there is; returns what it names.
fn cargo_names(page: &str, command: &str) -> usize {
    let (_, after) = command.split_once("cargo ").unwrap();
    let mut words = after.split('#').next().unwrap().split_whitespace();
    let verb = words.next().unwrap();
    let known = [
        "run", "test", "bench", "install", "doc", "build", "fmt", "clippy", "deny",
    ];
    assert!(known.contains(&verb), "{page}: {command}");
    let mut names = 0;
    let mut of_library = false;
    while let Some(word) = words.next() {
        let there = match word {
            "--example" => format!("examples/{}.rs", words.next().unwrap()),
            "--bench" => format!("benches/{}", words.next().unwrap()),
            "--test" => format!("tests/{}/main.rs", words.next().unwrap()),
            "--lib" => {
                of_library = true;
                continue;
            }
            "--" if verb == "test" => continue,
            "--" => break,
            filter if verb == "test" && !filter.starts_with('-') => {
                let runs = runs_a_test(filter, of_library);
                assert!(runs, "{page}: {command}: {filter} runs nothing");
                names += 1;
                continue;
            }
            _ => continue,
        };
        let is_there = ["", ".rs"]
            .iter()
            .any(|ending| root().join(format!("{there}{ending}")).exists());
        assert!(is_there, "{page}: {command}: {there} is not there");
        names += 1;
    }
    names
}

#[test]
fn every_cargo_command_names_what_there_is() {
    let mut names = 0;
    for page in pages() {
        let (blocks, prose) = apart(&page);
        let of_blocks = blocks.iter().filter(|block| block.language == "sh");
        let shown = of_blocks.flat_map(commands).chain(spans(&prose));
        for line in shown.filter(|line| line.contains("cargo ")) {
            for command in line.split("&&").filter(|part| part.contains("cargo ")) {
                names += cargo_names(&page, command);
            }
        }
    }
    assert!(names >= 50, "{names}");
}

/// The words that name a command, such as `endpoint add`.
fn path_of(line: &str) -> Vec<&str> {
    let words = line.split_whitespace().skip(1).take(2);
    let is_name = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    };
    words.take_while(is_name).collect()
}

/// The commands that a help text lists.
fn listed(here: &TestDb, path: &[&str]) -> Vec<String> {
    let mut arguments = path.to_vec();
    arguments.push("--help");
    let help = here.run(&arguments).text().to_owned();
    let list = match (path, help.split_once("\nCommands:\n")) {
        // Those of hookbox itself stand in groups.
        ([], _) => help.split("\nOptions:").next().unwrap(),
        (_, Some((_, list))) => list.split("\n\n").next().unwrap(),
        (_, None) => return Vec::new(),
    };
    let lines = list.lines();
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names
        .filter(|name| !name.is_empty() && *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_synopsis_is_a_command_and_every_command_has_one() {
    let here = TestDb::new();
    let mut shown = BTreeSet::new();
    for page in pages() {
        let of_text = apart(&page).0.into_iter().filter(|b| b.language == "text");
        let lines: Vec<String> = of_text.flat_map(|block| commands(&block)).collect();
        for line in lines.iter().filter(|line| line.starts_with("hookbox ")) {
            let path = path_of(line);
            let mut arguments = path.clone();
            arguments.push("--help");
            let ran = here.run(&arguments);
            assert_eq!(ran.code, 0, "{page}: {line}: {}", ran.stderr);
            let words = line.split_whitespace();
            let flags = words.map(|word| word.trim_matches(['[', ']']));
            for flag in flags.filter(|word| word.starts_with("--")) {
                let there = ran.text().contains(flag);
                assert!(there, "{page}: {line}: {flag} is no option of it");
            }
            shown.insert(path.join(" "));
        }
    }
    for first in listed(&here, &[]) {
        let below = listed(&here, &[&first]);
        if below.is_empty() {
            let has_one = shown
                .iter()
                .any(|path| path.split(' ').next() == Some(&first));
            assert!(has_one, "{first} has no synopsis");
        }
        for second in below {
            let path = format!("{first} {second}");
            assert!(shown.contains(&path), "{path} has no synopsis");
        }
    }
}

#[test]
fn every_option_that_is_named_is_one() {
    let here = TestDb::new();
    let mut options = BTreeSet::new();
    let commands = listed(&here, &[]);
    for first in &commands {
        let below = listed(&here, &[first]);
        let of_second = below.iter().map(|second| vec![first.as_str(), second]);
        for mut path in of_second.chain([vec![first.as_str()]]) {
            path.push("--help");
            let help = here.run(&path).text().to_owned();
            let words = help.split(|c: char| c.is_whitespace() || c == '[');
            options.extend(words.filter(|w| w.starts_with("--")).map(str::to_owned));
        }
    }
    let mut named = 0;
    for page in pages() {
        let spans = spans(&apart(&page).1);
        let is_ours = |span: &&String| {
            let first = span.split(' ').next().unwrap();
            first == "hookbox" || first.starts_with("--") || commands.iter().any(|c| c == first)
        };
        let ours = spans.iter().filter(is_ours);
        for word in ours.flat_map(|span| span.split(' ')) {
            let option = word.split(['=', '\\', ',']).next().unwrap();
            if option.starts_with("--") && !option.ends_with("...") {
                assert!(options.contains(option), "{page}: {word} is no option");
                named += 1;
            }
        }
    }
    assert!(named >= 100, "{named}");
}
