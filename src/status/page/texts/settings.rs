//! The settings as a language tells them.

use super::Texts;
use crate::model::settings::{
    ALERT_SETTINGS, ENDPOINT_SETTINGS, SIGNATURE_SETTINGS, SOURCE_SETTINGS, Setting,
};

/// A setting in a language.
pub(super) struct SettingText {
    /// Its name in the table, by which it is found.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) help: &'static str,
    /// What holds where nothing is given, where that is words; else as in the table.
    pub(super) default: &'static str,
}

/// A row of a language's settings; an empty default is that of the table.
pub(super) const fn row(
    name: &'static str,
    label: &'static str,
    default: &'static str,
    help: &'static str,
) -> SettingText {
    SettingText {
        name,
        label,
        help,
        default,
    }
}

const SIGNATURES: usize = SIGNATURE_SETTINGS.len();

/// All settings in a language, each where the tables have it; those of signatures, which two tables have, once.
pub(super) struct SettingTexts {
    pub(super) signature: [SettingText; SIGNATURES],
    pub(super) endpoint: [SettingText; ENDPOINT_SETTINGS.len() - SIGNATURES],
    pub(super) source: [SettingText; SOURCE_SETTINGS.len() - SIGNATURES],
    pub(super) alert: [SettingText; ALERT_SETTINGS.len()],
}

impl Texts {
    /// The label of a setting's field.
    pub(in crate::status::page) fn label(&self, setting: &Setting) -> String {
        match (self.of_setting(setting), setting.name) {
            (Some(text), _) => text.label.to_owned(),
            (None, "url") => "URL".to_owned(),
            (None, name) => capital(&name.replace('_', " ")),
        }
    }

    /// The label of an endpoint's setting of this name, or of a fact that is no setting.
    pub(in crate::status::page) fn label_of(&self, name: &str) -> String {
        // How many there are in all, where none were given too.
        let setting = if name == "tries_max" { "tries" } else { name };
        self.label_of_name(setting)
            .unwrap_or_else(|| capital(&name.replace('_', " ")))
    }

    /// The label of the setting of this name, of whatever it is one.
    pub(super) fn label_of_name(&self, name: &str) -> Option<String> {
        let all = ENDPOINT_SETTINGS
            .iter()
            .chain(&SOURCE_SETTINGS)
            .chain(&ALERT_SETTINGS);
        let mut named = all.filter(|setting| setting.name == name);
        named.next().map(|setting| self.label(setting))
    }

    /// What a setting does.
    pub(in crate::status::page) fn help(&self, setting: &Setting) -> &'static str {
        self.of_setting(setting)
            .map_or(setting.help, |text| text.help)
    }

    /// What holds where a setting is not given.
    pub(in crate::status::page) fn default_of(&self, setting: &Setting) -> &'static str {
        match self.of_setting(setting) {
            Some(text) if !text.default.is_empty() => text.default,
            _ => setting.default,
        }
    }

    /// The heading over a group of settings.
    pub(in crate::status::page) fn heading(&self, group: &'static str) -> &'static str {
        let (t, english) = (&self.headings, &super::ENGLISH.headings);
        let all = [
            (english.events, t.events),
            (english.delivery, t.delivery),
            (english.requests, t.requests),
            (english.signature, t.signature),
            (english.generic, t.generic),
        ];
        all.into_iter()
            .find(|(english, _)| *english == group)
            .map_or(group, |(_, own)| own)
    }

    fn of_setting(&self, setting: &Setting) -> Option<&'static SettingText> {
        let texts = self.settings?;
        let tables: [(&[Setting], &'static [SettingText]); 4] = [
            (&SIGNATURE_SETTINGS, &texts.signature),
            (&ENDPOINT_SETTINGS, &texts.endpoint),
            (&SOURCE_SETTINGS, &texts.source),
            (&ALERT_SETTINGS, &texts.alert),
        ];
        // A name may mean one thing in one table, and another in another.
        let is_it = |one: &Setting| one.name == setting.name && one.help == setting.help;
        let (_, texts) = tables
            .into_iter()
            .find(|(settings, _)| settings.iter().any(is_it))?;
        texts.iter().find(|text| text.name == setting.name)
    }
}

/// A text with a capital letter at its begin.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
