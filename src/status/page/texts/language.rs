//! The languages of the pages, and which one a reader gets.

use super::chinese::CHINESE;
use super::french::FRENCH;
use super::russian::RUSSIAN;
use super::{ENGLISH, Texts};

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::status) enum Language {
    English,
    Chinese,
    Russian,
    French,
}

impl Language {
    pub(in crate::status) const ALL: [Language; 4] = [
        Language::English,
        Language::Chinese,
        Language::Russian,
        Language::French,
    ];

    /// Its name in BCP 47.
    pub(in crate::status) fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh-Hans",
            Language::Russian => "ru",
            Language::French => "fr",
        }
    }

    /// Its name in itself.
    pub(in crate::status) fn own_name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::Chinese => "简体中文",
            Language::Russian => "Русский",
            Language::French => "Français",
        }
    }

    pub(in crate::status) fn texts(self) -> &'static Texts {
        match self {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
            Language::Russian => &RUSSIAN,
            Language::French => &FRENCH,
        }
    }

    /// The language of this tag.
    pub(in crate::status) fn of_tag(tag: &str) -> Option<Language> {
        Language::ALL.into_iter().find(|one| one.tag() == tag)
    }

    /// The first of the languages that a reader asks for in `Accept-Language` (RFC 9110, section 12.5.4), by its
    /// main part alone (RFC 4647, section 3.4); English where there is none.
    pub(in crate::status) fn accepted(header: &str) -> Language {
        let asked = header.split(',').filter_map(|range| {
            let (tag, weight) = range.split_once(';').unwrap_or((range, ""));
            let main = tag.trim().split('-').next()?.to_ascii_lowercase();
            let found = Language::ALL
                .into_iter()
                .find(|one| one.main_part() == main)?;
            let weight = weight.trim().to_ascii_lowercase();
            let weight = weight.strip_prefix("q=").unwrap_or("1");
            // In thousandths, which is all that a weight may have; what is none counts for nothing.
            let weight: f32 = weight.parse().unwrap_or(0.0);
            let weight = (weight.clamp(0.0, 1.0) * 1000.0) as u16;
            (weight > 0).then_some((found, weight))
        });
        // The first of those with the same weight.
        let best = asked.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map_or(Language::English, |(found, _)| found)
    }

    fn main_part(self) -> &'static str {
        &self.tag()[..2]
    }

    /// Which form of a word goes with a number: the cardinal rules of Unicode CLDR for whole numbers.
    pub(super) fn form(self, count: u64) -> usize {
        match self {
            Language::English => usize::from(count != 1),
            Language::French => usize::from(count > 1),
            Language::Chinese => 0,
            Language::Russian => match (count % 10, count % 100) {
                (1, hundred) if hundred != 11 => 0,
                (2..=4, 0..=11 | 15..) => 1,
                _ => 2,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gets_the_first_language_that_is_here() {
        let rows = [
            ("", Language::English),
            ("*", Language::English),
            ("de-DE,de;q=0.9", Language::English),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("de, fr-CH;q=0.7, en;q=0.5", Language::French),
            ("en;q=0.5, RU ; q=0.9", Language::Russian),
            ("ru;q=0, fr;q=0.001", Language::French),
            ("en-GB,fr", Language::English),
            ("fr;q=NaN,ru;q=,zh;q=2", Language::Chinese),
            ("fr;Q=0.1,ru;q=0.2", Language::Russian),
            (";;,=,q=1,-", Language::English),
        ];
        for (header, expected) in rows {
            assert_eq!(Language::accepted(header), expected, "{header}");
        }
        for language in Language::ALL {
            assert_eq!(Language::of_tag(language.tag()), Some(language));
            assert_eq!(Language::accepted(language.tag()), language);
        }
        assert_eq!(Language::of_tag("de"), None);
    }

    /// The words of ICU4X, which has the rules of Unicode CLDR, are told apart wherever ours are, and nowhere
    /// else.
    #[test]
    fn numbers_take_the_forms_that_unicode_says() {
        use icu_locale_core::Locale;
        use icu_plurals::{PluralCategory, PluralRules};

        for language in Language::ALL {
            let locale: Locale = language.tag().parse().unwrap();
            let rules = PluralRules::try_new_cardinal(locale.into()).unwrap();
            // "Many" is for 5 in Russian, and for 1,000,000 in French ("de livraisons"), where a plain plural
            // stands here.
            let place = |category| match (language, category) {
                (Language::Chinese, PluralCategory::Other) | (_, PluralCategory::One) => 0,
                (Language::Russian, PluralCategory::Many) => 2,
                (Language::Russian, PluralCategory::Few)
                | (Language::English | Language::French, PluralCategory::Other)
                | (Language::French, PluralCategory::Many) => 1,
                (_, other) => panic!("{language:?} has no {other:?}"),
            };
            for count in (0..2_000_u64).chain([1_000_000, 1_000_001, 2_000_011, u64::MAX]) {
                let expected = place(rules.category_for(count));
                assert_eq!(language.form(count), expected, "{language:?}: {count}");
            }
        }
    }
}
