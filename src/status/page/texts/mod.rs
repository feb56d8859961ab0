//! All texts of the pages, in each language.
//!
//! A language is one more [`Texts`]: one that lacks a text does not compile. The lines are English first; what
//! every text may contain:
//!
//! - `{name}` is replaced by a value;
//! - `{name:one|other}` by the form that goes with the number of that name, in the order of
//!   [`Language::form`]: one and other in English and French, one, few and many in Russian, a single one in
//!   Chinese.
//!
//! Reasons and errors are made by the rest of the program, in English; a page knows the usual ones by their words
//! (the group `said`), and shows others as they are.

mod chinese;
mod english;
mod fill;
mod french;
mod language;
mod russian;
mod said;
mod settings;

pub(in crate::status) use english::*;
pub(in crate::status) use language::Language;

/// Declares the struct of texts and the English texts together: groups, whose texts pages name, and after a
/// semicolon a list, which is gone through. A text of a group that no page names any more is dead code.
macro_rules! texts {
    ($( $(#[$about:meta])* $group:ident: $Group:ident { $( $name:ident: $text:literal, )* } )*
     ; $(#[$of_list:meta])* $list:ident: $List:ident { $( $known:ident: $words:literal, )* }) => {
        /// The texts of the pages in one language.
        pub(in crate::status) struct Texts {
            pub(in crate::status) language: Language,
            /// The settings, where they are not told as the table of the settings does.
            pub(super) settings: Option<&'static SettingTexts>,
            $( $(#[$about])* pub(in crate::status) $group: $Group, )*
            $(#[$of_list])*
            pub(super) $list: $List,
        }
        $(
            $(#[$about])*
            pub(in crate::status) struct $Group { $( pub(in crate::status) $name: &'static str, )* }
        )*
        $(#[$of_list])*
        pub(in crate::status) struct $List { $( pub(super) $known: &'static str, )* }

        impl $List {
            /// Each with its name.
            pub(super) fn each(&self) -> Vec<(&'static str, &'static str)> {
                vec![ $( (stringify!($known), self.$known), )* ]
            }
        }
        /// The texts in English.
        pub(in crate::status) static ENGLISH: Texts = Texts {
            language: Language::English,
            settings: None,
            $( $group: $Group { $( $name: $text, )* }, )*
            $list: $List { $( $known: $words, )* },
        };

        #[cfg(test)]
        impl Texts {
            /// Every text, with its name.
            pub(super) fn all(&self) -> Vec<(&'static str, &'static str)> {
                let mut all = self.$list.each();
                all.extend([ $( $( (concat!(stringify!($group), ".", stringify!($name)), self.$group.$name), )* )* ]);
                all
            }
        }
    };
}
use texts;

impl States {
    /// A word of the contract in this language.
    pub(in crate::status) fn of<'w>(&self, word: &'w str) -> &'w str {
        match word {
            "pending" => self.pending,
            "delivered" => self.delivered,
            "dead" => self.dead,
            "cancelled" => self.cancelled,
            "refused" => self.refused,
            "unreachable" => self.unreachable,
            "running" => self.running,
            "paused" => self.paused,
            "done" => self.done,
            "held" => self.held,
            "window" => self.window,
            "offline" => self.offline,
            "order" => self.order,
            "pace" => self.pace,
            "digest" => self.digest,
            "replay" => self.replay,
            "recover" => self.recover,
            "backfill" => self.backfill,
            other => other,
        }
    }
}

impl Done {
    /// What to say of an action, as an address names it.
    pub(in crate::status) fn of(&self, action: &str) -> Option<&'static str> {
        Some(match action {
            "replay" => self.replay,
            "cancel" => self.cancel,
            "called-off" => self.called_off,
            "chosen" => self.chosen,
            "pause" => self.pause,
            "resume" => self.resume,
            "go-on" => self.goes_on,
            "hold" => self.hold,
            "try" => self.tried,
            "test" => self.test,
            "add" => self.add,
            "set" => self.set,
            "rotate-secret" => self.rotate,
            "remove" => self.remove,
            "send" => self.sent,
            "start" => self.start,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::fill::{Piece, pieces};
    use super::*;
    use crate::model::settings::{ALERT_SETTINGS, ENDPOINT_SETTINGS, SOURCE_SETTINGS};

    /// The names that values replace.
    fn names(text: &str) -> BTreeSet<&str> {
        pieces(text)
            .filter_map(|piece| match piece {
                Piece::Name(name) => Some(name),
                Piece::Words(_) | Piece::Forms(..) => None,
            })
            .collect()
    }

    #[test]
    fn every_language_says_what_english_says() {
        for language in Language::ALL {
            let texts = language.texts();
            assert_eq!(texts.language, language);
            for ((name, english), (_, text)) in ENGLISH.all().into_iter().zip(texts.all()) {
                assert_eq!(names(text), names(english), "{language:?}: {name}");
                assert!(!text.trim().is_empty(), "{language:?}: {name}");
                let forms = pieces(text).filter_map(|piece| match piece {
                    Piece::Forms(_, forms) => Some(forms.split('|').count()),
                    _ => None,
                });
                let expected = match language {
                    Language::Chinese => 1,
                    Language::English | Language::French => 2,
                    Language::Russian => 3,
                };
                for count in forms {
                    assert_eq!(count, expected, "{language:?}: {name}: {text}");
                }
            }
        }
    }

    #[test]
    fn every_language_tells_every_setting() {
        let tables = [
            &ENDPOINT_SETTINGS[..],
            &SOURCE_SETTINGS[..],
            &ALERT_SETTINGS[..],
        ];
        for setting in tables.into_iter().flatten() {
            let english = (ENGLISH.help(setting), ENGLISH.default_of(setting));
            assert_eq!(english, (setting.help, setting.default));
            for language in [Language::Chinese, Language::Russian, Language::French] {
                let texts = language.texts();
                let what = format!("{language:?}: {}", setting.name);
                assert_ne!(texts.help(setting), setting.help, "{what}");
                assert!(!texts.label(setting).is_empty(), "{what}");
                // What is typed stays as it is.
                for word in typed_words(setting.help) {
                    assert!(texts.help(setting).contains(word), "{what} lacks {word}");
                }
            }
            for language in Language::ALL {
                let heading = language.texts().heading(setting.group);
                let is_english = heading == setting.group && !heading.is_empty();
                assert_eq!(
                    is_english,
                    language == Language::English && !heading.is_empty()
                );
            }
        }
    }

    /// Words of a help text that are typed as they stand: with signs that no sentence has.
    fn typed_words(help: &str) -> impl Iterator<Item = &str> {
        help.split_whitespace()
            .map(|word| word.trim_matches(['(', ')', ',', '.', ';', '"', ':']))
            .filter(|word| word.contains(['=', '{', '*', '_', '/']) || word.contains("::"))
    }
}
