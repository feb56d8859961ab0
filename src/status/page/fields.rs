//! Form fields; after a form was refused they keep what was filled in.

use maud::{Markup, html};

use super::context::PageContext;
use crate::model::settings::{Kind, Setting};

/// Makes a form, with the token that proves that a page of this server sent it.
pub(super) fn form(context: &PageContext<'_>, action: &str, fields: &Markup) -> Markup {
    html! {
        form.settings method="post" action=(action) {
            input type="hidden" name="token" value=(context.token);
            (fields)
        }
    }
}

/// Makes the field for the name of a new object.
pub(super) fn name(context: &PageContext<'_>, action: &str, example: &str) -> Markup {
    let typed = context.typed(action, "name");
    html! {
        label {
            span { (context.texts.words.name) }
            input name="name" required autocomplete="off" placeholder=(example) value=[typed];
        }
    }
}

/// Makes a choice among words; `none` is the label of the empty choice, if there is one.
pub(super) fn choice(
    label: &str,
    name: &str,
    none: Option<&str>,
    options: &[&str],
    chosen: &str,
) -> Markup {
    // The query may still name an endpoint or source that was removed.
    let foreign = !chosen.is_empty() && !options.contains(&chosen);
    html! {
        label {
            span { (label) }
            select name=(name) {
                @if let Some(none) = none { option value="" { (none) } }
                @for option in options {
                    option value=(option) selected[*option == chosen] { (option) }
                }
                @if foreign { option value=(chosen) selected { (chosen) } }
            }
        }
    }
}

/// Makes a field for a password or a token.
fn secret(label: &str, name: &str) -> Markup {
    html! {
        label {
            span { (label) }
            input type="password" name=(name) required autocomplete="new-password";
        }
    }
}

/// Makes the forms that change an object: its settings with their current values (`held`), its secret, and
/// its removal.
pub(super) fn changes(
    context: &PageContext<'_>,
    thing: &str,
    settings: &[Setting],
    held: impl Fn(&str) -> Option<String>,
    new_secret: &str,
    before_removal: &Markup,
) -> Markup {
    let words = &context.texts.words;
    let path = |verb: &str| format!("{thing}/{verb}");
    let (set, rotate, remove) = (path("set"), path("rotate-secret"), path("remove"));
    let is_open = [&set, &rotate, &remove].map(|action| context.is_returned(action));
    let fields = html! {
        @for one in settings { (setting(context, &set, one, false, held(one.name).as_deref())) }
        p.dim { (words.stays) }
        button type="submit" { (words.save) }
    };
    let rotation = html! {
        (secret(new_secret, "secret"))
        button.quiet type="submit" { (words.replace_secret) }
    };
    let removal = html! {
        (before_removal)
        (sure(context))
        button.quiet type="submit" { (words.remove) }
    };
    html! {
        details.change open[is_open.contains(&true)] {
            summary { (words.change) }
            (form(context, &set, &fields))
            (form(context, &rotate, &rotation))
            (form(context, &remove, &removal))
        }
    }
}

/// Makes the checkbox that must be ticked before something is removed.
fn sure(context: &PageContext<'_>) -> Markup {
    html! {
        label.check {
            input type="checkbox" name="sure" value="true" required;
            span { (context.texts.words.sure) }
        }
    }
}

/// Makes the fields for settings; the required ones are shown, the others are folded.
pub(super) fn settings(
    context: &PageContext<'_>,
    action: &str,
    settings: &[Setting],
    required: &[&str],
) -> Markup {
    let (first, others): (Vec<&Setting>, Vec<&Setting>) = settings
        .iter()
        .partition(|setting| required.contains(&setting.name));
    html! {
        @for one in first { (setting(context, action, one, true, None)) }
        @if !others.is_empty() {
            details open[context.is_returned(action)] {
                summary { (context.texts.words.settings) }
                div.settings {
                    @for one in others { (setting(context, action, one, false, None)) }
                }
            }
        }
    }
}

/// Makes a field for a setting; its current value is shown if nothing is filled in.
fn setting(
    context: &PageContext<'_>,
    action: &str,
    setting: &Setting,
    is_required: bool,
    held: Option<&str>,
) -> Markup {
    let typed = context.typed(action, setting.name);
    // A secret must be typed again after a refused form. Without it the object would be saved without its
    // secret.
    let is_lost = setting.is_secret && typed.is_some_and(|typed| !typed.trim().is_empty());
    let is_required = is_required || is_lost;
    let is_long = matches!(setting.kind, Kind::File | Kind::Lines);
    // A secret must not be shown, so it is not sent back either.
    let typed = typed.filter(|_| !setting.is_secret);
    html! {
        label {
            span { (capital(&setting.name.replace('_', " "))) }
            @if is_long {
                textarea name=(setting.name) rows="2" required[is_required] autocomplete="off" placeholder=[held] { "\n" (typed.unwrap_or_default()) }
            } @else if setting.kind == Kind::Flag {
                select name=(setting.name) {
                    option value="" { (held.unwrap_or("false")) }
                    @for option in ["true", "false"] {
                        option value=(option) selected[typed == Some(option)] { (option) }
                    }
                }
            } @else if setting.is_secret {
                input type="password" name=(setting.name) required[is_required] placeholder=[held] autocomplete="new-password";
            } @else {
                input name=(setting.name) required[is_required] placeholder=[held] value=[typed] autocomplete="off";
            }
            @if is_lost { strong.again { (context.texts.words.type_again) } }
            small { (setting.described()) }
        }
    }
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
