//! What an alert told already, what it has still to tell, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::conditions::Condition;
use super::message::AlertMessage;
use super::{ALERT_TYPE, AlertRecord, NewAlert};
use crate::model::endpoint::EndpointReport;
use crate::model::source::SourceReport;
use crate::model::text::counted;
use crate::time::{Timestamp, show_span};

/// What is over and not told yet: more is not remembered.
const RECOVERED_MAX: usize = 100;

/// In which time rejected requests are counted.
const WINDOW: Duration = Duration::from_secs(3_600);

/// An endpoint as an alert sees it.
#[derive(Debug)]
pub struct EndpointSeen {
    /// Its present state.
    pub report: EndpointReport,
    /// Its last unsuccessful answer, if it refuses.
    pub last_refusal: Option<String>,
}

/// What is known when an alert looks.
#[derive(Debug)]
pub struct Snapshot {
    /// When that is.
    pub now: Timestamp,
    /// All endpoints.
    pub endpoints: Vec<EndpointSeen>,
    /// All sources.
    pub sources: Vec<SourceReport>,
    /// What is wrong with the store or its disk.
    pub trouble: Option<String>,
}

/// What an alert told, and what it has still to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// When the last message was sent.
    told_ms: Option<i64>,
    /// What is wrong now, by kind and name.
    open: BTreeMap<String, Open>,
    /// What is over since the last message, by kind and name.
    recovered: BTreeMap<String, String>,
    /// Deliveries that were given up, by endpoint, since somebody asked for that.
    dead: Option<BTreeMap<String, Dead>>,
    /// Requests that were rejected lately, by source.
    rejected: BTreeMap<String, RejectionWindow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    since_ms: i64,
    text: String,
    is_told: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Dead {
    seen: i64,
    untold: i64,
}

/// The rejected requests of a source: its count at the beginning of an hour, and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct RejectionWindow {
    from_ms: i64,
    at_first: i64,
    at_last: i64,
    /// When the count last grew.
    grew_ms: i64,
}

/// What is wrong, and what is said when it is over.
struct Problem {
    since: Timestamp,
    text: String,
}

impl Memory {
    /// As it is stored.
    pub(crate) fn stored(&self) -> String {
        serde_json::to_string(self).expect("its keys are texts")
    }

    /// When the last message was sent.
    pub fn last_told(&self) -> Option<Timestamp> {
        self.told_ms.map(Timestamp)
    }

    /// What is wrong now, and since when; as it was when it was told.
    pub fn problems(&self) -> impl Iterator<Item = (Timestamp, &str)> {
        let open = self.open.values();
        open.map(|open| (Timestamp(open.since_ms), open.text.as_str()))
    }
}

impl AlertRecord {
    /// Looks at what is known, and remembers it. Returns the message that is due, if one is.
    pub fn look(&mut self, seen: &Snapshot) -> Option<AlertMessage> {
        let AlertRecord { set, memory } = self;
        memory.count(seen, set);
        let now_open = memory.find(seen, set);
        let last = memory.last_told();
        // A clock that was set back does not silence it.
        let is_early =
            last.is_some_and(|last| seen.now >= last && seen.now.since(last) < set.every);
        let before = std::mem::take(&mut memory.open);
        for (key, open) in &before {
            if !now_open.contains_key(key)
                && let Some(text) = recovered(key, open, seen)
                && (memory.recovered.len() < RECOVERED_MAX || memory.recovered.contains_key(key))
            {
                memory.recovered.insert(key.clone(), text);
            }
        }
        for (key, problem) in now_open {
            let open = match before.get(&key) {
                // What is remembered changes when something is told, not with each number.
                Some(open) if open.is_told || is_early => open.clone(),
                was => Open {
                    since_ms: was.map_or(problem.since.0, |open| open.since_ms),
                    text: problem.text,
                    is_told: false,
                },
            };
            memory.open.insert(key, open);
        }
        if is_early {
            return None;
        }
        memory.tell(seen.now)
    }
}

impl Memory {
    /// Says all that was not told yet, if there is something.
    fn tell(&mut self, now: Timestamp) -> Option<AlertMessage> {
        let mut problems = Vec::new();
        for open in self.open.values_mut().filter(|open| !open.is_told) {
            open.is_told = true;
            problems.push(open.text.clone());
        }
        for (name, dead) in self.dead.iter_mut().flatten() {
            if dead.untold > 0 {
                let many = counted(dead.untold, "delivery was", "deliveries were");
                let what = if dead.untold == 1 { "it" } else { "them" };
                problems.push(format!("{many} given up: {name} did not take {what}"));
                dead.untold = 0;
            }
        }
        // What is wrong again is not over.
        let recovered = std::mem::take(&mut self.recovered);
        let recovered = recovered.into_iter();
        let recovered: Vec<String> = recovered
            .filter(|(key, _)| !self.open.contains_key(key))
            .map(|(_, text)| text)
            .collect();
        if problems.is_empty() && recovered.is_empty() {
            return None;
        }
        self.told_ms = Some(now.0);
        Some(AlertMessage {
            problems,
            recovered,
            open: self.open.len(),
        })
    }

