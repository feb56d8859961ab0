//! What an alert told already, what it has still to tell, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::conditions::Condition;
use super::message::AlertMessage;
use super::{AlertRecord, NewAlert};
use crate::model::endpoint::EndpointReport;
use crate::model::source::SourceReport;
use crate::model::text::counted;
use crate::time::{Timestamp, show_span};

/// What is over and not told yet; what was over before that is forgotten.
const OVER_MAX: usize = 100;

/// In which time rejected requests are counted.
const WINDOW: Duration = Duration::from_secs(3_600);

/// An endpoint as an alert sees it.
#[derive(Debug)]
pub struct EndpointSeen {
    /// Its present state.
    pub report: EndpointReport,
    /// Its last answer that was none of success, if it refuses.
    pub last_refusal: Option<String>,
}

/// What is known when an alert looks.
#[derive(Debug)]
pub struct Seen {
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
    /// What is over since the last message.
    over: Vec<String>,
    /// Deliveries that were given up, by endpoint.
    dead: BTreeMap<String, Dead>,
    /// Requests that were rejected lately, by source.
    rejected: BTreeMap<String, Rejected>,
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

/// The counts of a source at the beginning of an hour, and when it was looked at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Rejected {
    from_ms: i64,
    at_first: i64,
    at_last: i64,
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
    pub fn look(&mut self, seen: &Seen) -> Option<AlertMessage> {
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
                && let Some(text) = over(key, open, seen, set)
                && memory.over.len() < OVER_MAX
            {
                memory.over.push(text);
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
        for (name, dead) in &mut self.dead {
            if dead.untold > 0 {
                let many = counted(dead.untold, "delivery was", "deliveries were");
                problems.push(format!("{many} given up: {name} did not take them"));
                dead.untold = 0;
            }
        }
        let over = std::mem::take(&mut self.over);
        if problems.is_empty() && over.is_empty() {
            return None;
        }
        self.told_ms = Some(now.0);
        Some(AlertMessage {
            problems,
            over,
            open: self.open.len(),
        })
    }

    /// Counts what happens one by one. What happened before the first look is not told.
    fn count(&mut self, seen: &Seen, set: &NewAlert) {
        let wants_dead = set.about.all().contains(&Condition::Dead);
        let before = std::mem::take(&mut self.dead);
        for endpoint in others(seen, set).filter(|_| wants_dead) {
            let name = &endpoint.report.endpoint.set.name;
            let (seen, untold) = match before.get(name) {
                None => (endpoint.report.died, 0),
                Some(dead) => (
                    endpoint.report.died,
                    dead.untold + (endpoint.report.died - dead.seen).max(0),
                ),
            };
            self.dead.insert(name.clone(), Dead { seen, untold });
        }
        let before = std::mem::take(&mut self.rejected);
        for source in &seen.sources {
            let name = source.source.name.clone();
            let (count, now) = (source.refusals, seen.now);
            let fresh = Rejected {
                from_ms: now.0,
                at_first: count,
                at_last: count,
            };
            let mut held = before.get(&name).copied().unwrap_or(fresh);
            let is_hour_over = now.since(Timestamp(held.from_ms)) >= WINDOW;
            if count < held.at_last
                || (is_hour_over && count == held.at_last && count > held.at_first)
            {
                held = fresh;
            } else if count > held.at_last && is_hour_over {
                (held.from_ms, held.at_first) = (now.0, held.at_last);
            }
            held.at_last = count;
            self.rejected.insert(name, held);
        }
    }

    /// All that is wrong now.
    fn find(&self, seen: &Seen, set: &NewAlert) -> BTreeMap<String, Problem> {
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
                            let lasting = about(seen.now.since(outage.since));
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
                                about(lasting),
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
                                format!("nothing came through {name} for {}", about(silence));
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
                        if rejected >= i64::from(*count) {
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

/// What is said of a problem that is over; nothing where its endpoint or source is gone, or nobody asks for it
/// any more.
fn over(key: &str, open: &Open, seen: &Seen, set: &NewAlert) -> Option<String> {
    let (kind, name) = key.split_once(' ')?;
    let is_asked = set.about.all().iter().any(|condition| {
        let written = condition.to_string();
        written.split(':').next() == Some(kind)
    });
    let has_endpoint = others(seen, set).any(|it| it.report.endpoint.set.name == name);
    let has_source = seen.sources.iter().any(|it| it.source.name == name);
    let lasted = about(seen.now.since(Timestamp(open.since_ms)));
    let text = match kind {
        _ if !is_asked => return None,
        "disk" => format!("over: {}", open.text),
        "held" if has_endpoint => format!("{name} is not held any more"),
        "offline" if has_endpoint => format!("{name} can be reached again, after {lasted}"),
        "refusing" if has_endpoint => {
            format!("{name} does not refuse everything any more, after {lasted}")
        }
        "silent" if has_source => format!("events come through {name} again, after {lasted}"),
        "rejected" if has_source => format!("{name} rejects no more than it may"),
        _ => return None,
    };
    Some(text)
}

/// All endpoints but the one that the alert itself is sent to.
fn others<'s>(seen: &'s Seen, set: &'s NewAlert) -> impl Iterator<Item = &'s EndpointSeen> {
    let is_own =
        |endpoint: &EndpointSeen| set.endpoint() == Some(&endpoint.report.endpoint.set.name);
    seen.endpoints
        .iter()
        .filter(move |endpoint| !is_own(endpoint))
}

/// The source of this name, or all.
fn named<'s>(seen: &'s Seen, name: Option<&'s str>) -> impl Iterator<Item = &'s SourceReport> {
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
fn about(span: Duration) -> String {
    let seconds = span.as_secs();
    show_span(Duration::from_secs(match seconds {
        0..60 => seconds,
        60..86_400 => seconds - seconds % 60,
        _ => seconds - seconds % 3_600,
    }))
}
