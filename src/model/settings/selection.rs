//! Which rows of the history are listed or replayed: each condition with its help, and their one parser.
//!
//! Pages, API and command line all give (name, text) pairs. An empty text is a condition that is not given,
//! but for a replay, which must not send more than was meant.
//! Whether an endpoint, a source or an event exists is checked by the store, when it looks for the rows.

use std::fmt;

use serde_json::Value;

use super::Pairs;
use super::definitions::{Kind, Setting, row};
use crate::error::{Error, Result};
use crate::model::delivery::State;
use crate::model::id::{BoxId, EventId, ReplayId};
use crate::time::Timestamp;

/// Which events, deliveries or outages are meant. An empty selection means all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// In this state; dead and cancelled ones only if they are not superseded.
    pub state: Option<State>,
    /// Only superseded ones.
    pub is_superseded: bool,
    /// Made for this bulk replay.
    pub replay: Option<ReplayId>,
    /// To this endpoint; removed endpoints with this name count too. For a recover or a backfill: the
    /// endpoint that gets them.
    pub endpoint: Option<String>,
    /// Of events of this source.
    pub source: Option<String>,
    /// Of events of this type.
    pub event_type: Option<String>,
    /// Of this event.
    pub event: Option<EventId>,
    /// Made (events, and for a backfill: received) at or after this time.
    pub since: Option<Timestamp>,
    /// Made (events, and for a backfill: received) before this time.
    pub until: Option<Timestamp>,
    /// With this text in the event's body; the case of ASCII letters is ignored.
    pub text: Option<String>,
    /// Of lower row ids than this one: that of the last row of the previous page.
    pub before: Option<i64>,
    /// Of this row id or higher ones.
    pub from: Option<i64>,
}

/// What rows are selected for; each has its own conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// Events.
    Events,
    /// Events with a text in the body.
    Bodies,
    /// Deliveries.
    Deliveries,
    /// Pending deliveries that are to be cancelled.
    Pending,
    /// Outages.
    Outages,
    /// The feed.
    Feed,
    /// A bulk replay.
    Replay,
}

// A table is read by its rows: two lines each, whatever their length.
#[rustfmt::skip]
mod conditions {
    use super::{Kind::{Choice, Flag, Text}, Setting, row};

    pub(super) const STATE: Setting = row(Choice(&["pending", "delivered", "dead", "cancelled"]), "", "state", "STATE", "",
        "Only in this state: pending, delivered, dead or cancelled; the last two as far as no replay got through in their place");
    pub(super) const SUPERSEDED: Setting = row(Flag, "", "superseded", "BOOL", "",
        "Only dead and cancelled ones in whose place a replay got through");
    pub(super) const REPLAY: Setting = row(Text, "", "replay", "ID", "",
        "Only of this bulk replay");
    pub(super) const ENDPOINT: Setting = row(Text, "", "endpoint", "NAME", "",
        "Only of this endpoint");
    pub(super) const SOURCE: Setting = row(Text, "", "source", "NAME", "",
        "Only of this source");
    pub(super) const TYPE: Setting = row(Text, "", "type", "TYPE", "",
        "Only of events of this type");
    pub(super) const EVENT: Setting = row(Text, "", "event", "ID", "",
        "Only of this event");
    pub(super) const SINCE: Setting = row(Text, "", "since", "TIME", "",
        "Only what was made since then: an age (2h, 7d), a local day or time (2026-11-28, '2026-11-28 10:00', yesterday, tuesday), or RFC 3339");
    pub(super) const UNTIL: Setting = row(Text, "", "until", "TIME", "",
        "Only what was made before then");
    pub(super) const TEXT: Setting = row(Text, "", "text", "TEXT", "",
        "Only with this text in the event's body, in upper or lower case");
}

