//! Adds, changes and removes alerts.

use crate::error::{Error, Result};
use crate::model::alert::{ALERT_TYPE, AlertRecord, EndpointSeen, Memory, NewAlert, Snapshot};
use crate::model::chat::Chat;
use crate::model::endpoint::{Format, NewEndpoint};
use crate::model::id::{AlertId, EndpointId};
use crate::model::replay::Target;
use crate::store::engine::Store;
use crate::store::engine::columns::Millis;
use crate::store::engine::conn::{Conn, Row, params, unreadable};
use crate::store::engine::job::Tx;
use crate::store::setup::endpoint::add_endpoint;
use crate::time::Timestamp;

const COLUMNS: &str = "select a.id, a.name, p.name as to_name, a.about, a.every_ms, a.memory
     from hookbox_alert as a
     left join hookbox_endpoint as p on p.id = a.endpoint_id";

impl Store {
    /// Adds an alert. If it is sent to a URL, an endpoint of its name is made, which gets nothing but alerts.
    ///
    /// # Errors
    /// [`Error::Misuse`] when a value is out of its limits or a name is taken; [`Error::NotFound`] when the
    /// endpoint or a source does not exist. Nothing is changed then.
    pub fn add_alert(&self, alert: NewAlert, now: Timestamp) -> Result<()> {
        alert.check()?;
        let memory = Memory::beginning(&self.snapshot(now)?, &alert).stored();
        self.write(move |tx| {
            if is_alert(tx, &alert.name)? {
                return Err(Error::misuse(format!(
                    "there is an alert named {} already; choose another name, or change that one",
                    alert.name
                )));
            }
            insert_alert(tx, &alert, &memory, now)
        })
    }

    /// What is known now.
    pub(crate) fn snapshot(&self, now: Timestamp) -> Result<Snapshot> {
        let mut endpoints = Vec::new();
        for report in self.endpoint_reports()? {
            let last_refusal = match report.failing {
                Some(_) => self.last_refusal(report.endpoint.id)?,
                None => None,
            };
            endpoints.push(EndpointSeen {
                report,
                last_refusal,
            });
        }
        let low = self.sizes()?.low();
        Ok(Snapshot {
            now,
            endpoints,
            sources: self.source_reports()?,
            trouble: self.trouble().or(low),
        })
    }

    /// Changes an alert. What it told is remembered.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such alert; the error of `change`; those of
    /// [`Store::add_alert`].
    pub fn set_alert(
        &self,
        name: &str,
        change: impl Fn(&mut NewAlert) -> Result<()> + Send + 'static,
        now: Timestamp,
    ) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| {
            let mut alert = require(tx.conn, &name)?.alert.set;
            change(&mut alert)?;
            update_alert(tx, &alert, now)
        })
    }

    /// Removes an alert. Its endpoint stays.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such alert.
    pub fn remove_alert(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| remove_alert(tx, &name))
    }

    /// All alerts, by name.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    pub fn alerts(&self) -> Result<Vec<AlertRecord>> {
        let all = self.read(all)?;
        Ok(all.into_iter().map(|stored| stored.alert).collect())
    }

    /// The alert of this name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub fn alert(&self, name: &str) -> Result<AlertRecord> {
        self.read(|conn| require(conn, name).map(|stored| stored.alert))
    }
}

/// Removes an alert. Its endpoint stays.
pub(crate) fn remove_alert(tx: &Tx<'_>, name: &str) -> Result<()> {
    let id = require(tx.conn, name)?.id;
    tx.conn.change_one(
        "delete from hookbox_alert where id = :id",
        params! { ":id": id },
    )
}

/// An alert as it is stored.
pub(crate) struct StoredAlert {
    pub(crate) id: AlertId,
    pub(crate) alert: AlertRecord,
    /// What it remembers, as it is written.
    pub(crate) memory: String,
}

/// All alerts, by name.
pub(crate) fn all(conn: Conn<'_>) -> Result<Vec<StoredAlert>> {
    let by_name = format!("{COLUMNS} order by a.name");
    conn.all(&by_name, &[], read_alert)
}

