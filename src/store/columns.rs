//! How the model's types stand in SQL columns.
//!
//! It must know nothing of tables. A value that no model type knows is an error when it is read,
//! never a default.

use std::time::Duration;

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};

use crate::model::attempt::Outcome;
use crate::model::connection::Connection;
use crate::model::delivery::State;
use crate::model::endpoint::EndpointUrl;
use crate::model::expression::Expression;
use crate::model::filter::Globs;
use crate::model::header::Header;
use crate::model::id::{AttemptId, DeliveryId, EndpointId, EventId, ReplayId, SourceId};
use crate::model::kind::{OnRepeat, SourceKind};
use crate::model::rate::Rates;
use crate::model::replay::{ReplayKind, ReplayState};
use crate::model::retry::Retry;
use crate::model::source::{GenericRules, Tolerance};
use crate::model::template::Template;
use crate::model::window::Windows;
use crate::signature::Scheme;
use crate::signature::generic::Rules;
use crate::time::Timestamp;

macro_rules! integer_columns {
    ($($name:ident),+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.0))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$name> {
                i64::column_result(value).map($name)
            }
        }
    )+};
}

integer_columns!(
    SourceId, EndpointId, EventId, DeliveryId, AttemptId, ReplayId, Timestamp
);

macro_rules! named_columns {
    ($($name:ident),+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.name()))
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
        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$name> {
                value.as_str()?.parse().map_err(other)
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

impl FromSql for Outcome {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Outcome> {
        let text = value.as_str()?;
        Outcome::ALL
            .into_iter()
            .find(|outcome| outcome.name() == text)
            .ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Tolerance {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Tolerance> {
        Ok(match Option::<i64>::column_result(value)? {
            None => Tolerance::Usual,
            Some(0) => Tolerance::Any,
            Some(_) => Tolerance::Within(Millis::column_result(value)?.0),
        })
    }
}

impl ToSql for Tolerance {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Tolerance::Usual => Ok(ToSqlOutput::Owned(Value::Null)),
            Tolerance::Any => Ok(ToSqlOutput::from(0)),
            Tolerance::Within(span) => {
                let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
                Ok(ToSqlOutput::from(millis.max(1)))
            }
        }
    }
}

/// Settings that are stored as one JSON object of what is not as usual; null where all is.
macro_rules! settings_columns {
    ($($name:ident, $read:ident, $write:ident);+) => {$(
        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$name> {
                let object = match Option::<String>::column_result(value)? {
                    None => serde_json::Value::Null,
                    Some(text) => serde_json::from_str(&text).map_err(other)?,
                };
                $name::$read(&object).map_err(other)
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let object = self.$write();
                let is_usual = object.as_object().is_some_and(|object| object.is_empty());
                Ok(ToSqlOutput::Owned(if is_usual {
                    Value::Null
                } else {
                    Value::Text(object.to_string())
                }))
            }
        }
    )+};
}

settings_columns!(GenericRules, from_json, json; Rules, from_json, json; Connection, from_stored, stored);

impl FromSql for Template {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Template> {
        let object = serde_json::from_str(value.as_str()?).map_err(other)?;
        Template::from_stored(&object).map_err(other)
    }
}

impl ToSql for Template {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Text(self.stored().to_string())))
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> FromSqlError {
    FromSqlError::Other(Box::new(error))
}

/// A span in a `*_ms` column.
pub(super) struct Millis(pub(super) Duration);

/// A span in a `*_us` column.
pub(super) struct Micros(pub(super) Duration);

macro_rules! span_columns {
    ($($name:ident, $read:ident, $write:ident);+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(i64::try_from(self.0.$write()).unwrap_or(i64::MAX)))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$name> {
                let count = i64::column_result(value)?;
                let count = u64::try_from(count).map_err(|_| FromSqlError::OutOfRange(count))?;
                Ok($name(Duration::$read(count)))
            }
        }
    )+};
}

span_columns!(Millis, from_millis, as_millis; Micros, from_micros, as_micros);

/// Moments in a column: a JSON array of milliseconds.
pub(super) struct Moments(pub(super) Vec<Timestamp>);

impl ToSql for Moments {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let moments: serde_json::Value = self.0.iter().map(|at| at.0).collect();
        Ok(ToSqlOutput::Owned(Value::Text(moments.to_string())))
    }
}

impl FromSql for Moments {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Moments> {
        let moments: Vec<i64> = serde_json::from_str(value.as_str()?).map_err(other)?;
        Ok(Moments(moments.into_iter().map(Timestamp).collect()))
    }
}

/// Headers read from a column: a JSON array of `[name, value]`.
pub(super) struct Headers(pub(super) Vec<Header>);

/// Headers written to a column.
pub(super) struct HeadersRef<'a>(pub(super) &'a [Header]);

impl ToSql for HeadersRef<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(ToSqlOutput::Owned(Value::Text(text)))
    }
}

impl FromSql for Headers {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Headers> {
        serde_json::from_str(value.as_str()?)
            .map(Headers)
            .map_err(other)
    }
}