    /// What an alert remembers that begins now: what was given up before is not told.
    pub(crate) fn beginning(seen: &Snapshot, set: &NewAlert) -> Memory {
        let mut memory = Memory::default();
        memory.count(seen, set);
        memory
    }

    /// Counts what happens one by one.
    fn count(&mut self, seen: &Snapshot, set: &NewAlert) {
        let asks = |is_it: fn(&Condition) -> bool| set.about.all().iter().any(is_it);
        let dead = self.dead.take();
        self.dead = asks(|it| *it == Condition::Dead).then(|| {
            let is_asked_before = dead.is_some();
            let mut dead = dead.unwrap_or_default();
            for endpoint in others(seen, set).filter(|one| !gets_alerts_alone(one)) {
                let died = endpoint.report.died;
                let name = endpoint.report.endpoint.set.name.clone();
                // Of an endpoint that came since then all are told.
                let before = if is_asked_before { 0 } else { died };
                let unknown = Dead {
                    seen: before,
                    untold: 0,
                };
                let dead = dead.entry(name).or_insert(unknown);
                dead.untold += (died - dead.seen).max(0);
                dead.seen = died;
            }
            // One that was removed stays: its name may come again, with what was given up before.
            dead
        });
        if asks(|it| matches!(it, Condition::Rejected(..))) {
            let before = std::mem::take(&mut self.rejected);
            for source in &seen.sources {
                let name = source.source.name.clone();
                let window = RejectionWindow::next(before.get(&name), source.refusals, seen.now);
                self.rejected.insert(name, window);
            }
        } else {
            self.rejected.clear();
        }
    }

    /// All that is wrong now.
    fn find(&self, seen: &Snapshot, set: &NewAlert) -> BTreeMap<String, Problem> {
        let mut found = BTreeMap::new();
        let mut add = |kind: &str, name: &str, since, text| {
            found.insert(format!("{kind} {name}"), Problem { since, text });
        };
        for condition in set.about.all() {
            match condition {
                // It is told by count.
                Condition::Dead => {}
                Condition::Disk => {
                    if let Some(trouble) = &seen.trouble {
                        add("disk", "", seen.now, trouble.clone());
                    }
                }
                Condition::Held => {
                    for endpoint in others(seen, set) {
                        let set = &endpoint.report.endpoint;
                        if let Some(hold) = &set.held {
                            let text = format!("{} is held: {}", set.set.name, hold.reason);
                            add("held", &set.set.name, hold.since, text);
                        }
                    }
                }
                Condition::Offline(span) => {
                    for endpoint in others(seen, set) {
                        let name = &endpoint.report.endpoint.set.name;
                        let outage = endpoint.report.outage.as_ref();
                        if let Some(outage) = outage
                            && seen.now.since(outage.since) >= *span
                        {
                            let lasting = short_span(seen.now.since(outage.since));
                            let text = format!(
                                "{name} cannot be reached for {lasting}: {}{}",
                                outage.error,
                                waiting(endpoint)
                            );
                            add("offline", name, outage.since, text);
                        }
                    }
                }
                Condition::Refusing(span) => {
                    for endpoint in others(seen, set) {
                        let report = &endpoint.report;
                        let name = &report.endpoint.set.name;
                        // Who is held or cannot be reached takes nothing either.
                        let was_open = self.open.get(&format!("refusing {name}"));
                        let goes_on = report.outage.is_some() || report.endpoint.held.is_some();
                        if let Some(open) = was_open.filter(|_| report.failing.is_none() && goes_on)
                        {
                            add(
                                "refusing",
                                name,
                                Timestamp(open.since_ms),
                                open.text.clone(),
                            );
                        }
                        if let Some(lasting) = report.failing.filter(|lasting| lasting >= span) {
                            let answer = endpoint.last_refusal.as_deref();
                            let answer = answer.map_or_else(String::new, |why| format!(": {why}"));
                            let text = format!(
                                "{name} refuses everything for {}{answer}{}",
                                short_span(lasting),
                                waiting(endpoint)
                            );
                            add("refusing", name, seen.now.minus(lasting), text);
                        }
                    }
                }
                Condition::Silent(span, of) => {
                    for source in named(seen, of.as_deref()) {
                        let Some(last) = source.last_event else {
                            continue;
                        };
                        let silence = seen.now.since(last);
                        if silence >= *span {
                            let name = &source.source.name;
                            let text =
                                format!("nothing came through {name} for {}", short_span(silence));
                            add("silent", name, last, text);
                        }
                    }
                }
                Condition::Rejected(count, of) => {
                    for source in named(seen, of.as_deref()) {
                        let name = &source.source.name;
                        let Some(held) = self.rejected.get(name) else {
                            continue;
                        };
                        let rejected = held.at_last - held.at_first;
                        // It lasts until none was rejected for an hour.
                        let lasts = self.open.contains_key(&format!("rejected {name}"))
                            && seen.now.since(Timestamp(held.grew_ms)) < WINDOW;
                        if rejected >= i64::from(*count) || lasts {
                            let many = counted(rejected, "request", "requests");
                            let text = format!("{name} rejected {many} within an hour");
                            add("rejected", name, Timestamp(held.from_ms), text);
                        }
                    }
                }
            }
        }
        found
    }
}

