//! Whose the file is: modes, owners, several users of one file, and what is said where they do not fit.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::place::beside;
use crate::support::{PUSH, SERVE, Served, TestDb, binary, is_missing, send_signal};

const SERVICE: u32 = 65_534;

/// A command as another user, of other groups.
fn as_user(user: u32, group: u32, program: &Path, here: &TestDb) -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={group}"))
        .arg("--clear-groups")
        .arg(program)
        .env("HOOKBOX_DB", &here.db);
    command
}

/// The built program, where every user can run it.
fn program() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("hookbox");
    fs::copy(binary(), &program).unwrap();
    (folder, program)
}

fn serve_as(user: u32, group: u32, program: &Path, here: &TestDb) -> Served {
    let mut command = as_user(user, group, program, here);
    command.args(SERVE).arg("--json");
    Served::start(command)
}

/// Cause: what the super-user made was the super-user's. Damage: a `sudo hookbox` before the first start
/// left a database, or a lock, that the service could not open. Cure: it goes to the owner of the folder, or
/// of the database.
#[test]
fn what_the_super_user_makes_the_services_user_can_open() {
    if is_missing(
        "setpriv",
        &["--reuid=65534", "true"],
        "run the tests as the super-user",
    ) {
        return;
    }
    let here = TestDb::in_file();
    let (_kept, program) = program();
    std::os::unix::fs::chown(here.folder.path(), Some(SERVICE), Some(SERVICE)).unwrap();
    here.add_gogs();
    let served = here.serve();
    assert_eq!(served.push("k1", PUSH.as_bytes()).0, 202);
    for ending in ["", "-wal", "-shm", ".lock"] {
        let found = fs::metadata(beside(&here, ending)).unwrap();
        assert_eq!(
            (found.uid(), found.mode() & 0o777),
            (SERVICE, 0o600),
            "{ending}"
        );
    }
    assert_eq!(served.signal("KILL"), None);
    let served = serve_as(SERVICE, SERVICE, &program, &here);
    assert_eq!(served.push("k2", PUSH.as_bytes()).0, 202);
    assert_eq!(here.json(&["stats"])["events"], 2);
    let copy = here.folder.path().join("copy.db");
    here.json(&["backup", copy.to_str().unwrap()]);
    assert_eq!(fs::metadata(&copy).unwrap().uid(), SERVICE);
    assert_eq!(served.signal("TERM"), Some(0));
    here.json(&["restore", copy.to_str().unwrap()]);
    let served = serve_as(SERVICE, SERVICE, &program, &here);
    assert_eq!(served.push("k3", PUSH.as_bytes()).0, 202);
}

