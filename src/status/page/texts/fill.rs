//! Values in place of the names in a text.

use std::fmt::Display;

use maud::{Markup, PreEscaped, Render};

use super::{Language, Texts};

impl Texts {
    /// Replaces the names in a text by values; the result is escaped when it is shown, like any text.
    pub(in crate::status) fn fill(&self, text: &str, values: &[(&str, &dyn Display)]) -> String {
        let mut filled = String::new();
        for piece in pieces(text) {
            match piece {
                Piece::Words(words) => filled.push_str(words),
                Piece::Name(name) => {
                    filled.extend(value(text, name, values).map(ToString::to_string))
                }
                Piece::Forms(name, forms) => {
                    let count = value(text, name, values).map(ToString::to_string);
                    filled.push_str(form(self.language, forms, count.as_deref()));
                }
            }
        }
        filled
    }

    /// Replaces the names in a text by markup.
    pub(in crate::status) fn link_in(&self, text: &str, values: &[(&str, &dyn Render)]) -> Markup {
        let mut html = String::new();
        for piece in pieces(text) {
            match piece {
                Piece::Words(words) => words.render_to(&mut html),
                Piece::Name(name) => {
                    if let Some(value) = value(text, name, values) {
                        value.render_to(&mut html);
                    }
                }
                Piece::Forms(name, forms) => {
                    let count = value(text, name, values).map(|count| count.render().into_string());
                    form(self.language, forms, count.as_deref()).render_to(&mut html);
                }
            }
        }
        PreEscaped(html)
    }
}

/// Returns the form of a word that goes with a number.
fn form<'t>(language: Language, forms: &'t str, count: Option<&str>) -> &'t str {
    let count = count.and_then(|count| count.parse().ok());
    let place = language.form(count.unwrap_or_default());
    let mut all = forms.split('|');
    let last = all.clone().next_back().unwrap_or_default();
    all.nth(place).unwrap_or(last)
}

/// Returns the value of a name. A missing value is a bug of the page, which tests find.
fn value<'v, T: ?Sized>(text: &str, name: &str, values: &[(&str, &'v T)]) -> Option<&'v T> {
    let found = values.iter().find(|(held, _)| *held == name);
    debug_assert!(found.is_some(), "`{text}` lacks what stands in it: {name}");
    found.map(|(_, value)| *value)
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Words(&'t str),
    Name(&'t str),
    /// The name of a number, and the forms of a word.
    Forms(&'t str, &'t str),
}

/// Splits a text into words, and names in braces.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    text.split('{').enumerate().flat_map(|(index, part)| {
        let (name, words) = match part.split_once('}') {
            Some((name, words)) if index > 0 => (Some(name), words),
            _ => (None, part),
        };
        let words = Some(words).filter(|words| !words.is_empty());
        let name = name.map(|name| match name.split_once(':') {
            Some((name, forms)) => Piece::Forms(name, forms),
            None => Piece::Name(name),
        });
        name.into_iter().chain(words.map(Piece::Words))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use maud::html;

    #[test]
    fn a_text_is_filled_wherever_its_names_stand_and_values_are_escaped() {
        let texts = Language::English.texts();
        assert_eq!(
            texts.fill("{a}, b and {c}.", &[("c", &3), ("a", &"x")]),
            "x, b and 3."
        );
        let link = html! { a href="/" { "<here>" } };
        let filled = texts.link_in("<Go> {link} & {why}", &[("link", &link), ("why", &"1 < 2")]);
        assert_eq!(
            filled.into_string(),
            "&lt;Go&gt; <a href=\"/\">&lt;here&gt;</a> &amp; 1 &lt; 2"
        );
    }

    #[test]
    fn a_word_takes_the_form_of_its_number() {
        let filled = |language: Language, text: &str, count: u64| {
            let texts = language.texts();
            let linked = texts.link_in(text, &[("n", &count)]).into_string();
            assert_eq!(linked, texts.fill(text, &[("n", &count)]));
            linked
        };
        let english = "{n} {n:push|pushes}!";
        assert_eq!(filled(Language::English, english, 1), "1 push!");
        assert_eq!(filled(Language::English, english, 0), "0 pushes!");
        assert_eq!(
            filled(Language::French, "{n} {n:envoi|envois}", 0),
            "0 envoi"
        );
        let russian = "{n} {n:событие|события|событий}";
        assert_eq!(filled(Language::Russian, russian, 21), "21 событие");
        assert_eq!(filled(Language::Russian, russian, 3), "3 события");
        assert_eq!(filled(Language::Russian, russian, 112), "112 событий");
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "what stands in it: b")]
    fn a_value_that_is_missing_is_a_mistake_of_the_page() {
        Language::English.texts().fill("{a} {b}", &[("a", &1)]);
    }
}
