//! A delivery: one event owed to one endpoint. It has the state.

use serde_json::{Value, json};

use crate::model::id::{BoxId, DeliveryId, EndpointId, EventId, ReplayId};
use crate::model::window::Windows;
use crate::time::Timestamp;

/// The state of a delivery.
///
/// That it is being sent right now, or waits because its endpoint is offline, is shown beside the state and
/// is not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It is owed, and has a due time.
    Pending,
    /// The endpoint has it.
    Delivered,
    /// It was given up; the reason is stored.
    Dead,
    /// A person cancelled it.
    Cancelled,
}

names!(State, "state":
    Pending = "pending",
    Delivered = "delivered",
    Dead = "dead",
    Cancelled = "cancelled",
);

/// A state change of a delivery, or an event that may cause one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// The endpoint accepted it.
    Deliver,
    /// The endpoint refused it, and it is due again later. Spends a try.
    Retry {
        /// When it is due again.
        due: Timestamp,
    },
    /// The endpoint could not be reached; the delivery does not change. Spends no try.
    Postpone,
    /// It is given up.
    GiveUp {
        /// Why, in plain words.
        reason: String,
    },
    /// It is cancelled.
    Cancel {
        /// Why, in plain words.
        reason: String,
    },
}

/// The state after a change; `None` if a delivery in that state cannot change so. This is the whole table:
/// a settled delivery stays in its state, and a replay is a new delivery.
///
/// ```
/// use hookbox::model::delivery::{Transition, State, next_state};
/// assert_eq!(next_state(State::Pending, &Transition::Deliver), Some(State::Delivered));
/// assert_eq!(next_state(State::Cancelled, &Transition::Deliver), None);
/// ```
pub fn next_state(state: State, change: &Transition) -> Option<State> {
    match (state, change) {
        (State::Pending, Transition::Deliver) => Some(State::Delivered),
        (State::Pending, Transition::Retry { .. } | Transition::Postpone) => Some(State::Pending),
        (State::Pending, Transition::GiveUp { .. }) => Some(State::Dead),
        (State::Pending, Transition::Cancel { .. }) => Some(State::Cancelled),
        (State::Delivered | State::Dead | State::Cancelled, _) => None,
    }
}

/// A stored delivery, for display.
#[derive(Debug, Clone)]
pub struct DeliveryRecord {
    /// Its row id.
    pub id: DeliveryId,
    /// The event that is owed.
    pub event: EventId,
    /// The row id of the endpoint it is owed to.
    pub endpoint_id: EndpointId,
    /// The name of that endpoint.
    pub endpoint: String,
    /// The event's type.
    pub event_type: String,
    /// The name of the event's source.
    pub source: Option<String>,
    /// What the event says happened, in one line.
    pub summary: String,
    /// Its state.
    pub state: State,
    /// Tries spent: attempts that were refused, or that delivered it.
    pub tries: i64,
    /// Attempts recorded, including those that spent no try.
    pub attempts: i64,
    /// The HTTP status of the last attempt that was recorded, if there was a response.
    pub status: Option<u16>,
    /// When it was made.
    pub created: Timestamp,
    /// When it is due; only while pending.
    pub due: Option<Timestamp>,
    /// When it was settled; `None` before that.
    pub settled: Option<Timestamp>,
    /// Why it is dead or cancelled, or was last refused; for a delivered one, what was unusual.
    pub reason: Option<String>,
    /// The delivery this one repeats.
    pub replay_of: Option<DeliveryId>,
    /// The error of the endpoint's expression on this event; such an event is sent.
    pub when_error: Option<String>,
    /// The bulk replay that it was made for.
    pub replay: Option<ReplayId>,
    /// Whether its `webhook-id` is its own id: the receiver must accept the event again.
    pub has_new_id: bool,
    /// For a dead or cancelled delivery: the replay that superseded it.
    pub superseded_by: Option<DeliveryId>,
    /// The state of its endpoint.
    pub endpoint_waits: EndpointWaits,
}