impl Listing {
    /// The conditions that there are.
    pub const fn conditions(self) -> &'static [Setting] {
        use conditions::{
            ENDPOINT, EVENT, REPLAY, SINCE, SOURCE, STATE, SUPERSEDED, TEXT, TYPE, UNTIL,
        };
        match self {
            Listing::Events => &[SOURCE, TYPE, SINCE, UNTIL],
            Listing::Bodies => &[SOURCE, TYPE, SINCE, UNTIL, TEXT],
            Listing::Deliveries => &[
                STATE, SUPERSEDED, REPLAY, ENDPOINT, SOURCE, TYPE, EVENT, SINCE, UNTIL,
            ],
            Listing::Pending => &[REPLAY, ENDPOINT, SOURCE, TYPE, EVENT, SINCE, UNTIL],
            Listing::Outages => &[ENDPOINT],
            Listing::Feed => &[ENDPOINT, SOURCE],
            Listing::Replay => &[STATE, ENDPOINT, SOURCE, TYPE, SINCE, UNTIL, TEXT],
        }
    }

    /// Whether there is a condition of this name.
    pub fn knows(self, name: &str) -> bool {
        let mut known = self.conditions().iter();
        known.any(|condition| condition.name == name)
    }

    fn check(self, name: &str) -> Result<()> {
        if self.knows(name) {
            return Ok(());
        }
        let what = match self {
            Listing::Events | Listing::Bodies => "events cannot be listed",
            Listing::Deliveries => "deliveries cannot be listed",
            Listing::Outages => "outages cannot be listed",
            Listing::Feed => "what happens cannot be listed",
            Listing::Replay | Listing::Pending => "deliveries cannot be chosen",
        };
        let known = self.conditions().iter().map(|condition| condition.name);
        let names = known.collect::<Vec<&str>>().join(", ");
        let names = match names.rsplit_once(", ") {
            Some((first, last)) => format!("{first} or {last}"),
            None => names,
        };
        Err(Error::misuse(format!("{what} by `{name}`; by {names}")))
    }
}

impl Selection {
    /// Parses conditions: each by its name, and `cursor`, which names the last row of the previous page.
    /// White space around a text is left out; an empty text counts as not given, but for a replay or a
    /// cancellation, which must not take more than was meant.
    ///
    /// # Errors
    /// [`Error::Misuse`] when there is no such condition or a text cannot be parsed.
    pub fn read(
        listing: Listing,
        pairs: &Pairs,
        box_id: &BoxId,
        now: Timestamp,
    ) -> Result<Selection> {
        let mut selection = Selection::default();
        for (name, value) in pairs {
            let value = value.trim();
            if value.is_empty() && !matches!(listing, Listing::Replay | Listing::Pending) {
                continue;
            }
            if name != "cursor"
                || matches!(listing, Listing::Feed | Listing::Replay | Listing::Pending)
            {
                listing.check(name)?;
            }
            match name.as_str() {
                "cursor" => {
                    selection.before = Some(match listing {
                        Listing::Events | Listing::Bodies => box_id.parse_event(value)?.0,
                        Listing::Deliveries => box_id.parse_delivery(value)?.0,
                        _ => value
                            .parse()
                            .map_err(|_| Error::misuse("cursor is no number"))?,
                    });
                }
                "state" => selection.state = Some(value.parse()?),
                "superseded" => {
                    selection.is_superseded = value
                        .parse()
                        .map_err(|_| Error::misuse("superseded is true or false"))?;
                }
                "replay" => selection.replay = Some(box_id.parse_replay(value)?),
                "endpoint" => selection.endpoint = Some(value.to_owned()),
                "source" => selection.source = Some(value.to_owned()),
                "type" => selection.event_type = Some(value.to_owned()),
                "event" => selection.event = Some(box_id.parse_event(value)?),
                "since" => selection.since = Some(Timestamp::parse(value, now)?),
                "until" => selection.until = Some(Timestamp::parse(value, now)?),
                _ => selection.text = Some(value.to_owned()),
            }
        }
        if let (Some(since), Some(until)) = (selection.since, selection.until)
            && since >= until
        {
            return Err(Error::misuse(format!(
                "nothing comes after {since} and before {until}; exchange the two"
            )));
        }
        Ok(selection)
    }

