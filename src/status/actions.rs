//! Performs the forms of the pages. Each returns the page to show next.

use std::time::Duration;

use super::deadline::until_deadline;
use super::page::Chosen;
use super::replaying::{field, read_chosen, read_filtered, read_named, read_pending};
use super::reply::Reply;
use super::state::AppState;
use crate::error::{Error, Result};
use crate::model::alert::NewAlert;
use crate::model::endpoint::{NewEndpoint, hold_reason};
use crate::model::id::DeliveryId;
use crate::model::name::check_name;
use crate::model::replay::ReplayTransition;
use crate::model::settings::{alert_change, endpoint_change, of_setting, source_change};
use crate::model::source::NewSource;
use crate::signature::Secret;
use crate::store::ReplayOptions;
use crate::time::{Timestamp, parse_span};

/// The name of a new object.
fn new_name(form: &[(String, String)]) -> Result<&str> {
    let name = field(form, "name");
    check_name(name).map_err(|error| of_setting("name", error))?;
    Ok(name)
}

/// A new secret, and how long the replaced one is still valid: a day where nothing was filled in.
fn new_secret(form: &[(String, String)]) -> Result<(Secret, Duration)> {
    let secret = Secret::new(field(form, "secret"))?;
    let overlap = match field(form, "overlap") {
        "" => "24h",
        overlap => overlap,
    };
    Ok((secret, parse_span(overlap)?))
}

/// Performs what the form at a path asks for.
pub(super) fn post(app: &AppState, path: &str, form: &[(String, String)]) -> Result<Reply> {
    let (store, now) = (&app.store, app.clock.now());
    let box_id = store.box_id();
    let field = |name: &str| field(form, name);
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let next = match parts.as_slice() {
        ["deliveries", id, "replay"] => {
            let id = box_id.parse_delivery(id)?;
            let made = store.replay(vec![id], ReplayOptions::default(), now)?;
            let shown = made.first().copied().unwrap_or(id);
            format!("/deliveries/{}", box_id.delivery(shown))
        }
        ["deliveries", "cancel"] => {
            let (chosen, selection) = read_pending(store, form, now)?;
            let up_to = field("up_to").parse();
            let up_to = up_to.map_err(|_| Error::misuse("up_to is no number"))?;
            let go_on = until_deadline(app.clock.as_ref());
            let done = store.cancel_pending(&selection, Some(DeliveryId(up_to)), now, go_on)?;
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(chosen)
                .finish();
            if !done.is_whole {
                // Time ran out: the rest is shown, to be cancelled too.
                return Ok(Reply::see_other(format!("/deliveries/cancel?{query}")));
            }
            return Ok(Reply::see_other(format!(
                "/deliveries?state=cancelled&{query}&done=called-off"
            )));
        }
        ["deliveries", id, "cancel"] => {
            let id = box_id.parse_delivery(id)?;
            store.cancel(id, now)?;
            format!("/deliveries/{}", box_id.delivery(id))
        }
        ["events", id, "send"] => {
            let to = field("to").parse()?;
            let options = ReplayOptions {
                to: Some(to),
                ..ReplayOptions::default()
            };
            let made = store.replay(store.originals(&[id], true)?, options, now)?;
            let shown = made.first().map(|id| box_id.delivery(*id));
            format!("/deliveries/{}", shown.unwrap_or_default())
        }
        ["replays"] | ["replays", "chosen"] => replay(app, form)?,
        ["replays", id, verb @ ("pause" | "resume" | "cancel")] => {
            let change = match *verb {
                "pause" => ReplayTransition::Pause,
                "resume" => ReplayTransition::Resume,
                _ => ReplayTransition::Cancel,
            };
            let id = box_id.parse_replay(id)?;
            store.move_replay(id, change, now)?;
            format!("/replays/{}", box_id.replay(id))
        }
        ["endpoints"] => {
            let name = new_name(form)?;
            let url = field("url").parse();
            let url = url.map_err(|error| of_setting("url", error))?;
            let mut endpoint = NewEndpoint::new(name, url);
            endpoint_change(&given(form, &["name"]))?.make(&mut endpoint)?;
            store.add_endpoint(endpoint, now)?;
            if field("then") == "test" {
                let made = store.test_endpoint(field("name"), now)?;
                let shown = box_id.delivery(made);
                return Ok(Reply::see_other(format!("/deliveries/{shown}?done=test")));
            }
            format!("/endpoints/{}", field("name"))
        }
        ["endpoints", "hold"] => {
            let pattern = field("pattern").parse()?;
            store.hold_endpoints(&pattern, why_held(form)?, now)?;
            "/endpoints".to_owned()
        }
        ["endpoints", "resume"] => {
            store.resume_endpoints(&field("pattern").parse()?)?;
            "/endpoints".to_owned()
        }
        ["endpoints", name, verb] => endpoint(app, name, verb, form, field)?,
        ["sources"] => {
            let mut source = NewSource::of(new_name(form)?, field("kind").parse()?);
            source_change(&given(form, &["name", "kind"]))?.make(&mut source)?;
            store.add_source(source, now)?;
            format!("/sources/{}", field("name"))
        }
        ["alerts"] => {
            let mut alert = NewAlert::new(new_name(form)?);
            alert_change(&given(form, &["name"]))?.make(&mut alert)?;
            store.add_alert(alert, now)?;
            "/alerts".to_owned()
        }
        ["alerts", name, "set"] => {
            let change = alert_change(&some_given(form)?)?;
            store.set_alert(name, move |alert| change.make(alert), now)?;
            "/alerts".to_owned()
        }
        ["alerts", name, "remove"] => {
            check_sure(form)?;
            store.remove_alert(name)?;
            "/alerts".to_owned()
        }
        ["sources", name, "set"] => {
            let change = source_change(&some_given(form)?)?;
            store.set_source(name, move |source| change.make(source), now)?;
            format!("/sources/{name}")
        }
        ["sources", name, "rotate-secret"] => {
            let (secret, overlap) = new_secret(form)?;
            store.rotate_source_secret(name, secret, overlap, now)?;
            format!("/sources/{name}")
        }
        ["sources", name, "remove"] => {
            check_sure(form)?;
            store.remove_source(name, now)?;
            "/sources".to_owned()
        }
        _ => return Err(Error::not_found(format!("no form at {path}"))),
    };
    // The page says what was done; a form that stands elsewhere too leads back to where it was sent from.
    let action = match parts.as_slice() {
        ["replays"] => "start",
        ["replays", _, "resume"] => "go-on",
        [_] | ["endpoints", _, "copy"] => "add",
        [.., action] => action,
        [] => "",
    };
    let next = match field("back") {
        "/" => "/",
        _ => next.as_str(),
    };
    Ok(Reply::see_other(format!("{next}?done={action}")))
}

