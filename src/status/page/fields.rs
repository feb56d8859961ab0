//! Form fields; after a form was refused they keep what was filled in.

use maud::{Markup, html};

use super::context::PageContext;
use crate::model::settings::{FORMATS, Kind, Setting};

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
    let problem = context.problem_of(action, "name");
    let told = format!("{action}/name/problem");
    let (is_wrong, told_by) = (problem.is_some(), problem.map(|_| told.as_str()));
    html! {
        label {
            span { (context.texts.words.name) }
            input name="name" required placeholder=(example) value=[typed] autofocus[is_wrong] aria-invalid[is_wrong] aria-describedby=[told_by];
            @if let Some(problem) = problem { strong.again id=(told) { (context.problem(problem)) } }
        }
    }
}

/// A word that is its own label.
pub(super) fn same(word: &str) -> (&str, &str) {
    (word, word)
}

/// Makes a choice among words, each with its label; `none` is the label of the empty choice, if there is one.
pub(super) fn choice(
    label: &str,
    name: &str,
    none: Option<&str>,
    options: &[(&str, &str)],
    chosen: &str,
) -> Markup {
    // The query may still name an endpoint or source that was removed.
    let foreign = !chosen.is_empty() && !options.iter().any(|(word, _)| *word == chosen);
    html! {
        label {
            span { (label) }
            select name=(name) {
                @if let Some(none) = none { option value="" { (none) } }
                @for (word, label) in options {
                    option value=(word) selected[*word == chosen] { (label) }
                }
                @if foreign { option value=(chosen) selected { (chosen) } }
            }
        }
    }
}

/// Makes a field for a secret that takes the place of another one.
fn secret(context: &PageContext<'_>, id: &str, new: &NewSecret<'_>) -> Markup {
    html! {
        div.field {
            label for=(id) { (new.label) }
            input id=(id) type="password" name="secret" required autocomplete="new-password";
            (draw(context, id, Some(new)))
        }
    }
}

/// A secret that takes the place of another one.
pub(super) struct NewSecret<'s> {
    pub(super) label: &'s str,
    /// What is signed with it: an endpoint's scheme, or a source's kind.
    pub(super) scheme: &'s str,
    /// Whether it is for us to draw: an endpoint's own signature.
    pub(super) is_ours: bool,
}

/// Makes the button that draws a secret into a field: shown by the script, which does it. What it is for may be
/// chosen in the same form.
fn draw(context: &PageContext<'_>, id: &str, new: Option<&NewSecret<'_>>) -> Markup {
    let scheme = new.map(|new| new.scheme);
    let unfolds = new.is_some_and(|new| new.is_ours);
    html! { button.quiet.small type="button" data-draw=(id) data-scheme=[scheme] data-unfolds[unfolds] hidden { (context.texts.words.draw) } }
}

