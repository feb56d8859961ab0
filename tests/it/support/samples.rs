//! What tests put in: a push, a secret, a moment.

use std::time::Duration;

use hookbox::model::event::NewEvent;
use hookbox::time::Timestamp;

/// A Gogs push in the documented shape.
pub const PUSH: &str = include_str!("../../../examples/payloads/gogs-push.json");

pub const GOGS_SECRET: &str = "topsecret";

/// 2026-03-01T12:00:00Z, where manual clocks start.
pub const NOON: Timestamp = Timestamp(1_772_366_400_000);

pub fn event(event_type: &str) -> NewEvent {
    NewEvent {
        content_type: Some("application/json".to_owned()),
        ..NewEvent::new(event_type, PUSH)
    }
}

pub const HOUR: Duration = Duration::from_secs(3_600);

pub const DAY: Duration = Duration::from_secs(86_400);

/// A time as it is written.
pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text, Timestamp(0)).unwrap()
}
