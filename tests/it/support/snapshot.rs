//! Texts that are kept in files and looked at when they change.

use std::path::Path;

/// Holds a text to the one that is kept in a file, which is written anew where `variable` is set.
pub fn assert_kept(file: &Path, told: &str, variable: &str, tests: &str) {
    if std::env::var_os(variable).is_some() {
        std::fs::write(file, told).unwrap();
    }
    let held = std::fs::read_to_string(file).unwrap_or_default();
    let differs = held
        .lines()
        .zip(told.lines())
        .find(|(held, told)| held != told);
    assert_eq!(
        (differs, held.len()),
        (None, told.len()),
        "{}: look at the change, then write it with {variable}=1 cargo test {tests}",
        file.display()
    );
}
