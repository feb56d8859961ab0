//! `/metrics`, in the text format of OpenMetrics.
//!
//! A monitor asks for it every few seconds, so all values come from counts that are kept anyway. Labels are
//! the names of sources and endpoints.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::error::{Error, Result};
use crate::model::endpoint::EndpointReport;
use crate::model::source::SourceReport;
use crate::store::Store;
use crate::time::Timestamp;

/// The content type of the text that [`text`] returns.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabels {
    node: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabel {
    endpoint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SettledLabels {
    endpoint: String,
    state: &'static str,
}

type Floating = Gauge<f64, AtomicU64>;

/// Returns all metrics as text.
pub(super) fn text(store: &Store, now: Timestamp) -> Result<String> {
    let mut registry = Registry::with_prefix("hookbox");
    sources(&mut registry, &store.source_reports()?);
    endpoints(&mut registry, &store.endpoint_reports()?, now);
    attempts(&mut registry, store);
    whole(&mut registry, store)?;
    let mut text = String::new();
    encode(&mut text, &registry)
        .map_err(|error| Error::io("write the metrics", std::io::Error::other(error)))?;
    Ok(text)
}

fn sources(registry: &mut Registry, reports: &[SourceReport]) {
    let (events, refusals) = (
        Family::<SourceLabel, Counter>::default(),
        Family::<SourceLabel, Counter>::default(),
    );
    let latest = Family::<SourceLabel, Floating>::default();
    for report in reports {
        let label = SourceLabel {
            source: report.source.name.clone(),
        };
        events.get_or_create(&label).inc_by(count(report.events));
        refusals
            .get_or_create(&label)
            .inc_by(count(report.refusals));
        if let Some(at) = report.last_event {
            latest.get_or_create(&label).set(at.0 as f64 / 1000.0);
        }
    }
    registry.register("events", "Events taken in, by source", events);
    registry.register("refused_requests", "Requests refused, by source", refusals);
    registry.register_with_unit(
        "last_event_timestamp",
        "When the latest event came in, as seconds since 1970",
        Unit::Seconds,
        latest,
    );
}

fn endpoints(registry: &mut Registry, reports: &[EndpointReport], now: Timestamp) {
    let settled = Family::<SettledLabels, Gauge>::default();
    let pending = Family::<EndpointLabel, Gauge>::default();
    let overdue = Family::<EndpointLabel, Floating>::default();
    let is_open = Family::<EndpointLabel, Gauge>::default();
    let is_held = Family::<EndpointLabel, Gauge>::default();
    let is_closed = Family::<EndpointLabel, Gauge>::default();
    let failing = Family::<EndpointLabel, Floating>::default();
    for report in reports {
        let endpoint = report.endpoint.set.name.clone();
        let states = [
            ("delivered", report.delivered),
            ("dead", report.dead),
            ("cancelled", report.cancelled),
            ("superseded", report.superseded),
        ];
        for (state, value) in states {
            let endpoint = endpoint.clone();
            let labels = SettledLabels { endpoint, state };
            settled.get_or_create(&labels).set(value);
        }
        let label = EndpointLabel { endpoint };
        let set = |family: &Family<EndpointLabel, Gauge>, value: i64| {
            family.get_or_create(&label).set(value);
        };
        set(&pending, report.pending);
        set(&is_open, i64::from(report.outage.is_some()));
        set(&is_held, i64::from(report.endpoint.held.is_some()));
        let window = report.endpoint.set.window.as_ref();
        let closed = window.and_then(|window| window.closed_until(now));
        set(&is_closed, i64::from(closed.is_some()));
        let waits = report
            .oldest_due
            .map_or(0.0, |due| now.since(due).as_secs_f64());
        overdue.get_or_create(&label).set(waits);
        let lasting = report.failing.unwrap_or_default();
        failing.get_or_create(&label).set(lasting.as_secs_f64());
    }
    registry.register("deliveries_settled", "Deliveries by endpoint and state; superseded ones were dead or cancelled, and a replay got through", settled);
    registry.register("deliveries_pending", "Deliveries that wait", pending);
    registry.register_with_unit(
        "oldest_due_age",
        "How long the delivery that was due first has been due",
        Unit::Seconds,
        overdue,
    );
    registry.register(
        "endpoint_unreachable",
        "1 while the endpoint cannot be reached (its circuit is open)",
        is_open,
    );
    registry.register(
        "endpoint_held",
        "1 while a person or its last answer holds the endpoint",
        is_held,
    );
    registry.register(
        "endpoint_window_closed",
        "1 while the endpoint's window is closed",
        is_closed,
    );
    registry.register_with_unit(
        "endpoint_failing",
        "For how long the endpoint has refused whatever it was sent; at five days it is held",
        Unit::Seconds,
        failing,
    );
}

fn attempts(registry: &mut Registry, store: &Store) {
    let measures = store.measures();
    registry.register(
        "attempts",
        "Attempts since the process began, by endpoint and outcome",
        measures.attempts.clone(),
    );
    registry.register_with_unit(
        "attempt_duration",
        "How long attempts took, by outcome",
        Unit::Seconds,
        measures.attempt_seconds.clone(),
    );
    registry.register_with_unit(
        "commit_duration",
        "How long commits took",
        Unit::Seconds,
        measures.commit_seconds.clone(),
    );
    registry.register(
        "commit_jobs",
        "Jobs in a commit",
        measures.group_jobs.clone(),
    );
}

fn whole(registry: &mut Registry, store: &Store) -> Result<()> {
    let replays = i64::try_from(store.running_replays()?.len()).unwrap_or(i64::MAX);
    let (sizes, stats) = (store.sizes()?, store.stats()?);
    if !stats.nodes.is_empty() {
        let lanes = Family::<NodeLabels, Gauge>::default();
        for node in &stats.nodes {
            let labels = NodeLabels {
                node: node.name.clone(),
            };
            let count = i64::try_from(node.endpoints.len()).unwrap_or(i64::MAX);
            lanes.get_or_create(&labels).set(count);
        }
        registry.register("node_lanes", "Endpoints that a node sends to", lanes);
    }
    let gauges = [
        ("replays_running", "Bulk replays that go on", replays),
        (
            "outbox_rows",
            "What other programs put in, and no event was made of yet",
            stats.outbox,
        ),
        (
            "store_unwritable",
            "1 while nothing can be written",
            i64::from(store.trouble().is_some()),
        ),
        (
            "config_problem",
            "1 while the configuration file is not applied, or not all of it",
            i64::from(store.config_problem().is_some()),
        ),
    ];
    for (name, help, value) in gauges {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
    let bytes = [
        ("database_size", "The database file", Some(sizes.database)),
        ("wal_size", "Its write-ahead log", Some(sizes.wal)),
        ("disk_free", "What is free where it lies", sizes.free),
    ];
    for (name, help, value) in bytes {
        let Some(value) = value else { continue };
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register_with_unit(name, help, Unit::Bytes, gauge);
    }
    registry.register(
        "build",
        "The version",
        prometheus_client::metrics::info::Info::new([("version", env!("CARGO_PKG_VERSION"))]),
    );
    Ok(())
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
