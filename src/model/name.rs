//! Valid names of sources and endpoints.

use crate::error::{Error, Result};

/// Maximum length of a name, in bytes: it is used in paths, table cells and log lines.
const NAME_BYTES_MAX: usize = 64;

/// Checks the name of a source or endpoint.
///
/// A name has 1 to 64 letters, digits, `.`, `_` or `-`, and begins with a letter or digit, so that
/// it can be used in a path and never looks like an option.
///
/// # Errors
/// [`Error::Misuse`] with the rule.
pub fn check_name(name: &str) -> Result<()> {
    let first_ok = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let all_ok = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if first_ok && all_ok && name.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    Err(Error::misuse(format!(
        "`{name}` is not a name; use 1 to {NAME_BYTES_MAX} letters, digits, dots, dashes or underscores, a letter or digit first"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_a_path_or_look_like_an_option_are_refused() {
        for name in ["gogs", "ci-1", "a.b_c", "9"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "-x", ".x", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
