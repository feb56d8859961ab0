//! Filters of lists, parsed in one place for pages, API and command line, from the parameter names that
//! they have in URLs.

use crate::error::{Error, Result};
use crate::model::delivery::State;
use crate::model::id::{DeliveryId, EventId, ReplayId};
use crate::store::engine::Store;
use crate::store::engine::value::ToValue;
use crate::time::Timestamp;

/// Which events to list.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this source.
    pub source: Option<String>,
    /// Of this type.
    pub event_type: Option<String>,
    /// Accepted at or after.
    pub since: Option<Timestamp>,
    /// Accepted before.
    pub until: Option<Timestamp>,
    /// Older than this one: the last one of the previous page.
    pub before: Option<EventId>,
    /// This one or younger ones.
    pub from: Option<EventId>,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// In this state; dead and cancelled ones only if they are not superseded.
    pub state: Option<State>,
    /// Only superseded ones.
    pub is_superseded: bool,
    /// Made for this bulk replay.
    pub replay: Option<ReplayId>,
    /// To this endpoint; removed endpoints with this name count too.
    pub endpoint: Option<String>,
    /// Of events of this source.
    pub source: Option<String>,
    /// Of events of this type.
    pub event_type: Option<String>,
    /// Of this event.
    pub event: Option<EventId>,
    /// Made at or after.
    pub since: Option<Timestamp>,
    /// Made before.
    pub until: Option<Timestamp>,
    /// Older than this one: the last one of the previous page.
    pub before: Option<DeliveryId>,
    /// This one or younger ones.
    pub from: Option<DeliveryId>,
}

/// Which outages to list.
#[derive(Debug, Clone, Default)]
pub struct OutageFilter {
    /// Of this endpoint.
    pub endpoint: Option<String>,
    /// Older than this one: the last one of the previous page.
    pub before: Option<i64>,
}

/// What a follower wants to see.
#[derive(Debug, Clone, Default)]
pub struct FollowFilter {
    /// Only attempts and outages of this endpoint.
    pub endpoint: Option<String>,
    /// Only events of this source, and attempts to deliver them.
    pub source: Option<String>,
}

/// A filter parameter: its name and its text.
pub type FilterPair<'a> = (&'a str, &'a str);