/// What is said of a problem that is no longer found, if it is over: its endpoint or source may be gone, nobody
/// may ask for it any more, or another problem may have taken its place.
fn recovered(key: &str, open: &Open, seen: &Snapshot) -> Option<String> {
    let (kind, name) = key.split_once(' ')?;
    let mut endpoints = seen.endpoints.iter().map(|it| &it.report);
    let endpoint = endpoints.find(|report| report.endpoint.set.name == name);
    let source = seen.sources.iter().find(|it| it.source.name == name);
    let since = Timestamp(open.since_ms);
    let lasted = short_span(seen.now.since(since));
    let is_later = |at: Option<Timestamp>| at.is_some_and(|at| at > since);
    Some(match (kind, endpoint, source) {
        ("disk", ..) if seen.trouble.is_none() => format!("over: {}", open.text),
        ("held", Some(report), _) if report.endpoint.held.is_none() => {
            format!("{name} is not held any more")
        }
        ("offline", Some(report), _) if report.outage.is_none() => {
            format!("{name} can be reached again, after {lasted}")
        }
        ("refusing", Some(report), _) if is_later(report.last_delivered) => {
            format!("{name} takes what it is sent again, after {lasted}")
        }
        ("silent", _, Some(source)) if is_later(source.last_event) => {
            format!("events come through {name} again, after {lasted}")
        }
        ("rejected", _, Some(_)) => format!("{name} rejected nothing for an hour"),
        _ => return None,
    })
}

impl RejectionWindow {
    /// The window that follows on this one with the count of now.
    fn next(before: Option<&RejectionWindow>, count: i64, now: Timestamp) -> RejectionWindow {
        let fresh = |at_first| RejectionWindow {
            from_ms: now.0,
            at_first,
            at_last: count,
            grew_ms: now.0,
        };
        let Some(held) = before.copied() else {
            return fresh(count);
        };
        // Not where the clock was set back, or the source is another one.
        let is_past = now.0 >= held.from_ms && count >= held.at_last;
        let is_hour_over = now.since(Timestamp(held.from_ms)) >= WINDOW;
        match count > held.at_last {
            _ if !is_past => fresh(count),
            true if is_hour_over => fresh(held.at_last),
            true => RejectionWindow {
                at_last: count,
                grew_ms: now.0,
                ..held
            },
            // What does not change is not written.
            false => held,
        }
    }
}

/// Whether it is there for alerts: that one of those was given up is not told to other ones, which might be
/// given up too.
fn gets_alerts_alone(endpoint: &EndpointSeen) -> bool {
    let types = endpoint.report.endpoint.set.filters.types.as_ref();
    types.is_some_and(|types| types.to_string() == ALERT_TYPE)
}

/// All endpoints but the one that the alert itself is sent to.
fn others<'s>(seen: &'s Snapshot, set: &'s NewAlert) -> impl Iterator<Item = &'s EndpointSeen> {
    let is_own =
        |endpoint: &EndpointSeen| set.endpoint() == Some(&endpoint.report.endpoint.set.name);
    seen.endpoints
        .iter()
        .filter(move |endpoint| !is_own(endpoint))
}

/// The source of this name, or all.
fn named<'s>(seen: &'s Snapshot, name: Option<&'s str>) -> impl Iterator<Item = &'s SourceReport> {
    let all = seen.sources.iter();
    all.filter(move |source| name.is_none_or(|name| source.source.name == name))
}

fn waiting(endpoint: &EndpointSeen) -> String {
    match endpoint.report.pending {
        0 => String::new(),
        pending => format!(
            "; {} for it",
            counted(pending, "delivery waits", "deliveries wait")
        ),
    }
}

/// A span as people say it: of more than a minute only the minutes.
fn short_span(span: Duration) -> String {
    let seconds = span.as_secs();
    show_span(Duration::from_secs(match seconds {
        0..60 => seconds,
        60..86_400 => seconds - seconds % 60,
        _ => seconds - seconds % 3_600,
    }))
}