/// Replays the deliveries that the form chooses.
fn replay(app: &AppState, form: &[(String, String)]) -> Result<String> {
    let (store, now) = (&app.store, app.clock.now());
    match read_chosen(store, form, now)? {
        Chosen::Named(named, edit) => {
            // What is wrong with the body is said before anything else.
            let options = read_named(edit.as_ref(), form)?;
            // Where one goes stands in the form beside it.
            if named.len() != 1 {
                check_looked_at(form)?;
            }
            let made = store.replay(named, options, now)?;
            Ok(match made.as_slice() {
                [one] => format!("/deliveries/{}", store.box_id().delivery(*one)),
                _ => "/deliveries".to_owned(),
            })
        }
        Chosen::Filtered(kind, selection) => {
            check_looked_at(form)?;
            if selection.is_empty() {
                return Err(Error::misuse(
                    "choose deliveries first: by a filter, or by ticking them",
                ));
            }
            let asked = read_filtered(kind, &selection, form)?;
            let go_on = until_deadline(app.clock.as_ref());
            let preview = store.preview_replay(&asked, go_on)?;
            let id = store.start_replay(asked, &preview, now)?;
            Ok(format!("/replays/{}", store.box_id().replay(id)))
        }
    }
}

/// Checks that it goes where the preview that the form stands below said.
fn check_looked_at(form: &[(String, String)]) -> Result<()> {
    let looked = form.iter().find(|(name, _)| name == "looked");
    match looked {
        Some((_, looked)) if looked.trim() != field(form, "to") => Err(Error::misuse(
            "that goes elsewhere than what was looked at; this is what would be sent now",
        )),
        _ => Ok(()),
    }
}

