//! The schemas of the API's objects, for `/openapi.json`.

use serde_json::{Map, Value, json};

use crate::model::settings::Listing;

/// An object in a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::status) enum Schema {
    Stats,
    Pruned,
    Event,
    Accepted,
    Search,
    Delivery,
    Attempt,
    Diff,
    Outage,
    Endpoint,
    Made,
    Hurried,
    Match,
    Removed,
    Source,
    Refusal,
    RelayBox,
    Alert,
    Replay,
    Replayed,
    Cancelled,
    Named,
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub(in crate::status) enum Kind {
    Text,
    Moment,
    Integer,
    Number,
    Flag,
    Texts,
    /// What chooses events or deliveries.
    Filter(Listing),
    Object,
    Objects,
    Any,
}

/// A field: its name, its type, and whether it may be null.
#[derive(Debug, Clone, Copy)]
pub(in crate::status) struct Field(pub(super) &'static str, pub(super) Kind, pub(super) bool);

/// Never null.
const SET: bool = false;
/// May be null.
const OPEN: bool = true;

impl Schema {
    pub(super) fn name(self) -> String {
        format!("{self:?}")
    }

    pub(super) fn fields(self) -> &'static [Field] {
        use Kind::{Any, Flag, Integer, Moment, Number, Object, Objects, Text, Texts};
        match self {
            Schema::Pruned => &[
                Field("dry_run", Flag, SET),
                Field("events", Integer, SET),
                Field("deliveries", Integer, SET),
                Field("attempts", Integer, SET),
                Field("bytes", Integer, SET),
                Field("complete", Flag, SET),
                Field("next", Text, OPEN),
            ],
            Schema::Stats => &[
                Field("events", Integer, SET),
                Field("outbox", Integer, SET),
                Field("pending", Integer, SET),
                Field("delivered", Integer, SET),
                Field("dead", Integer, SET),
                Field("cancelled", Integer, SET),
                Field("superseded", Integer, SET),
                Field("oldest_due_at", Moment, OPEN),
                Field("db_bytes", Integer, SET),
                Field("reusable_bytes", Integer, SET),
                Field("nodes", Objects, SET),
            ],
            Schema::Event => &[
                Field("id", Text, SET),
                Field("type", Text, SET),
                Field("original_type", Text, OPEN),
                Field("source", Text, OPEN),
                Field("key", Text, OPEN),
                Field("received_at", Moment, SET),
                Field("bytes", Integer, SET),
                Field("content_type", Text, OPEN),
                Field("json", Flag, SET),
                Field("summary", Text, SET),
                Field("branch", Text, OPEN),
                Field("problem", Text, OPEN),
                Field("headers", Any, SET),
                Field("replay_of_event", Text, OPEN),
            ],
            Schema::Accepted => &[
                Field("id", Text, SET),
                Field("duplicate", Flag, SET),
                Field("deliveries", Integer, SET),
            ],
            Schema::Search => &[
                Field("items", Objects, SET),
                Field("next", Text, OPEN),
                Field("looked_back_to", Moment, OPEN),
                Field("complete", Flag, SET),
            ],
            Schema::Delivery => &[
                Field("id", Text, SET),
                Field("event", Text, SET),
                Field("endpoint", Text, SET),
                Field("type", Text, SET),
                Field("source", Text, OPEN),
                Field("summary", Text, SET),
                Field("state", Text, SET),
                Field("tries", Integer, SET),
                Field("attempts", Integer, SET),
                Field("status", Integer, OPEN),
                Field("created_at", Moment, SET),
                Field("due_at", Moment, OPEN),
                Field("settled_at", Moment, OPEN),
                Field("reason", Text, OPEN),
                Field("replay_of", Text, OPEN),
                Field("replay", Text, OPEN),
                Field("new_id", Flag, SET),
                Field("superseded_by", Text, OPEN),
                Field("when_error", Text, OPEN),
                Field("waiting", Text, OPEN),
                Field("waiting_reason", Text, OPEN),
            ],
            Schema::Attempt => &[
                Field("id", Text, SET),
                Field("delivery", Text, SET),
                Field("number", Integer, SET),
                Field("started_at", Moment, SET),
                Field("duration_ms", Number, SET),
                Field("timing", Object, SET),
                Field("status", Integer, OPEN),
                Field("outcome", Text, SET),
                Field("error", Text, OPEN),
                Field("request_headers", Any, SET),
                Field("response_headers", Any, SET),
                Field("response_body", Text, SET),
                Field("response_truncated", Flag, SET),
            ],
            Schema::Diff => &[
                Field("facts", Objects, SET),
                Field("request_headers", Objects, SET),
                Field("response_headers", Objects, SET),
                Field("request_body", Texts, SET),
                Field("response_body", Texts, SET),
            ],
            Schema::Outage => &[
                Field("endpoint", Text, SET),
                Field("since", Moment, SET),
                Field("until", Moment, OPEN),
                Field("removed", Flag, SET),
                Field("last_probe_at", Moment, SET),
                Field("probes", Integer, SET),
                Field("error", Text, SET),
            ],
            Schema::Endpoint => &[
                Field("name", Text, SET),
                Field("url", Text, SET),
                Field("format", Text, SET),
                Field("sign", Text, SET),
                Field("has_secret", Flag, SET),
                Field("types", Texts, OPEN),
                Field("sources", Texts, OPEN),
                Field("branches", Texts, OPEN),
                Field("when", Text, OPEN),
                Field("rate", Text, OPEN),
                Field("concurrency", Integer, SET),
                Field("ordered", Flag, SET),
                Field("only_replays", Flag, SET),
                Field("retry", Text, SET),
                Field("tries_max", Integer, SET),
                Field("window", Text, OPEN),
                Field("expire", Text, OPEN),
                Field("held", Flag, SET),
                Field("held_reason", Text, OPEN),
                Field("circuit", Text, SET),
                Field("pending", Integer, SET),
                Field("delivered", Integer, SET),
                Field("dead", Integer, SET),
                Field("superseded", Integer, SET),
                Field("cancelled", Integer, SET),
                Field("oldest_due_at", Moment, OPEN),
                Field("last_delivered_at", Moment, OPEN),
                Field("hours", Objects, SET),
            ],
            Schema::Made => &[Field("delivery", Text, SET), Field("event", Text, SET)],
            Schema::Hurried => &[
                Field("endpoint", Text, SET),
                Field("made_due", Integer, SET),
            ],
            Schema::Match => &[
                Field("endpoint", Text, SET),
                Field("event", Text, SET),
                Field("matches", Flag, SET),
                Field("checks", Objects, SET),
                Field("deliveries", Texts, SET),
            ],
            Schema::Removed => &[
                Field("removed", Text, SET),
                Field("cancelled", Integer, SET),
            ],
            Schema::Source => &[
                Field("name", Text, SET),
                Field("kind", Text, SET),
                Field("path", Text, SET),
                Field("signed", Flag, SET),
                Field("tolerance", Text, OPEN),
                Field("on_repeat", Text, SET),
                Field("last_event_at", Moment, OPEN),
                Field("events", Integer, SET),
                Field("refusals", Integer, SET),
                Field("last_refusal_at", Moment, OPEN),
                Field("last_refusal_reason", Text, OPEN),
            ],
            Schema::Alert => &[
                Field("name", Text, SET),
                Field("to", Text, OPEN),
                Field("about", Text, SET),
                Field("every", Text, SET),
                Field("last_told_at", Moment, OPEN),
                Field("problems", Objects, SET),
            ],
            Schema::Refusal => &[
                Field("at", Moment, SET),
                Field("count", Integer, SET),
                Field("address", Text, SET),
                Field("status", Integer, SET),
                Field("reason", Text, SET),
            ],
            Schema::RelayBox => &[
                Field("box", Text, SET),
                Field("name", Text, SET),
                Field("first_heard_at", Moment, SET),
                Field("last_heard_at", Moment, SET),
                Field("requests", Integer, SET),
                Field("events", Integer, SET),
            ],
            Schema::Replay => &[
                Field("id", Text, SET),
                Field("kind", Text, SET),
                Field("state", Text, SET),
                Field("asked_by", Text, SET),
                Field("created_at", Moment, SET),
                Field("ended_at", Moment, OPEN),
                Field("filter", Object, SET),
                Field("to", Text, OPEN),
                Field("new_id", Flag, SET),
                Field("rate", Text, OPEN),
                Field("deliveries", Integer, SET),
                Field("made", Integer, SET),
                Field("pending", Integer, SET),
                Field("delivered", Integer, SET),
                Field("dead", Integer, SET),
                Field("cancelled", Integer, SET),
            ],
            Schema::Replayed => &[
                Field("deliveries", Integer, SET),
                // A replay that was started, or deliveries that were created.
                Field("replay", Text, OPEN),
                Field("ids", Texts, SET),
                // A preview.
                Field("dry_run", Flag, SET),
                Field("kind", Text, SET),
                Field("filter", Object, SET),
                Field("to", Text, OPEN),
                Field("bytes", Integer, SET),
                Field("had_already", Integer, SET),
                Field("endpoints", Objects, SET),
                Field("days", Objects, SET),
                Field("complete", Flag, SET),
                Field("up_to", Integer, SET),
            ],
            Schema::Named => &[Field("endpoints", Texts, SET), Field("dry_run", Flag, SET)],
            Schema::Cancelled => &[
                Field("deliveries", Integer, SET),
                Field("endpoints", Objects, SET),
                Field("whole", Flag, SET),
                Field("up_to", Integer, SET),
                Field("dry_run", Flag, SET),
            ],
        }
    }

    /// How many of the fields, from the first, each object has.
    fn required(self) -> usize {
        match self {
            Schema::Replayed => 1,
            _ => self.fields().len(),
        }
    }

    /// Returns the schema in OpenAPI's form.
    pub(super) fn json(self) -> Value {
        let fields = self.fields();
        let properties: Map<String, Value> = fields
            .iter()
            .map(|field| (field.0.to_owned(), field.json()))
            .collect();
        let required = &fields[..self.required()];
        let required: Vec<&str> = required.iter().map(|field| field.0).collect();
        json!({ "type": "object", "properties": properties, "required": required })
    }
}

impl Field {
    pub(super) fn json(&self) -> Value {
        let Field(_, kind, is_open) = *self;
        let mut schema = match kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Moment => json!({ "type": "string", "format": "date-time" }),
            Kind::Integer => json!({ "type": "integer" }),
            Kind::Number => json!({ "type": "number" }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Kind::Filter(listing) => json!({
                "type": "object",
                "properties": listing.conditions().iter().map(|condition| (
                    condition.name.to_owned(),
                    json!({ "type": "string", "description": condition.described() }),
                )).collect::<Map<String, Value>>(),
                "additionalProperties": false,
            }),
            Kind::Object => json!({ "type": "object" }),
            Kind::Objects => json!({ "type": "array", "items": { "type": "object" } }),
            Kind::Any => return json!({}),
        };
        if is_open && let Some(held) = schema["type"].as_str() {
            schema["type"] = json!([held, "null"]);
        }
        schema
    }
}
