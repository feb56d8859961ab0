//! What the rest of the program says, in the reader's language.

use std::borrow::Cow;
use std::fmt::Display;

use super::fill::{Piece, pieces};
use super::{ENGLISH, Language, Texts};

/// What is longer is a body or a flood, and no message.
const SAID_BYTES_MAX: usize = 4 * 1024;

/// A reason may hold a cause, and that another one.
const DEPTH: u8 = 2;

impl Texts {
    /// Returns what a reason or an error says, where it is among the texts; else, as it is.
    pub(in crate::status::page) fn say<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.language == Language::English {
            return Cow::Borrowed(text);
        }
        self.say_problem(text)
    }

    /// As [`Texts::say`], of what is wrong with a form: it speaks of fields, not of options of the command line,
    /// in English too.
    pub(in crate::status::page) fn say_problem<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if text.len() > SAID_BYTES_MAX {
            return Cow::Borrowed(text);
        }
        if let Some((name, problem)) = text.split_once(": ")
            && let Some(label) = self.label_of_name(name)
        {
            let problem = self.phrase(problem, DEPTH);
            return problem.map_or(Cow::Borrowed(text), |problem| {
                Cow::Owned(format!("{label}: {problem}"))
            });
        }
        self.phrase(text, DEPTH)
            .map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// A sentence in this language, if its words are known.
    fn phrase(&self, text: &str, depth: u8) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        let known = ENGLISH.said.each().into_iter().zip(self.said.each());
        let (values, own) = known
            .filter_map(|((_, english), (_, own))| Some((values_in(english, text)?, own)))
            .next()?;
        let values: Vec<(&str, String)> = values
            .into_iter()
            .map(|(name, value)| {
                // Only what the program says itself: a name or a typed value may be a word of it as well.
                let said = match name {
                    "state" => Some(self.states.of(value).to_owned()),
                    "cause" | "error" | "reason" | "why" => self.phrase(value, depth),
                    // Words of ours too, about options.
                    "more" | "how" => Some(self.with_fields(value)),
                    _ => None,
                };
                (name, said.unwrap_or_else(|| value.to_owned()))
            })
            .collect();
        let values: Vec<(&str, &dyn Display)> = values
            .iter()
            .map(|(name, value)| (*name, value as &dyn Display))
            .collect();
        Some(self.fill(&self.with_fields(own), &values))
    }

    /// A text of ours with the labels of fields in the place of the command line's options, and without what is
    /// for the command line alone.
    fn with_fields(&self, own: &str) -> String {
        const FOR_COMMANDS: &str = ", on the command line ";
        let own = own
            .split_once(FOR_COMMANDS)
            .map_or(own, |(for_all, _)| for_all);
        let mut parts = own.split("--");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
            let end = part.find(|c| !is_name(c)).unwrap_or(part.len());
            let (option, rest) = part.split_at(end);
            let label = match option {
                "to" => Some(self.replays.to_what.to_owned()),
                "cancel-pending" => Some(self.endpoints.cancel_pending.to_owned()),
                option => self.label_of_name(&option.replace('-', "_")),
            };
            match label {
                Some(label) => text.push_str(&(self.quoted(&label) + rest)),
                None => text.push_str(&format!("--{part}")),
            }
        }
        // Programs give settings by their names.
        let parts: Vec<&str> = text.split('`').collect();
        let named = parts.iter().enumerate().map(|(index, part)| {
            let is_between = index % 2 == 1;
            match (is_between, self.label_of_name(part)) {
                (true, Some(label)) => self.quoted(&label),
                (true, None) => format!("`{part}`"),
                (false, _) => (*part).to_owned(),
            }
        });
        named.collect()
    }

    fn quoted(&self, label: &str) -> String {
        self.fill(self.words.quoted, &[("label", &label)])
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
        let mut words: Vec<&str> = match piece {
            Piece::Name(name) => {
                open = Some(name);
                continue;
            }
            Piece::Words(words) => vec![words],
            Piece::Forms(_, forms) => forms.split('|').collect(),
        };
        // `try` begins `tries`.
        words.sort_by_key(|words| std::cmp::Reverse(words.len()));
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
    // A value is never empty: what ends with a colon is another sentence. An id is one word.
    let is_whole = values
        .iter()
        .all(|(name, value)| !value.is_empty() && (*name != "id" || !value.contains(' ')));
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

    /// Cause: whoever fills in a form was told of options of the command line, which no page has.
    #[test]
    fn a_form_is_told_of_its_fields() {
        let english = Language::English.texts();
        let told = english.say_problem(
            "--sign standard needs a secret: give --secret, on the command line with --secret-file, --secret-env or --secret - (--secret draw draws one)",
        );
        assert_eq!(told, "“Sign” standard needs a secret: give “Secret”");
        let told = english.say_problem(
            "give the password or token as `auth_secret`, on the command line with --auth-secret-file, --auth-secret-env or --auth-secret -",
        );
        assert_eq!(told, "give the password or token as “Auth secret”");
        // What was typed is left alone.
        let told =
            english.say_problem("rate: `--when` is not a rate; write COUNT/SPAN, such as 20/m");
        assert!(told.contains("`--when`"), "{told}");
        let french = Language::French.texts();
        let told = french.say("--probe-max is 2d, allowed is 1s to 1d");
        assert!(
            told.starts_with('«') && !told.contains("--") && told.contains("2d"),
            "{told}"
        );
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

    /// Cause: a page told a typed word as if the program had said it, or followed a text into itself. Damage: a
    /// wrong sentence; a process that a single address ends.
    #[test]
    fn what_a_person_wrote_is_left_alone_however_long() {
        let texts = Language::Russian.texts();
        let told = texts.say(
            "there is an endpoint named done already; choose another name, or change that one",
        );
        assert!(told.contains(" done "), "{told}");
        let told = texts.say("tries: `dead` is no number");
        assert!(told.contains("`dead`"), "{told}");
        let other =
            "`typ == 1` is not an expression: no event has `typ`; there are type, source and body";
        assert!(texts.say(other).contains("no event has `typ`"));
        for nested in ["url: ", "no reply: ", "tries: `"] {
            let nested = nested.repeat(3_000);
            assert_eq!(texts.say(&nested), nested);
        }
    }

    /// Cause: a message is changed, and here it is still known by its old words. Damage: nobody reads it in
    /// their language any more.
    #[test]
    fn real_messages_are_known_each_by_its_own_words() {
        let rows = [
            ("gave_up", "500 Internal Server Error; given up after 1 try"),
            (
                "gave_up",
                "cannot connect: Connection refused; given up after 9 tries",
            ),
            ("no_connection_within", "cannot connect within 15s"),
            ("expired", "expired: it is owed for more than 30d"),
            ("is_held", "ci is held: held by hand"),
            (
                "unreached",
                "edge cannot be reached for 12m: cannot connect: Connection refused; 3 deliveries wait for it",
            ),
            (
                "refusing_all",
                "ci refuses everything for 2h: 503 Service Unavailable",
            ),
            ("rejected", "gogs rejected 1 request within an hour"),
            ("rejected", "gogs rejected 12 requests within an hour"),
            (
                "span",
                "`x` is not a span; write 250ms, 15s, 5m, 2h, 7d or 1h30m",
            ),
            ("no_event", "no event evt_0123456789_7_abcde"),
            (
                "settled_already",
                "dlv_0123456789_7_abcde is delivered already; only a pending delivery can be cancelled",
            ),
            (
                "mismatch",
                "signature does not match: the sender's secret is not this source's, or the body was changed on the way",
            ),
            (
                "name",
                "`a b` is not a name; use 1 to 64 letters, digits, dots, dashes or underscores, a letter or digit first",
            ),
        ];
        for (name, text) in rows {
            let known = ENGLISH.said.each().into_iter();
            let known = known.filter(|(_, english)| values_in(english, text).is_some());
            assert_eq!(known.map(|(name, _)| name).next(), Some(name), "{text}");
        }
    }

    /// The same for all of them, as far as the code shows it.
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
