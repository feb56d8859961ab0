//! From the SQL that both engines share to the text that PostgreSQL takes.
//!
//! The shared SQL is written so that little is left to do: named parameters become numbered ones, and
//! SQLite's index hints go. Statements that need more than this are written twice, where they are used.

/// A statement as PostgreSQL takes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) text: String,
    /// The names of its parameters with their colons; the first one is `$1`.
    pub(super) names: Vec<String>,
}

/// Translates one statement.
pub(super) fn translate(statement: &str) -> Translated {
    let mut text = String::with_capacity(statement.len());
    let mut names: Vec<String> = Vec::new();
    let mut rest = statement;
    while let Some(next) = rest.chars().next() {
        let taken = match next {
            '\'' | '"' => quoted(rest, next),
            // A cast: `::text`.
            ':' if rest.starts_with("::") => &rest[..2],
            ':' => {
                let name = &rest[..1 + word(&rest[1..]).len()];
                let known = names.iter().position(|known| known == name);
                let index = known.unwrap_or_else(|| {
                    names.push(name.to_owned());
                    names.len() - 1
                });
                text.push_str(&format!("${}", index + 1));
                rest = &rest[name.len()..];
                continue;
            }
            _ if is_of_word(next) => {
                if let Some(after) = hint(rest) {
                    rest = after;
                    continue;
                }
                match word(rest) {
                    // A list of ids, as a JSON array.
                    "json_each" => {
                        text.push_str("hookbox_json_each");
                        rest = &rest["json_each".len()..];
                        continue;
                    }
                    found => found,
                }
            }
            other => &rest[..other.len_utf8()],
        };
        text.push_str(taken);
        rest = &rest[taken.len()..];
    }
    Translated { text, names }
}

/// What follows an index hint (`indexed by NAME`), if one begins here.
fn hint(text: &str) -> Option<&str> {
    let after = text.strip_prefix("indexed by ")?;
    Some(&after[word(after).len()..])
}

/// The quoted text or name at the beginning; a doubled quote in it is part of it by itself.
fn quoted(text: &str, quote: char) -> &str {
    match text[1..].find(quote) {
        Some(end) => &text[..end + 2],
        None => text,
    }
}

fn word(text: &str) -> &str {
    let end = text.find(|letter| !is_of_word(letter));
    &text[..end.unwrap_or(text.len())]
}

fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_and_hints_are_left_out() {
        let shared = "select id, ':no'::text from t indexed by t_due
                      where a = :a and (b = :b or b < :a) and c <> 'it''s :c'";
        let translated = translate(shared);
        assert_eq!(
            translated.text,
            "select id, ':no'::text from t 
                      where a = $1 and (b = $2 or b < $1) and c <> 'it''s :c'"
        );
        assert_eq!(translated.names, [":a", ":b"]);
    }
}
