//! From a selection to SQL: the rows that it names are looked up once, before rows are searched.

use crate::error::Result;
use crate::model::id::{EndpointId, EventId, SourceId};
use crate::model::settings::{Listing, Selection};
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::directory::{no_endpoint, no_source};
use crate::store::engine::value::{FromValue, ToValue};

/// What a selection names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named {
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) source: Option<SourceId>,
}

/// The condition on an event's type, and the value that it compares with. In a filter a `*` stands for
/// anything, as in an endpoint's types.
pub(crate) fn of_type(event_type: Option<&str>) -> (&'static str, Option<String>) {
    match event_type {
        Some(glob) if glob.contains('*') => {
            let mut pattern = String::new();
            for c in glob.chars() {
                match c {
                    '*' => pattern.push('%'),
                    '%' | '_' | '!' => pattern.extend(['!', c]),
                    c => pattern.push(c),
                }
            }
            ("e.type like :type escape '!'", Some(pattern))
        }
        exact => ("e.type = :type", exact.map(str::to_owned)),
    }
}

impl Store {
    /// The row id of the endpoint that has or had this name.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when such an endpoint never existed.
    pub fn endpoint_id(&self, name: &str) -> Result<EndpointId> {
        self.row_named("select id from hookbox_endpoint where name = :name", name)?
            .ok_or_else(|| no_endpoint(name))
    }

    /// The row id of the source that has or had this name.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when such a source never existed.
    pub fn source_id(&self, name: &str) -> Result<SourceId> {
        self.row_named("select id from hookbox_source where name = :name", name)?
            .ok_or_else(|| no_source(name))
    }

    fn row_named<T: FromValue>(&self, statement: &str, name: &str) -> Result<Option<T>> {
        self.read(|conn| conn.maybe(statement, params! { ":name": name }, |row| row.get(0)))
    }

    /// Looks up what a selection names; all of it must exist or have existed.
    pub(crate) fn named(&self, listing: Listing, selection: &Selection) -> Result<Named> {
        selection.check(listing)?;
        let (endpoint, source) = (selection.endpoint.as_deref(), selection.source.as_deref());
        let named = Named {
            endpoint: endpoint.map(|name| self.endpoint_id(name)).transpose()?,
            source: source.map(|name| self.source_id(name)).transpose()?,
        };
        if let Some(event) = selection.event {
            self.read(|conn| {
                conn.maybe(
                    "select id from hookbox_event where id = :id",
                    params! { ":id": event },
                    |row| row.get::<EventId>(0),
                )
            })?
            .ok_or_else(|| self.no_event(event))?;
        }
        Ok(named)
    }
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
