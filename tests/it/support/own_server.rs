//! A PostgreSQL server that a test starts, stops and harms.

use std::process::Command;

/// A server that belongs to one test, which may harm it.
pub struct OwnServer {
    pub folder: String,
    pub url: String,
}

impl OwnServer {
    pub fn start(arguments: &[&str]) -> OwnServer {
        let output = script().args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let url = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        // A folder stands last in each form of URL.
        let plain = url.replace("%2F", "/");
        let begin = plain.rfind("/tmp/hookbox-postgres.").unwrap();
        let parts: Vec<&str> = plain[begin..].split('/').take(3).collect();
        OwnServer {
            folder: parts.join("/"),
            url,
        }
    }

    pub fn control(&self, what: &str) {
        let status = script().args([what, &self.folder]).status().unwrap();
        assert!(status.success(), "{what}");
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // A test that fails already is to say why itself.
        let _ = script().args(["stop", &self.folder]).status();
    }
}

fn script() -> Command {
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/postgres"))
}
