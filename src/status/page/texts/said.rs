//! What the rest of the program says, in the reader's language.

use std::borrow::Cow;
use std::fmt::Display;

use super::fill::{Piece, pieces};
use super::{ENGLISH, Group, Language, Texts};

impl Texts {
    /// Returns what a reason or an error says, where it is among the texts; else, as it is.
    pub(in crate::status::page) fn say<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.language == Language::English {
            return Cow::Borrowed(text);
        }
        let state = self.states.of(text);
        if state != text {
            return Cow::Borrowed(state);
        }
        if let Some((name, problem)) = text.split_once(": ")
            && let Some(label) = self.label_of_name(name)
        {
            return Cow::Owned(format!("{label}: {}", self.say(problem)));
        }
        let known = ENGLISH.said.each().into_iter().zip(self.said.each());
        for ((_, english), (_, own)) in known {
            let Some(values) = values_in(english, text) else {
                continue;
            };
            let values: Vec<(&str, Cow<'_, str>)> = values
                .into_iter()
                .map(|(name, value)| (name, self.say(value)))
                .collect();
            let values: Vec<(&str, &dyn Display)> = values
                .iter()
                .map(|(name, value)| (*name, value as &dyn Display))
                .collect();
            return Cow::Owned(self.fill(own, &values));
        }
        Cow::Borrowed(text)
    }
}

/// Returns what stands in a text where a pattern has its names, if it has the pattern's words.
fn values_in<'p, 't>(pattern: &'p str, text: &'t str) -> Option<Vec<(&'p str, &'t str)>> {
    let mut values = Vec::new();
    let mut rest = text;
    // The name whose value ends where the next words begin.
    let mut open: Option<&str> = None;
    let all: Vec<Piece<'_>> = pieces(pattern).collect();
    for (index, piece) in all.iter().enumerate() {
        let is_last = index + 1 == all.len();
        let words: Vec<&str> = match piece {
            Piece::Name(name) => {
                open = Some(name);
                continue;
            }
            Piece::Words(words) => vec![words],
            Piece::Forms(_, forms) => forms.split('|').collect(),
        };
        let found = words.iter().find_map(|words| {
            let at = match (open, is_last) {
                (None, _) => rest.starts_with(words).then_some(0),
                (Some(_), true) => rest.strip_suffix(words).map(str::len),
                (Some(_), false) => rest.find(words),
            };
            at.map(|at| (at, words.len()))
        });
        let (at, length) = found?;
        if let Some(name) = open.take() {
            values.push((name, &rest[..at]));
        }
        rest = &rest[at + length..];
    }
    match open {
        Some(name) => values.push((name, rest)),
        None if !rest.is_empty() => return None,
        None => {}
    }
    // A value is never empty: what ends with a colon is another sentence.
    let is_whole = values.iter().all(|(_, value)| !value.is_empty());
    is_whole.then_some(values)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_known_is_said_in_the_language_and_the_rest_as_it_is() {
        let english = "cannot connect: Connection refused; given up after 1 try";
        let russian = Language::Russian.texts();
        let once = russian.say(english).into_owned();
        assert!(once.contains("Connection refused") && !once.contains("given up"));
        assert!(!once.contains("cannot connect"), "{once}");
        let often = russian.say("500 Internal Server Error; given up after 5 tries");
        assert!(often.starts_with("500 Internal Server Error"), "{often}");
        assert_ne!(
            often.rsplit(' ').next(),
            once.rsplit(' ').next(),
            "the word has the form of its number"
        );
        for unknown in ["503 Service Unavailable", "", "no reply: ", "x\u{20}"] {
            assert_eq!(russian.say(unknown), unknown);
        }
        assert_eq!(Language::English.texts().say(english), english);
    }

    #[test]
    fn a_pattern_is_the_whole_text() {
        let values = |pattern, text| values_in(pattern, text);
        let pattern = "{a} of {b}, {n} {n:try|tries}";
        assert_eq!(
            values(pattern, "x of y of z, 2 tries"),
            Some(vec![("a", "x"), ("b", "y of z"), ("n", "2")])
        );
        assert_eq!(values(pattern, "x of y, 2 trials"), None);
        assert_eq!(values("tick", "tick it"), None);
        assert_eq!(
            values("no event {id}", "no event 1"),
            Some(vec![("id", "1")])
        );
        assert_eq!(values("no event {id}", "No event 1"), None);
    }

    /// Cause: a message is changed, and here it is still known by its old words. Damage: nobody reads it in
    /// their language any more.
    #[test]
    fn what_is_known_is_still_said_so() {
        fn read(folder: &Path, all: &mut String) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true if path.ends_with("texts") => {}
                    true => read(&path, all),
                    false => all.push_str(&fs::read_to_string(&path).unwrap_or_default()),
                }
            }
        }
        let mut code = String::new();
        read(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut code,
        );
        // A string may go on in the next line of the code.
        let code: String = code.split("\\\n").map(str::trim_start).collect();
        let is_said = |english: &str| {
            let words = pieces(english).filter_map(|piece| match piece {
                Piece::Words(words) => Some(words),
                _ => None,
            });
            let longest = words.max_by_key(|words| words.len()).unwrap();
            // A cause or a span is added to some.
            let written = longest.trim_end_matches(": ").trim_end_matches(" within ");
            code.contains(written.replace('"', "\\\"").trim())
        };
        let said = ENGLISH.said.each().into_iter();
        let lost: Vec<_> = said.filter(|(_, english)| !is_said(english)).collect();
        assert!(lost.is_empty(), "nothing says {lost:#?}");
    }
}
