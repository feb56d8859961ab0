//! Conversions between the model's types and SQL column values.
//!
//! This file must know nothing of tables. A stored value that no model type knows is an error when
//! it is read, never a default.

use std::time::Duration;

use crate::model::attempt::Outcome;
use crate::model::connection::Connection;
use crate::model::delivery::State;
use crate::model::endpoint::EndpointUrl;
use crate::model::expression::Expression;
use crate::model::filter::Globs;
use crate::model::header::Header;
use crate::model::id::{AlertId, AttemptId, DeliveryId, EndpointId, EventId, ReplayId, SourceId};
use crate::model::kind::{OnRepeat, SourceKind};
use crate::model::rate::Rates;
use crate::model::replay::{ReplayKind, ReplayState};
use crate::model::retry::Retry;
use crate::model::source::{GenericRules, Tolerance};
use crate::model::template::Template;
use crate::model::window::Windows;
use crate::signature::Scheme;
use crate::signature::generic::Rules;
use crate::store::engine::value::{FromValue, ToValue, Unfit, Value};
use crate::time::Timestamp;

macro_rules! integer_columns {
    ($($name:ident),+) => {$(
        impl ToValue for $name {
            fn to_value(&self) -> Result<Value<'_>, Unfit> {
                Ok(Value::Integer(self.0))
            }
        }

        impl FromValue for $name {
            fn from_value(value: &Value<'_>) -> Result<$name, Unfit> {
                value.as_integer().map($name)
            }
        }
    )+};
}

integer_columns!(
    SourceId, EndpointId, EventId, DeliveryId, AttemptId, ReplayId, AlertId, Timestamp
);

macro_rules! named_columns {
    ($($name:ident),+) => {$(
        impl ToValue for $name {
            fn to_value(&self) -> Result<Value<'_>, Unfit> {
                Ok(Value::text(self.name()))
            }
        }
    )+};
}

named_columns!(
    State,
    Outcome,
    SourceKind,
    OnRepeat,
    Scheme,
    ReplayKind,
    ReplayState
);

macro_rules! parsed_columns {
    ($($name:ident),+) => {$(
        impl FromValue for $name {
            fn from_value(value: &Value<'_>) -> Result<$name, Unfit> {
                Ok(value.as_str()?.parse()?)
            }
        }
    )+};
}

parsed_columns!(
    State,
    SourceKind,
    OnRepeat,
    Scheme,
    EndpointUrl,
    Retry,
    Windows,
    Globs,
    Expression,
    Rates,
    ReplayKind,
    ReplayState
);

impl FromValue for Outcome {
    fn from_value(value: &Value<'_>) -> Result<Outcome, Unfit> {
        let text = value.as_str()?;
        Outcome::ALL
            .into_iter()
            .find(|outcome| outcome.name() == text)
            .ok_or_else(|| format!("no outcome is named {text}").into())
    }
}

impl FromValue for Tolerance {
    fn from_value(value: &Value<'_>) -> Result<Tolerance, Unfit> {
        Ok(match Option::<i64>::from_value(value)? {
            None => Tolerance::Default,
            Some(0) => Tolerance::Any,
            Some(_) => Tolerance::Within(Millis::from_value(value)?.0),
        })
    }
}

impl ToValue for Tolerance {
    fn to_value(&self) -> Result<Value<'_>, Unfit> {
        match self {
            Tolerance::Default => Ok(Value::Null),
            Tolerance::Any => Ok(Value::Integer(0)),
            Tolerance::Within(span) => {
                let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
                Ok(Value::Integer(millis.max(1)))
            }
        }
    }
}

/// Settings stored as one JSON object: only the values that differ from the default; null if none
/// does.
macro_rules! settings_columns {
    ($($name:ident, $read:ident, $write:ident);+) => {$(
        impl FromValue for $name {
            fn from_value(value: &Value<'_>) -> Result<$name, Unfit> {
                let object = match Option::<String>::from_value(value)? {
                    None => serde_json::Value::Null,
                    Some(text) => serde_json::from_str(&text)?,
                };
                Ok($name::$read(&object)?)
            }
        }

        impl ToValue for $name {
            fn to_value(&self) -> Result<Value<'_>, Unfit> {
                let object = self.$write();
                let is_default = object.as_object().is_some_and(|object| object.is_empty());
                Ok(match is_default {
                    true => Value::Null,
                    false => Value::text(object.to_string()),
                })
            }
        }
    )+};
}

settings_columns!(GenericRules, from_json, json; Rules, from_json, json; Connection, from_stored, stored);

impl FromValue for Template {
    fn from_value(value: &Value<'_>) -> Result<Template, Unfit> {
        let object = serde_json::from_str(value.as_str()?)?;
        Ok(Template::from_stored(&object)?)
    }
}

impl ToValue for Template {
    fn to_value(&self) -> Result<Value<'_>, Unfit> {
        Ok(Value::text(self.stored().to_string()))
    }
}

/// A duration in a `*_ms` column.
pub(crate) struct Millis(pub(crate) Duration);

/// A duration in a `*_us` column.
pub(crate) struct Micros(pub(crate) Duration);

macro_rules! span_columns {
    ($($name:ident, $read:ident, $write:ident);+) => {$(
        impl ToValue for $name {
            fn to_value(&self) -> Result<Value<'_>, Unfit> {
                Ok(Value::Integer(i64::try_from(self.0.$write()).unwrap_or(i64::MAX)))
            }
        }

        impl FromValue for $name {
            fn from_value(value: &Value<'_>) -> Result<$name, Unfit> {
                Ok($name(Duration::$read(u64::from_value(value)?)))
            }
        }
    )+};
}

span_columns!(Millis, from_millis, as_millis; Micros, from_micros, as_micros);

/// Timestamps in a column: a JSON array of milliseconds.
pub(crate) struct Moments(pub(crate) Vec<Timestamp>);

impl ToValue for Moments {
    fn to_value(&self) -> Result<Value<'_>, Unfit> {
        let moments: serde_json::Value = self.0.iter().map(|at| at.0).collect();
        Ok(Value::text(moments.to_string()))
    }
}

impl FromValue for Moments {
    fn from_value(value: &Value<'_>) -> Result<Moments, Unfit> {
        let moments: Vec<i64> = serde_json::from_str(value.as_str()?)?;
        Ok(Moments(moments.into_iter().map(Timestamp).collect()))
    }
}

/// Headers read from a column: a JSON array of `[name, value]`.
pub(crate) struct Headers(pub(crate) Vec<Header>);

/// Headers written to a column.
pub(crate) struct HeadersRef<'a>(pub(crate) &'a [Header]);

impl ToValue for HeadersRef<'_> {
    fn to_value(&self) -> Result<Value<'_>, Unfit> {
        let text = serde_json::to_string(self.0)?;
        Ok(Value::text(text))
    }
}

impl FromValue for Headers {
    fn from_value(value: &Value<'_>) -> Result<Headers, Unfit> {
        Ok(Headers(serde_json::from_str(value.as_str()?)?))
    }
}