fn endpoint<'f>(
    app: &AppState,
    name: &str,
    verb: &str,
    form: &[(String, String)],
    field: impl Fn(&str) -> &'f str,
) -> Result<String> {
    let (store, now) = (&app.store, app.clock.now());
    match verb {
        "hold" => {
            store.hold_endpoint(name, why_held(form)?, now)?;
        }
        "resume" => {
            let before = field("drop_before").trim();
            if !before.is_empty() {
                store.drop_before(name, Timestamp::parse(before, now)?, now)?;
            }
            store.resume_endpoint(name)?;
        }
        "try" => {
            store.try_endpoint(name, now)?;
        }
        "test" => {
            let made = store.test_endpoint(name, now)?;
            return Ok(format!("/deliveries/{}", store.box_id().delivery(made)));
        }
        "set" => {
            let change = endpoint_change(&some_given(form)?)?;
            store.set_endpoint(name, move |endpoint| change.make(endpoint), now)?;
        }
        "copy" => {
            let change = endpoint_change(&given(form, &["name"]))?;
            let made = new_name(form)?;
            store.copy_endpoint(name, made, |copy| change.make(copy), now)?;
            return Ok(format!("/endpoints/{made}"));
        }
        "rotate-secret" => {
            let (secret, overlap) = new_secret(form)?;
            store.rotate_endpoint_secret(name, secret, overlap, now)?;
        }
        "remove" => {
            check_sure(form)?;
            store.remove_endpoint(name, field("cancel_pending") == "true", now)?;
            return Ok("/endpoints".to_owned());
        }
        _ => {
            return Err(Error::not_found(format!(
                "an endpoint has no form `{verb}`"
            )));
        }
    }
    Ok(format!("/endpoints/{name}"))
}

/// Returns the settings of a form: of a field that came with what it was, only if it is something else now; of
/// others what is filled in, where a dash restores the default.
fn given(form: &[(String, String)], but_for: &[&str]) -> Vec<(String, String)> {
    const WAS: &str = "was:";
    // White space may be part of a value, but browsers have their own ends of lines (HTML, "newlines").
    let plain = |value: &str| value.replace("\r\n", "\n");
    let value_of = |name: &str| {
        let found = form.iter().find(|(held, _)| held == name);
        found.map(|(_, value)| plain(value)).unwrap_or_default()
    };
    let mut found = Vec::new();
    for (name, value) in form {
        let is_other = matches!(name.as_str(), "token" | "back" | "then");
        if let Some(setting) = name.strip_prefix(WAS) {
            // Credentials have a part that is not shown: both are given together.
            let is_with_secret = setting == "auth" && !value_of("auth_secret").trim().is_empty();
            let now = value_of(setting);
            if now != plain(value) || is_with_secret {
                found.push((setting.to_owned(), now));
            }
        } else if !is_other
            && !but_for.contains(&name.as_str())
            && !value.trim().is_empty()
            && !form
                .iter()
                .any(|(was, _)| was.strip_prefix(WAS) == Some(name))
        {
            let value = if value.trim() == "-" { "" } else { value };
            found.push((name.clone(), plain(value)));
        }
    }
    found
}

/// Returns the reason of a hold.
fn why_held(form: &[(String, String)]) -> Result<&str> {
    hold_reason(match field(form, "reason") {
        "" => "held on the status page",
        reason => reason,
    })
}

/// Checks that the user confirmed a removal, which cannot be undone.
fn check_sure(form: &[(String, String)]) -> Result<()> {
    if field(form, "sure") == "true" {
        return Ok(());
    }
    Err(Error::misuse("tick that you are sure"))
}

fn some_given(form: &[(String, String)]) -> Result<Vec<(String, String)>> {
    let changes = given(form, &[]);
    if changes.is_empty() {
        return Err(Error::misuse("nothing to change was filled in"));
    }
    Ok(changes)
}
