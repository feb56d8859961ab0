//! What the packages are made of: the unit, its configuration, the man pages.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{TestDb, is_missing, raw};

fn packaging(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("packaging")
        .join(file)
}

/// Most that the unit may let the service have, of 10, as systemd counts.
const EXPOSURE_MAX: f32 = 2.0;

#[test]
fn the_unit_gives_the_service_little_to_do_harm_with() {
    if is_missing("systemd-analyze", &["--version"], "apt-get install systemd") {
        return;
    }
    let unit = packaging("hookbox.service");
    let ran = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(&unit)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    let (_, level) = told
        .split_once("exposure level for hookbox.service: ")
        .unwrap_or_else(|| panic!("{told}{}", String::from_utf8_lossy(&ran.stderr)));
    let level: f32 = level.split_whitespace().next().unwrap().parse().unwrap();
    assert!(level < EXPOSURE_MAX, "{told}");
    // The crash guard asks whether this is still the boot that it knows.
    let text = std::fs::read_to_string(&unit).unwrap();
    assert!(
        !text.contains("ProcSubset="),
        "the boot's id stands in /proc/sys"
    );
}

#[test]
fn the_configuration_of_the_packages_is_served_as_it_is() {
    let here = TestDb::new();
    let text = std::fs::read_to_string(packaging("hookbox.toml")).unwrap();
    let file = here.folder.path().join("hookbox.toml");
    std::fs::write(&file, &text).unwrap();
    let served = here.serve_with(&["--config", file.to_str().unwrap()]);
    served.stop_and_read_log();
    // What it shows as an example can be used: every line that is one, without its mark.
    let shown =
        |line: &&str| line.starts_with("# ") && line.contains(" = ") || line.starts_with("# [");
    let mut example = String::new();
    for line in text.lines() {
        match shown(&line) {
            true => example.push_str(&line[2..]),
            false => example.push_str(line),
        }
        example.push('\n');
    }
    for secret in ["gogs.secret", "ci.secret", "page.token"] {
        let secret = here.folder.path().join(secret);
        std::fs::write(secret, "0123456789abcdef0123456789abcdef").unwrap();
    }
    std::fs::write(&file, &example).unwrap();
    let ran = here.run(&["apply", file.to_str().unwrap(), "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(here.list(&["source", "list"])[0]["name"], "gogs");
    assert_eq!(here.list(&["endpoint", "list"])[0]["name"], "ci");
}

/// What stands in a file between two lines, without what each line begins with.
fn between(file: &str, first: &str, last: &str, mark: &str) -> String {
    let text = std::fs::read_to_string(packaging(file)).unwrap();
    let (_, rest) = text.split_once(first).unwrap();
    let (inside, _) = rest.split_once(last).unwrap();
    let lines = inside
        .lines()
        .map(|line| line.strip_prefix(mark).unwrap_or(line));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_configurations_for_containers_can_be_applied() {
    let kubernetes = between("kubernetes.yml", "hookbox.toml: |\n", "---\n", "    ");
    let compose = between(
        "compose.yml",
        "# hookbox/hookbox.toml (docs/configuration.md):\n",
        "# The webhook's URL",
        "#   ",
    );
    for text in [kubernetes, compose.replace("#\n", "\n")] {
        let here = TestDb::new();
        let folder = here.folder.path();
        for secret in ["token", "gogs", "page.token", "gogs.secret", "gitea.secret"] {
            std::fs::write(folder.join(secret), "0123456789abcdef0123456789abcdef").unwrap();
        }
        let file = folder.join("hookbox.toml");
        std::fs::write(&file, text.replace("/secrets/", "")).unwrap();
        let served = here.serve_with(&["--config", file.to_str().unwrap()]);
        assert_eq!(
            here.list(&["source", "list"]).last().unwrap()["name"],
            "gogs"
        );
        // As the other containers ask; no other name is answered.
        let asked = |host: &str| {
            let head = format!("GET /login HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            raw(served.status_address(), head.as_bytes())
        };
        let answer = asked("hookbox:8421");
        assert!(!answer.starts_with("HTTP/1.1 403"), "{answer}");
        let answer = asked("other.example.org");
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
}

#[test]
fn each_command_has_a_man_page() {
    let here = TestDb::new();
    let pages = here.folder.path().join("man");
    std::fs::create_dir(&pages).unwrap();
    std::fs::write(pages.join("other.1"), ".TH other 1\n.SH SYNOPSIS\nother\n").unwrap();
    let told = here.json(&["man", pages.to_str().unwrap()]);
    let count = usize::try_from(told["pages"].as_u64().unwrap()).unwrap();
    assert_eq!(std::fs::read_dir(&pages).unwrap().count(), count + 1);
    for page in ["hookbox", "hookbox-serve", "hookbox-endpoint-add"] {
        assert!(pages.join(format!("{page}.1")).exists(), "{page}");
    }
    let serve = std::fs::read_to_string(pages.join("hookbox-serve.1")).unwrap();
    for told in [
        "HOOKBOX_DB",
        "HOOKBOX_LOG",
        "How much to log",
        "/etc/hookbox/hookbox.toml",
        ".SH \"SEE ALSO\"",
        ".SH NOTES",
    ] {
        assert!(serve.contains(told), "{told}: {serve}");
    }
    if is_missing("man", &["--version"], "apt-get install man-db groff-base") {
        return;
    }
    for page in std::fs::read_dir(&pages).unwrap() {
        let page = page.unwrap().path();
        let ran = Command::new("man")
            .args(["--warnings", "--local-file"])
            .arg(&page)
            .output()
            .unwrap();
        let (text, warned) = (
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr),
        );
        assert!(warned.is_empty(), "{}: {warned}", page.display());
        assert!(text.contains("SYNOPSIS"), "{}: {text}", page.display());
    }
}
