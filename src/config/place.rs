//! Where something stands in a file, and errors that say so.

use std::fmt;
use std::path::PathBuf;

use crate::error::Error;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line; the first is 1.
    pub line: usize,
    /// The column, in characters; the first is 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

impl Place {
    /// An error about what stands here.
    pub(super) fn misuse(&self, text: impl fmt::Display) -> Error {
        Error::misuse(format!("{self}: {text}"))
    }

    /// Adds this place to an error.
    pub(super) fn of(&self, error: Error) -> Error {
        match error {
            Error::Misuse(text) | Error::NotFound(text) => self.misuse(in_words_of_a_file(&text)),
            other => other,
        }
    }
}

/// Replaces names of options (`--timestamp-header`) with those that a file has (`timestamp_header`), and leaves
/// out what is to be done on the command line.
fn in_words_of_a_file(text: &str) -> String {
    let text = text.split(", on the command line").next().unwrap_or(text);
    let mut words = text.split("--");
    let mut said = words.next().unwrap_or_default().to_owned();
    for word in words {
        let end = word
            .find(|c: char| !(c.is_ascii_lowercase() || c == '-'))
            .unwrap_or(word.len());
        let (option, rest) = word.split_at(end);
        if option.is_empty() {
            said.push_str("--");
        }
        said.push_str(&option.replace('-', "_"));
        said.push_str(rest);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_named_as_the_file_names_them() {
        for (text, said) in [
            ("give --method POST", "give method POST"),
            (
                "leave --signature-over out, or --auth",
                "leave signature_over out, or auth",
            ),
            ("a -- b", "a -- b"),
            ("ends with --retry", "ends with retry"),
            (
                "give secret, on the command line with --secret-env",
                "give secret",
            ),
        ] {
            assert_eq!(in_words_of_a_file(text), said);
        }
    }
}
