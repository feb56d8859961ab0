//! `hookbox status`: whether anybody must do something, in a line for each endpoint.

use std::time::Duration;

use serde_json::{Value, json};

use super::Context;
use crate::error::{Error, Result};
use crate::model::endpoint::EndpointReport;
use crate::model::standing::{Ended, Standing};
use crate::time::{Timestamp, show_span};

/// Prints how each endpoint stands, the worst first.
///
/// # Errors
/// [`Error::Refused`] when one needs somebody, or nothing serves the database, so that a scheduled job can
/// tell.
pub(super) fn run(context: &Context) -> Result<()> {
    let (store, now) = (context.store()?, context.now());
    let is_served = store.is_served()?;
    let mut reports = store.endpoint_reports()?;
    reports.sort_by_key(|report| report.standing(now).place());
    let needs = reports
        .iter()
        .filter(|one| one.standing(now).needs_somebody());
    let needs = needs.count();
    if context.out.is_json() {
        let object = json!({
            "served": is_served,
            "need_somebody": needs,
            "endpoints": reports.iter().map(|one| of_one(one, now)).collect::<Vec<Value>>(),
        });
        context.out.line(&object.to_string())?;
    } else {
        let objects: Vec<Value> = reports.iter().map(|one| of_one(one, now)).collect();
        let columns = [
            "endpoint",
            "standing",
            "pending",
            "delivered_in_24h",
            "dead",
            "why",
        ];
        context.out.list(&columns, &objects)?;
    }
    if !is_served {
        return Err(Error::Refused(
            "nothing serves this database: hookbox serve".to_owned(),
        ));
    }
    match needs {
        0 => Ok(()),
        needs => Err(Error::Refused(format!(
            "endpoints that need somebody: {needs} of {}; hookbox doctor says what to do",
            reports.len()
        ))),
    }
}

fn of_one(report: &EndpointReport, now: Timestamp) -> Value {
    let standing = report.standing(now);
    let day = Ended::since([report], now.minus(Duration::from_secs(86_400)));
    json!({
        "endpoint": report.endpoint.set.name,
        "standing": standing.name(),
        "needs_somebody": standing.needs_somebody(),
        "why": why(&standing, report, now),
        "pending": report.pending,
        "dead": report.dead,
        "delivered_in_24h": day.delivered,
        "refused_in_24h": day.refused,
        "last_delivered_at": report.last_delivered.map(|at| at.to_string()),
    })
}

/// The cause, and for how long.
fn why(standing: &Standing<'_>, report: &EndpointReport, now: Timestamp) -> Option<String> {
    let ago = |at: Timestamp| show_span(Duration::from_secs(now.since(at).as_secs()));
    Some(match standing {
        Standing::Refuses { .. } => match report.last_delivered {
            Some(at) => format!("refuses everything; last took something {} ago", ago(at)),
            None if report.delivered > 0 => "refuses everything".to_owned(),
            None => "refuses everything, and took nothing yet".to_owned(),
        },
        Standing::Offline(outage) => format!("{}; for {}", outage.error, ago(outage.since)),
        Standing::Held(hold) => format!("{}; for {}", hold.reason, ago(hold.since)),
        Standing::Closed { opens: Some(at) } => format!("opens at {at}"),
        Standing::Closed { opens: None } => "never opens again".to_owned(),
        Standing::Paced { until } => format!("gets more at {until}"),
        Standing::Unused => "took nothing yet".to_owned(),
        Standing::Fine => {
            let refused = report.failing.filter(|span| !span.is_zero())?;
            format!("refuses everything for {}", show_span(refused))
        }
    })
}
