//! The reader of a page, who runs what it shows: commands in order, in a folder of their own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{apart, commands, pages};
use crate::support::{PUSH, Served, TestDb, binary, is_missing, sql};

/// Programs that are not run, and why.
const NOT_RUN: [(&str, &str); 4] = [
    (
        "cargo",
        "it would build within a build: what it names is looked for",
    ),
    ("ssh", "it takes another machine"),
    ("sudo", "it takes the super-user"),
    ("chromium", "it takes a picture that a person looks at"),
];

/// Programs that are not ours, each with how it is asked for and installed.
const PROGRAMS: [(&str, &str, &str); 2] = [
    ("openssl", "version", "apt-get install openssl"),
    ("curl", "--version", "apt-get install curl"),
];

/// Where the README says that events come in, and where the status page is.
const INGEST: &str = "127.0.0.1:8420";

const STATUS: &str = "127.0.0.1:8421";

/// The reader of a page, who does what it says in a folder of their own.
struct Reader {
    page: String,
    here: TestDb,
    /// Has the program under its own name, for the shell.
    programs: tempfile::TempDir,
    served: Option<Served>,
}

impl Reader {
    fn new(page: &str) -> Reader {
        let programs = tempfile::tempdir().unwrap();
        let program = programs.path().join("hookbox");
        std::os::unix::fs::symlink(binary(), program).unwrap();
        Reader {
            page: page.to_owned(),
            here: TestDb::in_file(),
            programs,
            served: None,
        }
    }

    /// Has what the pages after the first ones begin with: a source, an endpoint that nobody answers
    /// for, an event, a delivery that was cancelled, and a service.
    fn prepared(page: &str) -> Reader {
        let mut reader = Reader::new(page);
        reader.write("gogs.secret", "topsecret");
        reader.write("ci.secret", "another");
        reader.write(
            "hub.secret",
            "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        );
        reader.write("page.token", "0123456789abcdef0123456789abcdef");
        reader.write(
            "slack.url",
            "https://hooks.slack.com/services/T0/B0/abcdefgh",
        );
        reader.write("push.json", PUSH);
        for line in [
            "hookbox source add gogs --kind gogs --secret-file gogs.secret",
            "hookbox endpoint add ci http://127.0.0.1:9/hook --sign gogs --secret-file ci.secret",
            "hookbox enqueue --type push --source gogs --data @push.json",
            "hookbox delivery cancel 1",
        ] {
            reader.shell(line);
        }
        reader.serve("hookbox serve");
        reader
    }

    fn folder(&self) -> PathBuf {
        self.here.folder.path().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder().join(name), text).unwrap();
    }

    /// Serves on free ports, instead of what was served before.
    fn serve(&mut self, line: &str) {
        self.served = None;
        let mut command = self.here.serve_command();
        command.current_dir(self.folder());
        let mut words = line.split_whitespace().skip(2);
        while let Some(word) = words.next() {
            match word {
                "--ingest" | "--status" => {
                    words.next();
                }
                other => {
                    command.arg(other);
                }
            }
        }
        self.served = Some(Served::start(command));
    }

    /// Runs a line, which must succeed.
    fn shell(&self, line: &str) {
        let mut there = line.to_owned();
        if let Some(served) = &self.served {
            there = there.replace(INGEST, &served.ingest_address().to_string());
            there = there.replace(STATUS, &served.status_address().to_string());
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", self.programs.path().display());
        let ran = Command::new("sh")
            .args(["-c", &there])
            .current_dir(self.folder())
            .env("PATH", path)
            .env_remove("HOOKBOX_DB")
            .env_remove("HOOKBOX_LOG")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{}: {line}\n{said}", self.page);
    }

    /// Does what a page says; returns how many lines were run, or `None` where a program is missing.
    fn follow(&mut self) -> Option<usize> {
        let mut ran = 0;
        for block in apart(&self.page).0 {
            match block.language.as_str() {
                "sql" => sql(&self.folder().join("app.db"), &block.text),
                "jinja" => self.write("commits.jinja", &block.text),
                "toml" => self.write("hookbox.toml", &block.text),
                "sh" => {
                    for line in commands(&block) {
                        ran += usize::from(self.follow_line(&line)?);
                    }
                }
                _ => {}
            }
        }
        Some(ran)
    }

    fn follow_line(&mut self, line: &str) -> Option<bool> {
        // What stands before it is set for it alone: `NAME=1 cargo test`.
        let program = line.split_whitespace().find(|word| !word.contains('='));
        if NOT_RUN.iter().any(|(out, _)| Some(*out) == program) {
            return Some(false);
        }
        for (program, probe, how) in PROGRAMS {
            if line.contains(program) && is_missing(program, &[probe], how) {
                return None;
            }
        }
        match line.starts_with("hookbox serve") {
            true => self.serve(line),
            // What asks a person is answered.
            false
                if ASKS.iter().any(|asks| line.starts_with(asks))
                    && !line.contains("--dry-run") =>
            {
                self.shell(&format!("{} --yes", line.split(" #").next().unwrap()));
            }
            false => self.shell(line),
        }
        Some(true)
    }
}

/// What changes nothing before somebody says yes.
const ASKS: [&str; 2] = ["hookbox apply ", "hookbox delivery cancel --"];

fn is_first(page: &str) -> bool {
    page == "README.md" || page.starts_with("docs/getting-started/")
}

#[test]
fn every_command_of_the_first_pages_works() {
    for page in pages().iter().filter(|page| is_first(page)) {
        let ran = Reader::new(page).follow();
        assert!(ran.is_none_or(|ran| ran >= 3), "{page}: {ran:?}");
    }
}

#[test]
fn every_command_of_the_other_pages_works() {
    let mut ran = 0;
    for page in pages().iter().filter(|page| !is_first(page)) {
        let blocks = apart(page).0;
        if blocks.iter().any(|block| block.language == "sh") {
            ran += Reader::prepared(page).follow().unwrap_or_default();
        }
    }
    assert!(ran >= 40, "{ran}");
}