fn require(conn: Conn<'_>, name: &str) -> Result<StoredAlert> {
    let of_name = format!("{COLUMNS} where a.name = :name");
    let found = conn.maybe(&of_name, params! { ":name": name }, read_alert)?;
    found.ok_or_else(|| {
        Error::not_found(format!(
            "no alert named {name}; `hookbox alert list` shows what there is"
        ))
    })
}

fn read_alert(row: &Row<'_>) -> Result<StoredAlert> {
    let about: String = row.get("about")?;
    let memory: String = row.get("memory")?;
    let every: Millis = row.get("every_ms")?;
    let to: Option<String> = row.get("to_name")?;
    let alert = AlertRecord {
        set: NewAlert {
            name: row.get("name")?,
            to: to.map(Target::Endpoint),
            about: about.parse()?,
            every: every.0,
        },
        memory: serde_json::from_str(&memory)
            .map_err(|error| unreadable("memory", error.to_string().into()))?,
    };
    Ok(StoredAlert {
        id: row.get("id")?,
        alert,
        memory,
    })
}

/// Whether there is an alert of this name.
pub(crate) fn is_alert(tx: &Tx<'_>, name: &str) -> Result<bool> {
    tx.conn.one(
        "select exists (select 1 from hookbox_alert where name = :name)",
        params! { ":name": name },
        |row| row.get(0),
    )
}

/// Adds an alert; `memory` is what it begins with.
pub(crate) fn insert_alert(
    tx: &mut Tx<'_>,
    alert: &NewAlert,
    memory: &str,
    now: Timestamp,
) -> Result<()> {
    check_sources(tx, alert)?;
    let to = endpoint_of(tx, alert, now)?;
    tx.conn.insert(
        "insert into hookbox_alert (name, endpoint_id, about, every_ms, created_ms, memory)
         values (:name, :to, :about, :every, :now, :memory)",
        params! {
            ":name": alert.name,
            ":to": to,
            ":about": alert.about.to_string(),
            ":every": Millis(alert.every),
            ":now": now,
            ":memory": memory,
        },
    )?;
    Ok(())
}

/// Changes the alert of this name. What it told is remembered.
pub(crate) fn update_alert(tx: &mut Tx<'_>, alert: &NewAlert, now: Timestamp) -> Result<()> {
    alert.check()?;
    check_sources(tx, alert)?;
    let to = endpoint_of(tx, alert, now)?;
    tx.conn.change_one(
        "update hookbox_alert set endpoint_id = :to, about = :about, every_ms = :every
         where name = :name",
        params! {
            ":to": to,
            ":about": alert.about.to_string(),
            ":every": Millis(alert.every),
            ":name": alert.name,
        },
    )
}

/// The endpoint that gets the messages; one is made for a URL.
fn endpoint_of(tx: &mut Tx<'_>, alert: &NewAlert, now: Timestamp) -> Result<Option<EndpointId>> {
    let url = match &alert.to {
        None => return Ok(None),
        Some(Target::Endpoint(name)) => return Ok(Some(tx.directory.require_endpoint(name)?.id)),
        Some(Target::Url(url)) => url,
    };
    // That of an alert that was removed is used again.
    if let Some(held) = tx.directory.endpoint(&alert.name)
        && held.set.url == *url
    {
        return Ok(Some(held.id));
    }
    let mut endpoint = NewEndpoint::new(&alert.name, url.clone());
    if let Some(chat) = Chat::of_host(url.uri()) {
        endpoint.format = Format::Chat(chat);
    }
    endpoint.filters.types = Some(ALERT_TYPE.parse()?);
    endpoint.check()?;
    add_endpoint(tx, &endpoint, now).map(Some)
}

/// A source that does not exist is a typing error: nothing would ever be told of it.
fn check_sources(tx: &Tx<'_>, alert: &NewAlert) -> Result<()> {
    let mut named = alert.about.sources();
    named.try_for_each(|name| tx.directory.require_source(name).map(|_| ()))
}