impl Store {
    /// Parses a filter of events: `source`, `type`, `since`, `until`, and `cursor`, the last event of the
    /// previous page.
    ///
    /// # Errors
    /// [`Error::Misuse`] when there is no such parameter or a text cannot be parsed; [`Error::NotFound`]
    /// when such a source never existed.
    pub fn event_filter(&self, asked: &[FilterPair<'_>], now: Timestamp) -> Result<EventFilter> {
        let mut filter = EventFilter::default();
        for (name, value) in given(asked) {
            match name {
                "source" => filter.source = Some(self.known_source(value)?),
                "type" => filter.event_type = Some(value.to_owned()),
                "since" => filter.since = Some(Timestamp::parse(value, now)?),
                "until" => filter.until = Some(Timestamp::parse(value, now)?),
                "cursor" => filter.before = Some(self.box_id().parse_event(value)?),
                other => return Err(unknown("events", other, "source, type, since or until")),
            }
        }
        Ok(filter)
    }

    /// Parses a filter of deliveries: `state`, `superseded`, `replay`, `endpoint`, `source`, `type`,
    /// `event`, `since`, `until` and `cursor`.
    ///
    /// # Errors
    /// As for [`Store::event_filter`]; [`Error::NotFound`] also for an endpoint or an event.
    pub fn delivery_filter(
        &self,
        asked: &[FilterPair<'_>],
        now: Timestamp,
    ) -> Result<DeliveryFilter> {
        let mut filter = DeliveryFilter::default();
        for (name, value) in given(asked) {
            match name {
                "state" => filter.state = Some(value.parse()?),
                "superseded" => {
                    filter.is_superseded = match value {
                        "true" => true,
                        "false" => false,
                        _ => return Err(Error::misuse("superseded is true or false")),
                    }
                }
                "replay" => filter.replay = Some(self.box_id().parse_replay(value)?),
                "endpoint" => filter.endpoint = Some(self.known_endpoint(value)?),
                "source" => filter.source = Some(self.known_source(value)?),
                "type" => filter.event_type = Some(value.to_owned()),
                "event" => {
                    filter.event = Some(self.event(self.box_id().parse_event(value)?)?.id);
                }
                "since" => filter.since = Some(Timestamp::parse(value, now)?),
                "until" => filter.until = Some(Timestamp::parse(value, now)?),
                "cursor" => filter.before = Some(self.box_id().parse_delivery(value)?),
                other => {
                    return Err(unknown(
                        "deliveries",
                        other,
                        "state, superseded, replay, endpoint, source, type, event, since or until",
                    ));
                }
            }
        }
        Ok(filter)
    }

    /// Parses a filter of outages: `endpoint` and `cursor`.
    ///
    /// # Errors
    /// As for [`Store::event_filter`].
    pub fn outage_filter(&self, asked: &[FilterPair<'_>]) -> Result<OutageFilter> {
        let mut filter = OutageFilter::default();
        for (name, value) in given(asked) {
            match name {
                "endpoint" => filter.endpoint = Some(self.known_endpoint(value)?),
                "cursor" => {
                    let place = value.parse();
                    filter.before = Some(place.map_err(|_| Error::misuse("cursor is no number"))?);
                }
                other => return Err(unknown("outages", other, "endpoint")),
            }
        }
        Ok(filter)
    }

    /// Parses a filter for followers: `endpoint` and `source`.
    ///
    /// # Errors
    /// As for [`Store::event_filter`].
    pub fn follow_filter(&self, asked: &[FilterPair<'_>]) -> Result<FollowFilter> {
        let mut filter = FollowFilter::default();
        for (name, value) in given(asked) {
            match name {
                "endpoint" => filter.endpoint = Some(self.known_endpoint(value)?),
                "source" => filter.source = Some(self.known_source(value)?),
                other => return Err(unknown("what happens", other, "endpoint or source")),
            }
        }
        Ok(filter)
    }

    /// Checks that an endpoint with this name exists or existed; returns the name.
    fn known_endpoint(&self, name: &str) -> Result<String> {
        self.endpoint_id(name).map(|_| name.to_owned())
    }

    /// Checks that a source with this name exists or existed; returns the name.
    fn known_source(&self, name: &str) -> Result<String> {
        self.source_id(name).map(|_| name.to_owned())
    }
}

fn given<'a>(asked: &'a [FilterPair<'_>]) -> impl Iterator<Item = FilterPair<'a>> {
    asked.iter().map(|(name, value)| (*name, value.trim()))
}

fn unknown(what: &str, name: &str, names: &str) -> Error {
    Error::misuse(format!("{what} cannot be listed by `{name}`; by {names}"))
}

/// The conditions of an SQL statement that is built at run time, with their values.
#[derive(Default)]
pub(crate) struct Conditions<'a> {
    pub(crate) texts: Vec<&'static str>,
    pub(crate) values: Vec<(&'static str, &'a dyn ToValue)>,
}

impl<'a> Conditions<'a> {
    pub(crate) fn add(
        &mut self,
        text: &'static str,
        name: &'static str,
        value: Option<&'a dyn ToValue>,
    ) {
        if let Some(value) = value {
            self.texts.push(text);
            self.values.push((name, value));
        }
    }

    pub(crate) fn clause(&self) -> String {
        if self.texts.is_empty() {
            String::new()
        } else {
            format!("where {}", self.texts.join(" and "))
        }
    }
}

pub(crate) fn some<T: ToValue>(value: &Option<T>) -> Option<&dyn ToValue> {
    value.as_ref().map(|value| value as &dyn ToValue)
}
