//! Programs that are not ours and may be missing, and what the environment asks of a test.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The program under test: the one that cargo built, or the one at the path in `HOOKBOX_TEST_BINARY`.
pub fn binary() -> &'static str {
    static BINARY: OnceLock<String> = OnceLock::new();
    BINARY.get_or_init(|| {
        let named = std::env::var("HOOKBOX_TEST_BINARY");
        let path = named.as_deref().unwrap_or(env!("CARGO_BIN_EXE_hookbox"));
        let path = std::fs::canonicalize(path).expect("the program under test is there");
        path.into_os_string()
            .into_string()
            .expect("its path is UTF-8")
    })
}

/// Whether a program that is not ours is missing. Counts it on the terminal; where `HOOKBOX_TEST_ALL` is set,
/// as in CI, a missing one fails the test instead, unless `HOOKBOX_TEST_WITHOUT` (names with commas between)
/// has it.
pub fn is_missing(program: &str, probe: &[&str], how: &str) -> bool {
    let found = Command::new(program)
        .args(probe)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verifiers"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        skip(program, probe, how);
    }
    !found
}

/// Whether no server is there to test against. Counts and fails as [`is_missing`] does; its name in
/// `HOOKBOX_TEST_WITHOUT` is `postgres`.
pub fn no_server() -> bool {
    if !on_server() {
        skip(
            "a PostgreSQL server",
            &["postgres"],
            "set HOOKBOX_TEST_POSTGRES=postgres://...",
        );
    }
    !on_server()
}

/// Whether the database under test is on a server.
pub fn on_server() -> bool {
    std::env::var_os("HOOKBOX_TEST_POSTGRES").is_some()
}

fn skip(program: &str, names: &[&str], how: &str) {
    let without = std::env::var("HOOKBOX_TEST_WITHOUT").unwrap_or_default();
    let mut without = without.split(',').filter(|name| !name.is_empty());
    let is_left_out = without.any(|name| names.iter().any(|part| part.contains(name)));
    assert!(
        is_left_out || std::env::var_os("HOOKBOX_TEST_ALL").is_none(),
        "{program} is missing: {how}"
    );
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    say(&format!(
        "skipped {count}: {test}: {program} is missing ({how})"
    ));
}

/// Builds a library that stands between a process and the system, `tests/shims/NAME.c`.
pub fn built_shim(folder: &Path, name: &str) -> PathBuf {
    let shim = folder.join(format!("{name}.so"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/shims/{name}.c"));
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&shim)
        .arg(source)
        .args(["-ldl", "-lpthread"])
        .status();
    assert!(status.unwrap().success());
    shim
}

/// A number from the environment, such as how often something is tried.
pub fn number_from(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable);
    text.ok().map_or(default, |text| text.parse().unwrap())
}

/// Says something on the terminal past what the test harness keeps of passing tests.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