    /// The conditions that are set, by name; ages are times now.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, String)> {
        let pairs = [
            ("state", self.state.map(|state| state.to_string())),
            ("superseded", self.is_superseded.then(|| "true".to_owned())),
            ("replay", self.replay.map(|id| id.0.to_string())),
            ("endpoint", self.endpoint.clone()),
            ("source", self.source.clone()),
            ("type", self.event_type.clone()),
            ("event", self.event.map(|id| id.0.to_string())),
            ("since", self.since.map(|at| at.to_string())),
            ("until", self.until.map(|at| at.to_string())),
            ("text", self.text.clone()),
        ];
        let pairs = pairs.into_iter();
        pairs.filter_map(|(name, value)| Some((name, value?)))
    }

    /// Whether no condition is set.
    pub fn is_empty(&self) -> bool {
        self.pairs().next().is_none()
    }

    /// Rejects a condition that would be passed over.
    pub(crate) fn check(&self, listing: Listing) -> Result<()> {
        self.pairs().try_for_each(|(name, _)| listing.check(name))
    }

    /// The form that is stored and shown: an object of the conditions that are set.
    pub fn json(&self) -> Value {
        let pairs = self.pairs();
        pairs
            .map(|(name, value)| (name.to_owned(), Value::String(value)))
            .collect()
    }

    /// Parses the conditions of a replay in the form of [`Selection::json`].
    ///
    /// # Errors
    /// As for [`Selection::read`]; [`Error::Misuse`] also when one is no text.
    pub fn from_json(
        listing: Listing,
        object: &Value,
        box_id: &BoxId,
        now: Timestamp,
    ) -> Result<Selection> {
        let fields = object.as_object().into_iter().flatten();
        let pairs = fields.map(|(name, value)| {
            let text = value.as_str();
            let text =
                text.ok_or_else(|| Error::misuse(format!("{name} of a selection is no text")))?;
            Ok((name.clone(), text.to_owned()))
        });
        let pairs = pairs.collect::<Result<Vec<(String, String)>>>()?;
        Selection::read(listing, &pairs, box_id, now)
    }
}

impl fmt::Display for Selection {
    /// In words: `state dead, endpoint ci, since 2026-03-01T12:00:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("all that is settled");
        }
        for (index, (name, value)) in self.pairs().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(listing: Listing, pairs: &[(&str, &str)]) -> Result<Selection> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let pairs: Vec<(String, String)> = pairs.iter().map(own).collect();
        let box_id = BoxId::new("0123456789".to_owned());
        Selection::read(listing, &pairs, &box_id, Timestamp(0))
    }

    #[test]
    fn a_selection_is_read_back_as_it_was_written() {
        let selection = Selection {
            state: Some(State::Dead),
            endpoint: Some("ci".to_owned()),
            source: Some("gogs".to_owned()),
            event_type: Some("push".to_owned()),
            since: Some(Timestamp(1_000)),
            until: Some(Timestamp(2_000)),
            text: Some("beacon, \"x\"".to_owned()),
            ..Selection::default()
        };
        let box_id = BoxId::new("0123456789".to_owned());
        let again =
            |object: &Value| Selection::from_json(Listing::Replay, object, &box_id, Timestamp(0));
        assert_eq!(again(&selection.json()).unwrap(), selection);
        let none = Selection::default();
        assert_eq!(again(&none.json()).unwrap(), none);
        assert!(none.is_empty() && !selection.is_empty());
        for bad in [json!({"color": "red"}), json!({"state": 1})] {
            assert!(again(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_condition_is_read_and_an_empty_one_only_by_a_replay() {
        let all = [
            Listing::Events,
            Listing::Bodies,
            Listing::Deliveries,
            Listing::Outages,
            Listing::Feed,
            Listing::Replay,
        ];
        for listing in all {
            for condition in listing.conditions() {
                let value = match condition.name {
                    "state" => "dead",
                    "superseded" => "true",
                    "since" | "until" => "2026-11-28",
                    _ => "7",
                };
                let name = condition.name;
                let given = read(listing, &[(name, value)]).unwrap();
                let names: Vec<&str> = given.pairs().map(|(name, _)| name).collect();
                assert_eq!(names, [name]);
                assert!(given.check(listing).is_ok());
                let is_passed_over =
                    read(listing, &[(name, " ")]).is_ok_and(|read| read.is_empty());
                assert_eq!(is_passed_over, listing != Listing::Replay, "{name}");
            }
        }
        assert!(read(Listing::Events, &[("cursor", "7")]).unwrap().before == Some(7));
    }

    #[test]
    fn what_a_list_has_no_condition_for_is_refused() {
        for (listing, name, says) in [
            (
                Listing::Outages,
                "state",
                "outages cannot be listed by `state`; by endpoint",
            ),
            (
                Listing::Feed,
                "type",
                "what happens cannot be listed by `type`; by endpoint or source",
            ),
            (
                Listing::Replay,
                "event",
                "deliveries cannot be chosen by `event`; by state, endpoint, source, type, since, until or text",
            ),
        ] {
            let error = read(listing, &[(name, "7")]).unwrap_err();
            assert_eq!(error.to_string(), says);
        }
        let of_event = read(Listing::Deliveries, &[("event", "7")]).unwrap();
        assert!(of_event.check(Listing::Replay).is_err());
    }
}
