//! What is built in may be given away, comes from one place, and is there once: as `deny.toml` has it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The texts of a list of `deny.toml`; of a table in it the first.
fn listed(config: &str, name: &str) -> Vec<String> {
    let (_, rest) = config.split_once(&format!("\n{name} = [")).unwrap();
    let (list, _) = rest.split_once("\n]").unwrap();
    let lines = list.lines().filter_map(|line| line.split('"').nth(1));
    lines.map(str::to_owned).collect()
}

fn metadata() -> Value {
    let made = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(made.status.success());
    serde_json::from_slice(&made.stdout).unwrap()
}

/// The packages that are built in, or build it.
fn built_in(metadata: &Value) -> Vec<&Value> {
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), node))
        .collect();
    let root = metadata["resolve"]["root"].as_str().unwrap();
    let (mut found, mut next) = (BTreeSet::new(), vec![root]);
    while let Some(id) = next.pop() {
        if !found.insert(id) {
            continue;
        }
        for needed in nodes[id]["deps"].as_array().unwrap() {
            let mut kinds = needed["dep_kinds"].as_array().unwrap().iter();
            if kinds.any(|kind| kind["kind"] != "dev") {
                next.push(needed["pkg"].as_str().unwrap());
            }
        }
    }
    let packages = metadata["packages"].as_array().unwrap().iter();
    let is_found = |package: &&Value| found.contains(package["id"].as_str().unwrap());
    packages.filter(is_found).collect()
}

/// Whether a licence, or a choice of them, is among those that are allowed.
fn is_allowed(licence: &str, allowed: &[String]) -> bool {
    let plain = licence.replace(['(', ')'], "").replace('/', " OR ");
    plain.split(" AND ").all(|part| {
        let mut choices = part.split(" OR ");
        choices.any(|choice| allowed.iter().any(|one| one == choice.trim()))
    })
}

#[test]
fn what_is_built_in_is_as_deny_toml_has_it() {
    let config = include_str!("../../deny.toml");
    let (allowed, twice, denied) = (
        listed(config, "allow"),
        listed(config, "skip"),
        listed(config, "deny"),
    );
    let metadata = metadata();
    let packages = built_in(&metadata);
    assert!(packages.len() > 100);
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        let text = |name: &str| package[name].as_str().unwrap_or_default();
        let (name, version) = (text("name"), text("version"));
        assert!(
            is_allowed(text("license"), &allowed),
            "{name}: {}",
            text("license")
        );
        let source = text("source");
        let is_known = source.starts_with("registry+https://github.com/rust-lang/crates.io-index");
        assert!(is_known || name == "hookbox", "{name}: {source}");
        assert!(!denied.iter().any(|one| one == name), "{name}");
        versions.entry(name).or_default().push(version);
    }
    for (name, versions) in versions {
        let skipped = twice.iter().filter(|skip| {
            let (of, version) = skip.split_once('@').unwrap();
            of == name && versions.iter().any(|held| held.starts_with(version))
        });
        assert!(
            versions.len() <= 1 + skipped.count(),
            "{name}: {versions:?}"
        );
    }
}
