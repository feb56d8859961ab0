//! API operations on alerts: create, change, remove.

use serde_json::{Value, json};

use super::schema::Schema;
use super::{Call, Input, Operation, Output, page};
use crate::error::{Error, Result};
use crate::model::alert::{AlertRecord, NewAlert};
use crate::model::settings::{ALERT_SETTINGS, alert_change};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "GET",
        path: "/alerts",
        id: "listAlerts",
        help: "Alerts with what is wrong",
        query: &[],
        input: Input::Nothing,
        output: Output::Page(Schema::Alert),
        status: 200,
        run: |call| {
            let alerts = call.store.alerts()?;
            Ok(page(alerts.iter().map(AlertRecord::json).collect(), None))
        },
    },
    Operation {
        method: "POST",
        path: "/alerts",
        id: "addAlert",
        help: "Add an alert; for a URL an endpoint is made",
        query: &[],
        input: Input::Settings(&["name"], &ALERT_SETTINGS),
        output: Output::One(Schema::Alert),
        status: 201,
        run: |call| {
            let name = call.required("name")?;
            let mut alert = NewAlert::new(name);
            alert_change(&call.settings(&["name"])?)?.make(&mut alert)?;
            call.store.add_alert(alert, call.now)?;
            show(call, name)
        },
    },
    Operation {
        method: "GET",
        path: "/alerts/{name}",
        id: "showAlert",
        help: "One alert",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Alert),
        status: 200,
        run: |call| show(call, call.part(0)),
    },
    Operation {
        method: "PATCH",
        path: "/alerts/{name}",
        id: "setAlert",
        help: "Change what is named; null brings back what is usual",
        query: &[],
        input: Input::Settings(&[], &ALERT_SETTINGS),
        output: Output::One(Schema::Alert),
        status: 200,
        run: |call| {
            let changes = call.settings(&[])?;
            if changes.is_empty() {
                return Err(Error::misuse("nothing to change was named"));
            }
            let (name, change) = (call.part(0), alert_change(&changes)?);
            call.store
                .set_alert(name, move |alert| change.make(alert), call.now)?;
            show(call, name)
        },
    },
    Operation {
        method: "DELETE",
        path: "/alerts/{name}",
        id: "removeAlert",
        help: "Remove an alert; its endpoint stays",
        query: &[],
        input: Input::Nothing,
        output: Output::One(Schema::Removed),
        status: 200,
        run: |call| {
            call.store.remove_alert(call.part(0))?;
            Ok(json!({ "removed": call.part(0), "cancelled": 0 }))
        },
    },
];

fn show(call: &Call<'_>, name: &str) -> Result<Value> {
    Ok(call.store.alert(name)?.json())
}