#[test]
fn two_users_of_a_group_use_one_file_and_doctor_explains_them() {
    if is_missing(
        "setpriv",
        &["--reuid=65534", "true"],
        "run the tests as the super-user",
    ) {
        return;
    }
    const GROUP: u32 = 54_321;
    let (first, second) = (54_001, 54_002);
    let here = TestDb::in_file();
    let (_kept, program) = program();
    here.add_gogs();
    for (path, mode) in [(here.folder.path(), 0o2770), (here.db.as_path(), 0o660)] {
        std::os::unix::fs::chown(path, Some(first), Some(GROUP)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let served = serve_as(first, GROUP, &program, &here);
    assert_eq!(served.push("k1", PUSH.as_bytes()).0, 202);
    let mut command = as_user(second, GROUP, &program, &here);
    let put = command
        .args(["enqueue", "--type", "a", "--data", "{}"])
        .output()
        .unwrap();
    assert!(
        put.status.success(),
        "{}",
        String::from_utf8_lossy(&put.stderr)
    );
    // It sees that somebody serves, for which it must be able to read the lock.
    let said = String::from_utf8_lossy(&put.stderr);
    assert!(!said.contains("nothing serves"), "{said}");
    assert_eq!(served.push("k2", PUSH.as_bytes()).0, 202);
    assert_eq!(served.signal("TERM"), Some(0));
    let served = serve_as(second, GROUP, &program, &here);
    assert_eq!(served.push("k3", PUSH.as_bytes()).0, 202);
    let ran = here.run(&["doctor"]);
    assert_eq!(ran.code, 0, "{}", ran.text());
    let told = ran.text();
    assert!(
        told.contains("note") && told.contains("group 54321"),
        "{told}"
    );
    assert!(!told.contains("warning"), "{told}");
    // What replaces the file is open to them as well.
    assert_eq!(served.signal("TERM"), Some(0));
    let copy = here.folder.path().join("copy.db");
    here.json(&["backup", copy.to_str().unwrap()]);
    here.json(&["restore", copy.to_str().unwrap()]);
    let found = fs::metadata(&here.db).unwrap();
    assert_eq!((found.gid(), found.mode() & 0o777), (GROUP, 0o660));
    let served = serve_as(second, GROUP, &program, &here);
    // A folder that does not pass the group on is a fault.
    fs::set_permissions(here.folder.path(), fs::Permissions::from_mode(0o770)).unwrap();
    let told = here.run(&["doctor"]).text().to_owned();
    assert!(told.contains("chmod g+rws"), "{told}");
    send_signal(served.pid, "TERM");
}

#[test]
fn a_new_file_is_readable_by_its_owner_alone() {
    let here = TestDb::in_file();
    here.add_gogs();
    let served = here.serve();
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let path = format!("{}{suffix}", here.db.display());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{path}");
    }
    drop(served);
}

/// Runs the program as a user to whom the box's file does not belong: the super-user may write everything,
/// so as nobody then.
fn run_as_other(arguments: &[&str], db: &std::path::Path) -> String {
    let script = r#"if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else exec "$@"; fi"#;
    let copy = tempfile::tempdir().unwrap();
    set_mode(copy.path(), 0o755);
    let program = copy.path().join("hookbox");
    std::fs::copy(binary(), &program).unwrap();
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(&program)
        .args(arguments)
        .arg("--db")
        .arg(db)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

fn set_mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Cause: SQLite's words were passed on ("unable to open database file: Error code 14"). Damage: nobody
/// could tell a wrong owner from a broken file. Cure: what stands in the way is looked for and named, with
/// whose it is.
#[test]
fn what_may_not_be_opened_is_said_with_its_owner_and_mode() {
    let here = TestDb::in_file();
    here.json(&["init"]);
    let folder = here.folder.path();
    let name = |path: &std::path::Path| path.display().to_string();
    // Modes of the folder and the file; what is named.
    for (arguments, folder_mode, mode, place, shown) in [
        (&SERVE[..], 0o555, 0o444, name(&here.db), "0444"),
        (&["stats"][..], 0o755, 0o000, name(&here.db), "0000"),
        (&["stats"][..], 0o555, 0o666, name(folder), "0555"),
        (&["stats"][..], 0o000, 0o666, name(folder), "0000"),
    ] {
        set_mode(&here.db, mode);
        set_mode(folder, folder_mode);
        let said = run_as_other(arguments, &here.db);
        set_mode(folder, 0o755);
        assert!(said.contains(&format!("{place} belongs to `")), "{said}");
        let words = [format!("(mode {shown})"), "this runs as `".to_owned()];
        assert!(words.iter().all(|one| said.contains(one)), "{said}");
        assert!(!said.contains("code"), "{said}");
    }
    let made = run_as_other(&["init"], std::path::Path::new("/none.db"));
    assert!(
        made.contains("cannot make /none.db") && made.contains("/ belongs to `root`"),
        "{made}"
    );
    let lost = here.folder.path().join("away/hookbox.db");
    let ran = here.run(&["init", "--db", lost.to_str().unwrap()]);
    assert!(ran.stderr.contains("there is no folder"), "{}", ran.stderr);
}
