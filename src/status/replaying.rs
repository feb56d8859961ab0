//! Replays requested by forms: which deliveries, to whom, with which body.

use super::body::shown;
use super::page::{Chosen, Edit, indented_text};
use crate::error::{Error, Result};
use crate::model::rate::Rates;
use crate::model::replay::{NewReplay, ReplayKind, Target};
use crate::model::settings::{Listing, Selection};
use crate::store::{Original, ReplayOptions, Store};
use crate::time::Timestamp;

/// Longest body that can be edited on a page, in bytes: as a form it becomes at most six times as long.
const EDITED_BYTES_MAX: usize = 64 * 1024;

/// Fields of a form or of a URL's query.
pub(super) type Fields = [(String, String)];

/// Returns the value of the first field of this name.
pub(super) fn field<'f>(fields: &'f Fields, name: &str) -> &'f str {
    let found = fields.iter().find(|(held, _)| held == name);
    found.map(|(_, value)| value.trim()).unwrap_or_default()
}

/// Returns the deliveries that a form chooses: those given by id, or else those of its filter.
pub(super) fn read_chosen(store: &Store, fields: &Fields, now: Timestamp) -> Result<Chosen> {
    let ids = fields.iter().filter(|(name, _)| name == "id");
    let ids: Vec<&String> = ids.map(|(_, id)| id).collect();
    if !ids.is_empty() {
        // Where an event goes is filled in below.
        let mut named = store.originals(&ids, true)?;
        named.sort();
        named.dedup();
        let edit = edit_of(store, &named)?;
        return Ok(Chosen::Named(named, edit));
    }
    let kind = match field(fields, "kind") {
        "" => ReplayKind::Replay,
        kind => kind.parse()?,
    };
    // The other fields say how to send, or belong to the list or the form itself. A condition of the list
    // alone is an error: without it other deliveries would be chosen than were shown.
    let conditions = fields
        .iter()
        .filter(|(name, _)| Listing::Deliveries.knows(name) || Listing::Replay.knows(name));
    let conditions: Vec<(String, String)> = conditions.cloned().collect();
    let selection = Selection::read(Listing::Replay, &conditions, store.box_id(), now)?;
    Ok(Chosen::Filtered(kind, selection))
}

/// Returns the conditions that choose pending deliveries, and what they mean.
pub(super) fn read_pending(
    store: &Store,
    fields: &Fields,
    now: Timestamp,
) -> Result<(Vec<(String, String)>, Selection)> {
    let conditions = fields.iter().filter(|(name, value)| {
        // A list has the state as well, which is that of all that can be cancelled.
        Listing::Deliveries.knows(name) && name != "state" && !value.trim().is_empty()
    });
    let conditions: Vec<(String, String)> = conditions.cloned().collect();
    let selection = Selection::read(Listing::Pending, &conditions, store.box_id(), now)?;
    Ok((conditions, selection))
}

/// Reads how the deliveries of a filter are to be replayed.
pub(super) fn read_filtered(
    kind: ReplayKind,
    selection: &Selection,
    fields: &Fields,
) -> Result<NewReplay> {
    let rate = Some(field(fields, "rate")).filter(|rate| !rate.is_empty());
    let up_to = Some(field(fields, "up_to")).filter(|up_to| !up_to.is_empty());
    let number = up_to.map(|text| {
        let number = text.parse();
        number.map_err(|_| Error::misuse("up_to is no number"))
    });
    Ok(NewReplay {
        kind,
        selection: selection.clone(),
        to: target(fields)?,
        has_new_ids: field(fields, "new_id") == "true",
        rate: rate.map(str::parse::<Rates>).transpose()?,
        up_to: number.transpose()?,
        asked_by: "status page".to_owned(),
    })
}

/// Reads how what is given by id is to be replayed.
pub(super) fn read_named(edit: Option<&Edit>, fields: &Fields) -> Result<ReplayOptions> {
    Ok(ReplayOptions {
        to: target(fields)?,
        has_new_ids: field(fields, "new_id") == "true",
        edited_body: edited_body(edit, fields)?,
    })
}

