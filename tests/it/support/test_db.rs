//! The database under test, in a folder of its own, and the commands that are run on it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use super::{GOGS_SECRET, SERVE, Served, binary, no_server, wait_until};

/// A folder with a database, which is removed with it.
pub struct TestDb {
    pub folder: tempfile::TempDir,
    /// The file; there is none where the database is on a server.
    pub db: PathBuf,
    schema: Option<Schema>,
}

impl TestDb {
    /// A database of the engine under test: a file, or with `HOOKBOX_TEST_POSTGRES=URL` a schema of its own
    /// on that server.
    pub fn new() -> TestDb {
        TestDb {
            schema: Schema::make(),
            ..TestDb::in_file()
        }
    }

    /// A file, whatever the engine under test is: for what opens it as another program would.
    pub fn in_file() -> TestDb {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("hookbox.db");
        TestDb {
            folder,
            db,
            schema: None,
        }
    }

    /// Rows of the database on the server, as another program reads them.
    pub fn query(&self, statement: &str) -> Vec<postgres::Row> {
        let schema = self.schema.as_ref().expect("it is on a server");
        let mut client = postgres::Client::connect(&schema.url, postgres::NoTls).unwrap();
        client.query(statement, &[]).unwrap()
    }

    /// A schema on the server of `HOOKBOX_TEST_POSTGRES=URL`; `None` where there is none.
    pub fn on_server() -> Option<TestDb> {
        (!no_server()).then(TestDb::new)
    }

    /// A schema on this server.
    pub fn on_own_server(url: &str) -> TestDb {
        TestDb {
            schema: Some(Schema::on(url.to_owned())),
            ..TestDb::in_file()
        }
    }

    /// The same, whose file is another one now.
    pub fn with_file(self, db: PathBuf) -> TestDb {
        TestDb { db, ..self }
    }

    /// The path of the file, or the URL of the server.
    pub fn location(&self) -> String {
        let of_file = || self.db.display().to_string();
        self.schema
            .as_ref()
            .map_or_else(of_file, |schema| schema.url.clone())
    }

    /// Whether hookbox's tables were made: the file is there, or the schema has them.
    pub fn is_made(&self) -> bool {
        match &self.schema {
            None => self.db.exists(),
            Some(schema) => {
                let name = format!("{}.hookbox_meta", schema.name);
                let made = "select to_regclass($1) is not null";
                let row = schema.client().query_one(made, &[&name]).unwrap();
                row.get(0)
            }
        }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .env_remove("HOOKBOX_LOG")
            .env("HOOKBOX_DB", self.location())
            .args(arguments);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, b"")
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read its input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed and returns its one JSON object.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        let ran = self.run(&with_json);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        serde_json::from_slice(&ran.stdout).unwrap()
    }

    /// Runs a list that must succeed and returns its objects.
    pub fn list(&self, arguments: &[&str]) -> Vec<Value> {
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        let ran = self.run(&with_json);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        ran.text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub fn serve(&self) -> Served {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, arguments: &[&str]) -> Served {
        let mut command = self.serve_command();
        command.args(arguments);
        Served::start(command)
    }

    /// What [`Served::start`] takes: serving on free ports, ready to be given more.
    pub fn serve_command(&self) -> Command {
        let mut command = self.command(&SERVE);
        command.arg("--json");
        command
    }

    /// Serving under another program, which gets the command behind arguments of its own: `strace`, or
    /// a shell, for which it is `"$0" "$@"`.
    pub fn serve_under(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg(binary())
            .args(SERVE)
            .arg("--json")
            .env_remove("HOOKBOX_LOG")
            .env("HOOKBOX_DB", self.location());
        command
    }

    /// A source of kind gogs with GOGS_SECRET.
    pub fn add_gogs(&self) {
        let ran = self.run_with_input(
            &["source", "add", "gogs", "--kind", "gogs", "--secret", "-"],
            GOGS_SECRET.as_bytes(),
        );
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }

    pub fn add_endpoint(&self, name: &str, url: &str, more: &[&str]) {
        let mut arguments = vec!["endpoint", "add", name, url];
        arguments.extend_from_slice(more);
        let ran = self.run(&arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }

    pub fn wait_for_state(&self, delivery: &str, state: &str) -> Value {
        wait_until(&format!("{delivery} to be {state}"), || {
            let shown = self.json(&["delivery", "show", delivery]);
            (shown["state"] == state).then_some(shown)
        })
    }
}

/// A schema of its own on the server under test; dropping this drops it.
struct Schema {
    server: String,
    name: String,
    url: String,
}

impl Schema {
    fn make() -> Option<Schema> {
        let server = std::env::var("HOOKBOX_TEST_POSTGRES").ok()?;
        Some(Schema::on(server))
    }

    fn on(server: String) -> Schema {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("hookbox_test_{}_{number}", std::process::id());
        let before = if server.contains('?') { '&' } else { '?' };
        let schema = Schema {
            url: format!("{server}{before}options=-csearch_path%3D{name}"),
            server,
            name,
        };
        schema.run(&format!("create schema {}", schema.name));
        schema
    }

    /// A connection to the server, outside the schema.
    fn client(&self) -> postgres::Client {
        postgres::Client::connect(&self.server, postgres::NoTls).unwrap()
    }

    fn run(&self, statements: &str) {
        self.client().batch_execute(statements).unwrap();
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // What its nodes left among the temporary files. There is no box where nothing was made.
        let of_box = format!("select box from {}.hookbox_meta", self.name);
        if let Ok(row) = self.client().query_one(&of_box, &[]) {
            let name: String = row.get(0);
            for number in 0..16 {
                let file = format!("hookbox-{name}-{number}.lock");
                let _ = std::fs::remove_file(std::env::temp_dir().join(file));
            }
        }
        self.run(&format!(
            "set client_min_messages = warning; drop schema {} cascade",
            self.name
        ));
    }
}

pub struct Ran {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

/// Runs SQL on a database file, as another program would.
pub fn sql(db: &Path, statements: &str) {
    let connection = rusqlite::Connection::open(db).unwrap();
    connection.execute_batch(statements).unwrap();
}