/// Why nothing is sent to an endpoint now.
#[derive(Debug, Clone, Default)]
pub struct EndpointWaits {
    /// Why it is held, by a person or because of its last answer.
    pub held: Option<String>,
    /// Why it cannot be reached.
    pub offline: Option<String>,
    /// Its rate limit is used up, or it asked to wait: nothing is sent before this time.
    pub paced_until: Option<Timestamp>,
    /// When it may be sent to; `None` for always.
    pub window: Option<Windows>,
    /// For an ordered endpoint: the delivery that must be settled first, if it is another one.
    pub behind: Option<DeliveryId>,
    /// Until when at the latest events are collected for one message.
    pub collected_until: Option<Timestamp>,
}

impl DeliveryRecord {
    /// Why a pending delivery is not being sent now: `held`, `window`, `offline`; for a due one also
    /// `order`, `digest` or `pace`.
    pub fn waiting(&self, now: Timestamp) -> Option<&'static str> {
        let endpoint = &self.endpoint_waits;
        let due = self.due.filter(|_| self.state == State::Pending)?;
        if endpoint.held.is_some() {
            Some("held")
        } else if self.opens(now).is_some() {
            // Not even a probe is sent outside the window.
            Some("window")
        } else if endpoint.offline.is_some() {
            Some("offline")
        } else if due <= now && endpoint.behind.is_some() {
            Some("order")
        } else if due <= now && self.collected_until().is_some_and(|until| until > now) {
            Some("digest")
        } else if due <= now && endpoint.paced_until.is_some_and(|until| until > now) {
            Some("pace")
        } else {
            None
        }
    }

    /// When the endpoint's window opens, if it is closed; the inner `None` means never.
    pub(crate) fn opens(&self, now: Timestamp) -> Option<Option<Timestamp>> {
        self.endpoint_waits.window.as_ref()?.closed_until(now)
    }

    /// Until when at the latest more events are collected for the message that it goes in.
    pub(crate) fn collected_until(&self) -> Option<Timestamp> {
        let is_new = self.tries == 0 && self.replay.is_none() && self.replay_of.is_none();
        self.endpoint_waits.collected_until.filter(|_| is_new)
    }

    /// Why it waits, in words.
    pub fn waiting_reason(&self, box_id: &BoxId, now: Timestamp) -> Option<String> {
        let endpoint = &self.endpoint_waits;
        match self.waiting(now)? {
            "held" => endpoint.held.clone(),
            "offline" => endpoint.offline.clone(),
            "window" => self.opens(now).map(|opens| match opens {
                Some(until) => format!("it opens at {until}"),
                None => "it never opens again".to_owned(),
            }),
            "order" => endpoint
                .behind
                .map(|first| format!("{} goes first", box_id.delivery(first))),
            "digest" => self
                .collected_until()
                .map(|until| format!("collected until {until} at the latest")),
            _ => endpoint.paced_until.map(|until| format!("until {until}")),
        }
    }

    /// The JSON object of the API, at this time.
    pub fn json(&self, box_id: &BoxId, now: Timestamp) -> Value {
        json!({
            "id": box_id.delivery(self.id),
            "event": box_id.event(self.event),
            "endpoint": self.endpoint,
            "type": self.event_type,
            "source": self.source,
            "summary": self.summary,
            "state": self.state.name(),
            "tries": self.tries,
            "attempts": self.attempts,
            "status": self.status,
            "created_at": self.created.to_string(),
            "due_at": self.due.map(|at| at.to_string()),
            "settled_at": self.settled.map(|at| at.to_string()),
            "reason": self.reason,
            "replay_of": self.replay_of.map(|id| box_id.delivery(id)),
            "replay": self.replay.map(|id| box_id.replay(id)),
            "new_id": self.has_new_id,
            "superseded_by": self.superseded_by.map(|id| box_id.delivery(id)),
            "when_error": self.when_error,
            "waiting": self.waiting(now),
            "waiting_reason": self.waiting_reason(box_id, now),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settled_delivery_takes_no_move_and_a_pending_one_takes_each() {
        let reason = String::new;
        let moves = [
            (Transition::Deliver, State::Delivered),
            (Transition::Retry { due: Timestamp(1) }, State::Pending),
            (Transition::Postpone, State::Pending),
            (Transition::GiveUp { reason: reason() }, State::Dead),
            (Transition::Cancel { reason: reason() }, State::Cancelled),
        ];
        for (change, expected) in moves {
            assert_eq!(next_state(State::Pending, &change), Some(expected));
            for settled in [State::Delivered, State::Dead, State::Cancelled] {
                assert_eq!(next_state(settled, &change), None);
            }
        }
    }
}