/// Reads the target of the replay: an endpoint's name or a URL.
fn target(fields: &Fields) -> Result<Option<Target>> {
    match field(fields, "to") {
        "" => Ok(None),
        to => to.parse().map(Some),
    }
}

/// Returns how the body of the event that is named can be edited; `None` if there are several events.
fn edit_of(store: &Store, named: &[Original]) -> Result<Option<Edit>> {
    let events = store.events_of_originals(named)?;
    let (Some(id), 1) = (events.first(), events.len()) else {
        return Ok(None);
    };
    let body = store.event_body(*id)?;
    if *shown(&store.event(*id)?, &body) != *body {
        return Ok(Some(Edit::Secret));
    }
    let text = String::from_utf8(body).ok().filter(|text| {
        let odd = |c: char| c.is_control() && !"\n\r\t".contains(c);
        text.len() <= EDITED_BYTES_MAX && !text.contains(odd) && has_one_line_end(text)
    });
    let text = text.map(|text| match text.trim_end().contains('\n') {
        true => text,
        false => match indented_text(&text, EDITED_BYTES_MAX) {
            Some(indented) => indented + &text[text.trim_end().len()..],
            None => text,
        },
    });
    Ok(Some(text.map_or(Edit::Not, Edit::Text)))
}

/// Whether all lines end in the same way: a browser sends them so.
fn has_one_line_end(text: &str) -> bool {
    let both = text.matches("\r\n").count();
    let (returns, feeds) = (text.matches('\r').count(), text.matches('\n').count());
    returns == both && (both == 0 || feeds == both)
}

/// Returns the body from the form, if it differs from what stood in it.
fn edited_body(edit: Option<&Edit>, fields: &Fields) -> Result<Option<Vec<u8>>> {
    // Not trimmed: white space is part of the body.
    let Some((_, typed)) = fields.iter().find(|(name, _)| name == "body") else {
        return Ok(None);
    };
    let Some(Edit::Text(held)) = edit else {
        return Err(Error::misuse(
            "this body cannot be changed here; use: hookbox replay ID --edit FILE",
        ));
    };
    if typed.len() > 2 * EDITED_BYTES_MAX {
        return Err(Error::misuse(format!(
            "the body is {} bytes, limit of what is changed here is {}; use: hookbox replay ID --edit FILE",
            typed.len(),
            2 * EDITED_BYTES_MAX
        )));
    }
    // A browser ends every line with CR LF (HTML, form submission).
    let typed = if held.contains('\r') {
        typed.clone()
    } else {
        typed.replace("\r\n", "\n")
    };
    if typed == *held {
        return Ok(None);
    }
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text);
    if field(fields, "any_body") != "true"
        && is_json(held).is_ok()
        && let Err(error) = is_json(&typed)
    {
        return Err(Error::misuse(format!(
            "the body is no JSON any more: {error}; mend it, or tick that it is to be sent all the same"
        )));
    }
    Ok(Some(typed.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_whose_lines_end_alike_comes_back_as_it_was() {
        for text in ["", "a", "a\nb\n", "a\r\nb\r\n"] {
            assert!(has_one_line_end(text), "{text:?}");
        }
        for text in ["a\rb", "a\r\nb\n", "\n\r"] {
            assert!(!has_one_line_end(text), "{text:?}");
        }
    }

    #[test]
    fn a_replay_goes_to_an_endpoint_or_to_a_url() {
        let fields = |to: &str| target(&[("to".to_owned(), to.to_owned())]);
        assert_eq!(fields(" ").unwrap(), None);
        assert_eq!(
            fields("ci").unwrap(),
            Some(Target::Endpoint("ci".to_owned()))
        );
        let url = fields(" https://test.example.org/hook").unwrap();
        assert!(matches!(url, Some(Target::Url(_))));
        assert!(fields("ftp://test.example.org/").is_err());
    }
}