/// Makes the forms that change an object: its settings with their current values (`held`), its secret, and its
/// removal.
pub(super) fn changes(
    context: &PageContext<'_>,
    thing: &str,
    settings: &[Setting],
    held: impl Fn(&Setting) -> Option<Held>,
    new_secret: Option<&NewSecret<'_>>,
    before_removal: &Markup,
) -> Markup {
    let words = &context.texts.words;
    let path = |verb: &str| format!("{thing}/{verb}");
    let (set, rotate, remove) = (path("set"), path("rotate-secret"), path("remove"));
    let is_open = [&set, &rotate, &remove].map(|action| context.is_returned(action));
    let fields = html! {
        (groups(context, &set, &settings.iter().collect::<Vec<_>>(), |one| setting(context, &set, one, false, held(one).as_ref())))
        p.dim { (words.stays) }
        button type="submit" { (words.save) }
    };
    let rotation = new_secret.map(|new| {
        html! {
            (secret(context, &format!("{rotate}/secret"), new))
            label {
                span { (words.overlap) }
                input name="overlap" placeholder="24h" autocomplete="off" value=[context.typed(&rotate, "overlap")];
            }
            button.quiet type="submit" { (words.replace_secret) }
        }
    });
    let removal = html! {
        (before_removal)
        (sure(context))
        button.quiet type="submit" { (words.remove) }
    };
    let [is_set, is_rotated, is_removed] = is_open;
    let fold = |is_open: bool, summary: &str, action: &str, fields: &Markup| {
        html! {
            details.change open[is_open] {
                summary { (summary) }
                (form(context, action, fields))
            }
        }
    };
    html! {
        (fold(is_set, words.change, &set, &fields))
        @if let Some(rotation) = &rotation { (fold(is_rotated, words.replace_secret, &rotate, rotation)) }
        (fold(is_removed, words.remove, &remove, &removal))
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

/// Makes the fields for the settings of a new object: the first ones, of which one may be required, are shown,
/// the others are folded, by their groups.
pub(super) fn settings(
    context: &PageContext<'_>,
    action: &str,
    settings: &[Setting],
    first: &[&str],
    required: Option<&str>,
) -> Markup {
    let (first, others): (Vec<&Setting>, Vec<&Setting>) = settings
        .iter()
        .partition(|setting| first.contains(&setting.name));
    html! {
        @for one in first { (setting(context, action, one, required == Some(one.name), None)) }
        @if !others.is_empty() {
            details open[context.is_returned(action)] {
                summary { (context.texts.words.settings) }
                (groups(context, action, &others, |one| setting(context, action, one, false, None)))
            }
        }
    }
}

/// Puts settings under the headings that they have in the help of the command line, folded unless something was
/// filled in there.
fn groups(
    context: &PageContext<'_>,
    action: &str,
    settings: &[&Setting],
    show: impl Fn(&Setting) -> Markup,
) -> Markup {
    let is_filled = |one: &&Setting| {
        let typed = context.typed(action, one.name);
        typed.is_some_and(|typed| {
            !matches!(typed.trim(), "" | "false") && typed.trim() != one.default
        })
    };
    html! {
        @for group in settings.chunk_by(|a, b| a.group == b.group) {
            @let heading = group[0].group;
            @if heading.is_empty() {
                div.settings { @for one in group { (show(one)) } }
            } @else {
                details.group open[group.iter().any(is_filled)] {
                    summary { (context.texts.heading(heading)) }
                    div.settings { @for one in group { (show(one)) } }
                }
            }
        }
    }
}

/// What a setting is now.
pub(super) enum Held {
    /// This text, which stands in its field.
    Text(String),
    /// Something that is not shown, or not to be changed where it stands; this is said of it.
    Kept(String),
}

/// Makes a field for a setting. A field that holds what is there has it a second time, hidden, so that only what
/// was changed is saved.
fn setting(
    context: &PageContext<'_>,
    action: &str,
    setting: &Setting,
    is_required: bool,
    held: Option<&Held>,
) -> Markup {
    let typed = context.typed(action, setting.name);
    // A secret must be typed again after a refused form. Without it the object would be saved without its
    // secret.
    let is_lost = setting.is_secret && typed.is_some_and(|typed| !typed.trim().is_empty());
    let is_required = is_required || is_lost;
    // A secret must not be shown, so it is not sent back either.
    let typed = typed.filter(|_| !setting.is_secret);
    let (held, hint) = match held {
        Some(Held::Text(text)) => (Some(text.as_str()), None),
        Some(Held::Kept(text)) => (None, Some(text.as_str())),
        None => (None, None),
    };
    // A form that was refused is as it was sent: somebody else may have changed something since.
    let was = match context.is_returned(action) {
        true => context.typed(action, &format!("was:{}", setting.name)),
        false => held,
    };
    let value = match context.is_returned(action) {
        true => typed,
        false => was,
    };
    let value = value.unwrap_or_default();
    let is_long = matches!(setting.kind, Kind::File | Kind::Lines) || value.contains('\n');
    let problem = context.problem_of(action, setting.name);
    let (id, told) = (
        format!("{action}/{}", setting.name),
        format!("{action}/{}/problem", setting.name),
    );
    let is_wrong = problem.is_some();
    let told_by = is_wrong.then_some(told.as_str());
    let texts = context.texts;
    let (label, default) = (texts.label(setting), texts.default_of(setting));
    let words: Option<&[&str]> = match setting.kind {
        Kind::Choice(words) => Some(words),
        Kind::Format => Some(&FORMATS),
        _ => None,
    };
    html! {
        div.field {
            @if let Some(was) = was { input type="hidden" name={ "was:" (setting.name) } value=(was); }
            @if setting.kind == Kind::Flag {
                label.check for=(id) {
                    input id=(id) type="checkbox" name=(setting.name) value="true" checked[value == "true"] autofocus[is_wrong] aria-invalid[is_wrong] aria-describedby=[told_by];
                    span { (label) }
                }
            } @else {
                label for=(id) { (label) }
                @match (setting.kind, words) {
                    (_, Some(words)) => select id=(id) name=(setting.name) autofocus[is_wrong] aria-invalid[is_wrong] aria-describedby=[told_by] {
                        @let usual = words.contains(&setting.default);
                        @if !usual { option value="" { (if default.is_empty() { texts.words.dash } else { default }) } }
                        @for word in words { option value=(word) selected[*word == value || value.is_empty() && *word == setting.default] { (word) } }
                        @if !value.is_empty() && !words.contains(&value) { option value=(value) selected { (value) } }
                    },
                    _ if is_long => textarea id=(id) name=(setting.name) rows="2" required[is_required] autocomplete="off" placeholder=[hint] autofocus[is_wrong] aria-invalid[is_wrong] aria-describedby=[told_by] { "\n" (value) },
                    _ if setting.is_secret => {
                        input id=(id) type="password" name=(setting.name) required[is_required] placeholder=[hint] autocomplete="new-password" autofocus[is_wrong] aria-invalid[is_wrong] aria-describedby=[told_by];
                        @if setting.name == "secret" { (draw(context, &id, None)) }
                    },
                    _ => input id=(id) name=(setting.name) required[is_required] value=(value) placeholder=(hint.unwrap_or(default)) autocomplete=[held.map(|_| "off")] autofocus[is_wrong] aria-invalid[is_wrong] aria-describedby=[told_by];,
                }
            }
            @if let Some(problem) = problem { strong.again id=(told) { (context.problem(problem)) } }
            @if is_lost { strong.again { (context.texts.words.type_again) } }
            small { (texts.help(setting)) }
        }
    }
}
