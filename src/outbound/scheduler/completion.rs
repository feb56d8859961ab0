//! What follows an attempt: it is judged, reported and recorded.
//!
//! It is reported to the endpoint's lane and to the log.
//!
//! The delivery stays in flight until its record is on disk.

use std::sync::Arc;
use std::time::Duration;

use super::Scheduler;
use super::age::deadline;
use crate::error::{Error, Result};
use crate::model::attempt::{Decision, Outcome, Response};
use crate::model::delivery::Transition;
use crate::model::endpoint::{Endpoint, Format};
use crate::model::header::first_value;
use crate::model::id::{DeliveryId, EndpointId};
use crate::model::redact::Redaction;
use crate::outbound::attempt::{Finished, Sent};
use crate::outbound::policy::{AnswerTo, AttemptContext, is_page, judge, relay};
use crate::outbound::transport::{Exchange, SendResult};
use crate::panics::catch_panic;
use crate::store::{FailingChange, RecentPace, Report};
use crate::time::{Timestamp, show_span};

/// How long every request to an endpoint may be refused before the endpoint is held.
const FAILING_MAX: Duration = Duration::from_secs(5 * 86_400);

/// What an attempt changed for its endpoint.
struct LaneUpdate {
    /// Set for a probe during an outage. The outage's own row records it.
    is_probe: bool,
    pace: Option<RecentPace>,
    failing: FailingChange,
}

impl Scheduler {
    /// Judges an attempt and hands a report of each of its deliveries to the writer.
    pub(super) fn settle(&mut self, mut attempt: Finished) {
        self.on_wire = self.on_wire.saturating_sub(1);
        self.memory
            .give_back(attempt.endpoint.id, attempt.body_bytes);
        let unusable = |error: crate::Error| Exchange {
            timing: Default::default(),
            result: unsent(error.chain()),
        };
        let made = std::mem::replace(&mut attempt.exchange, Err(crate::Error::Stopped));
        let mut exchange = made.unwrap_or_else(unusable);
        let endpoint = attempt.endpoint.clone();
        let mut sent = std::mem::take(&mut attempt.sent).into_iter();
        let Some(lead) = sent.next() else { return };
        if let Some(lane) = self.lanes.get_mut(&endpoint.id) {
            lane.suspects.hear(lead.delivery, &mut exchange.result);
        }
        let deliveries = 1 + sent.len();
        let parts = match &exchange.result {
            SendResult::Replied(reply) if endpoint.set.format == Format::Relay => {
                relay::parts(reply, deliveries, endpoint.set.is_ordered)
            }
            _ => None,
        };
        let whole = match deliveries {
            _ if parts.is_some() => AnswerTo::Told,
            1 => AnswerTo::Alone,
            _ => AnswerTo::Shared,
        };
        let chance = self.chance.f64();
        let mut decision = self.judged(&attempt, &lead, &exchange.result, chance, whole);
        if whole == AnswerTo::Shared
            && decision.outcome == Outcome::Delivered
            && decision.error.is_none()
        {
            decision.error = Some(in_company(deliveries));
        }
        let takes_none = |parts: &Vec<Response>| {
            let mut parts = parts.iter();
            !parts.any(|part| (200..300).contains(&part.status))
        };
        if parts.as_ref().is_some_and(takes_none) {
            decision.outcome = Outcome::Refused;
            decision.error = Some("it takes none of the events".to_owned());
        }
        let is_sent = !matches!(exchange.result, SendResult::Unsent { .. });
        let reached = is_sent && decision.outcome != Outcome::Unreachable;
        // The time to connect is left out: it says nothing about how busy the receiver is.
        let took = exchange.timing.wait + exchange.timing.read;
        let update = self.apply_outcome(endpoint.id, &mut decision, is_sent, took, attempt.ended);
        if let Some(lane) = self.lanes.get_mut(&endpoint.id) {
            let spends = matches!(
                decision.change,
                Transition::Retry { .. } | Transition::GiveUp { .. }
            );
            match decision.outcome {
                _ if decision.splits || (spends && whole == AnswerTo::Shared) => {
                    lane.batch.refused(deliveries);
                }
                Outcome::Delivered => lane.batch.accepted(),
                _ => {}
            }
        }
        let mut response = attempt.shown.take();
        let is_page = decision.outcome == Outcome::Delivered
            && endpoint.set.chat().is_none()
            && endpoint.set.connection.expect.is_none()
            && first_value(&attempt.request_headers, "content-type")
                .is_some_and(|content_type| content_type.contains("json"))
            && response.as_ref().is_some_and(is_page);
        // A lane stays while something is on the wire.
        let lane = self.lanes.get(&endpoint.id);
        let lease = match lane {
            Some(lane) => lane.lease,
            None => self.store.lease(endpoint.id),
        };
        let mut parts = parts.into_iter().flatten();
        if let Some(part) = parts.next() {
            let hold = decision.hold.take();
            decision = self.judged_part(&attempt, &lead, &part, chance);
            decision.hold = hold;
            response = Some(hidden(part, &attempt.redaction));
        }
        let report = Report {
            is_page,
            lease,
            delivery: lead.delivery,
            endpoint: endpoint.id,
            started: attempt.started,
            ended: attempt.ended,
            ended_steady: self.steady.now().max(attempt.ended),
            timing: exchange.timing,
            reached,
            request_headers: std::mem::take(&mut attempt.request_headers),
            response,
            decision,
            pace: update.pace,
            failing: update.failing,
            url: endpoint.set.url.clone(),
        };
        // The oldest is written first: it is the first of those that go again.
        self.told(&attempt, &lead, report.clone(), update.is_probe);
        for one in sent {
            let part = parts.next();
            let decision = match &part {
                Some(part) => self.judged_part(&attempt, &one, part, chance),
                None => self.judged(&attempt, &one, &exchange.result, chance, whole),
            };
            if decision.change == Transition::Postpone {
                // Nothing becomes of it. The first one's record tells of the request.
                if let Some(lane) = self.lanes.get_mut(&endpoint.id) {
                    lane.page.put_back(one.delivery);
                }
                continue;
            }
            let part = part.map(|part| hidden(part, &attempt.redaction));
            let report = Report {
                delivery: one.delivery,
                // What is said of the endpoint is in the report of the first.
                decision: Decision {
                    pause: None,
                    is_busy: false,
                    hold: None,
                    error: decision.error.or_else(|| {
                        let is_told =
                            whole == AnswerTo::Shared && decision.outcome == Outcome::Delivered;
                        is_told.then(|| in_company(deliveries))
                    }),
                    ..decision
                },
                response: part.or_else(|| report.response.as_ref().map(outline)),
                pace: None,
                failing: FailingChange::Same,
                ..report.clone()
            };
            self.told(&attempt, &one, report, false);
        }
    }

    /// Decides what happens to a delivery of an attempt.
    fn judged(
        &self,
        attempt: &Finished,
        sent: &Sent,
        answer: &SendResult,
        chance: f64,
        to: AnswerTo,
    ) -> Decision {
        let endpoint = &attempt.endpoint;
        let context = AttemptContext {
            tries: sent.tries,
            now: attempt.ended,
            chance,
            deadline: self.deadline_after(endpoint, answer, sent.owed, attempt.ended),
            to,
        };
        let judged = catch_panic(|| judge(endpoint, answer, context));
        let mut decision = judged.unwrap_or_else(|fault| judge(endpoint, &unsent(fault), context));
        if let Transition::Retry { due } = &mut decision.change {
            // The due time follows the scheduler's own time, which may be ahead of the wall clock.
            *due = due.plus(self.steady.now().since(attempt.ended));
        }
        hide_in(&mut decision, &attempt.redaction);
        decision
    }

    /// Decides what happens to a delivery of which the receiver says by itself what became of it.
    fn judged_part(
        &self,
        attempt: &Finished,
        sent: &Sent,
        part: &Response,
        chance: f64,
    ) -> Decision {
        let answer = SendResult::Replied(part.clone());
        Decision {
            // What is said of one event says nothing of the endpoint.
            hold: None,
            ..self.judged(attempt, sent, &answer, chance, AnswerTo::Part)
        }
    }

    /// Logs what became of a delivery, and has it written.
    fn told(&mut self, attempt: &Finished, sent: &Sent, report: Report, is_probe: bool) {
        if !is_probe {
            self.log_attempt(attempt, sent, &report);
        }
        self.log_ends(attempt, sent, &report.decision);
        self.record(Arc::new(report));
    }

    /// Returns when the event is too old, for an attempt that was not a success.
    fn deadline_after(
        &self,
        endpoint: &Endpoint,
        answer: &SendResult,
        owed: Timestamp,
        ended: Timestamp,
    ) -> Option<Timestamp> {
        let is_taken =
            matches!(answer, SendResult::Replied(reply) if (200..300).contains(&reply.status));
        // A chat may refuse a message with a 2xx.
        if is_taken && endpoint.set.chat().is_none() {
            return None;
        }
        // A deadline that cannot be looked up now is looked up before the next try.
        deadline(&self.store, endpoint, owed, ended).unwrap_or_default()
    }

    /// Reports an attempt to the endpoint's lane: its circuit, concurrency limit and rate limit.
    ///
    /// An endpoint that has refused every request for too long is held.
    fn apply_outcome(
        &mut self,
        endpoint: EndpointId,
        decision: &mut Decision,
        is_sent: bool,
        took: Duration,
        ended: Timestamp,
    ) -> LaneUpdate {
        let mut update = LaneUpdate {
            is_probe: false,
            pace: None,
            failing: FailingChange::Same,
        };
        let elapsed = self.clock.elapsed();
        let Some(lane) = self.lanes.get_mut(&endpoint) else {
            return update;
        };
        let was_open = lane.limits.circuit.probe_at().is_some();
        let reached = is_sent && decision.outcome != Outcome::Unreachable;
        match decision.outcome {
            Outcome::Unreachable => {
                update.is_probe = was_open;
                lane.limits.record_unreachable();
                let longest = lane.endpoint.set.probe_max;
                lane.limits
                    .circuit
                    .unreachable(elapsed, self.chance.f64(), longest);
            }
            Outcome::Delivered => lane.limits.reached(&lane.endpoint, Some(took)),
            Outcome::Refused if reached => lane.limits.reached(&lane.endpoint, None),
            Outcome::Refused => {}
        }
        lane.limits.off_wire();
        if reached {
            lane.limits
                .record_request(elapsed, &lane.endpoint, decision);
            update.pace = lane.limits.recent_pace(&lane.endpoint, ended, elapsed);
            let is_taken = decision.outcome == Outcome::Delivered;
            update.failing = lane.limits.record_outcome(is_taken, elapsed);
            let is_hopeless =
                matches!(update.failing, FailingChange::For(lasting) if lasting >= FAILING_MAX);
            if is_hopeless && decision.hold.is_none() {
                decision.hold = Some(format!(
                    "it has refused everything for {}; the last: {}",
                    show_span(FAILING_MAX),
                    decision.error.as_deref().unwrap_or_default()
                ));
            }
        }
        if decision.hold.is_some() {
            lane.limits.hold();
        }
        if is_sent {
            log_outage(decision, was_open, &lane.endpoint.set.name);
        }
        update
    }

    fn log_attempt(&self, attempt: &Finished, sent: &Sent, report: &Report) {
        let decision = &report.decision;
        let status = report.response.as_ref().map(|response| response.status);
        let took = report.timing.total;
        let spent = u32::from(decision.change != Transition::Postpone);
        tracing::info!(
            event = sent.webhook_id,
            delivery = self.store.box_id().delivery(sent.delivery),
            endpoint = attempt.endpoint.set.name,
            tries = sent.tries + spent,
            outcome = decision.outcome.name(),
            status,
            error = decision.error,
            duration_ms = took.as_micros() as f64 / 1000.0,
            "delivery.attempted"
        );
    }

    /// Logs what a person should know: an endpoint that is held, a delivery that is dead.
    fn log_ends(&self, attempt: &Finished, sent: &Sent, decision: &Decision) {
        let endpoint = &attempt.endpoint.set.name;
        if let Some(reason) = &decision.hold {
            tracing::warn!(endpoint, reason, "endpoint.held");
        }
        if let Transition::GiveUp { reason } = &decision.change {
            tracing::warn!(
                event = sent.webhook_id,
                delivery = self.store.box_id().delivery(sent.delivery),
                endpoint,
                reason,
                "delivery.dead"
            );
        }
    }

    /// Hands a report to the writer and keeps it until it is on disk.
    fn record(&mut self, report: Arc<Report>) {
        let (endpoint, delivery) = (report.endpoint, report.delivery);
        self.recording.insert(delivery, report.clone());
        let mailbox = self.mailbox.clone();
        self.store.record_then(report, move |result| {
            mailbox.recorded(endpoint, delivery, result)
        });
    }

    pub(super) fn recorded(
        &mut self,
        endpoint: EndpointId,
        delivery: DeliveryId,
        result: Result<()>,
    ) {
        match result {
            Err(error) if error.may_pass() => {
                // The request has been sent. Forgetting that would send it again and again, so the report
                // is kept, nothing more is sent, and the write is tried again.
                if !self.cannot_record {
                    tracing::error!(
                        error = error.chain(),
                        "cannot record an attempt; sending waits until it is"
                    );
                }
                self.unwritten.push(delivery);
                self.cannot_record = true;
                self.is_locked_out = error.is_locked_out();
                self.pause();
            }
            Err(error) => {
                self.cannot_record = false;
                let outer = self.store.box_id().delivery(delivery);
                let is_lost = matches!(error, Error::LaneLost);
                let error = error.chain();
                if is_lost {
                    tracing::warn!(delivery = outer, error, "not recorded; it is sent again");
                } else {
                    // The delivery's row was edited by hand or similar. It is left alone until the next
                    // start, so that it does not block the others.
                    tracing::error!(delivery = outer, error, "cannot be recorded; set aside");
                }
                let report = self.recording.remove(&delivery);
                let Some(lane) = self.lanes.get_mut(&endpoint) else {
                    return;
                };
                // Then the hold was not written either, and the endpoint goes on.
                if report.is_some_and(|report| report.decision.hold.is_some()) {
                    lane.limits.hold_written();
                }
                if !is_lost {
                    lane.page.set_aside(delivery);
                } else {
                    // If the lane comes back, what is due is read anew.
                    lane.page.release(delivery);
                    lane.wake();
                }
            }
            Ok(()) => {
                self.cannot_record = false;
                self.release(endpoint, delivery);
            }
        }
    }

    /// Releases a delivery whose report is on disk.
    fn release(&mut self, endpoint: EndpointId, delivery: DeliveryId) {
        let report = self.recording.remove(&delivery);
        let Some(lane) = self.lanes.get_mut(&endpoint) else {
            return;
        };
        if report
            .as_ref()
            .is_some_and(|report| report.decision.hold.is_some())
        {
            lane.limits.hold_written();
        }
        match report.as_ref().map(|report| &report.decision.change) {
            Some(Transition::Postpone) => lane.page.put_back(delivery),
            Some(Transition::Retry { due }) => {
                lane.page.release(delivery);
                lane.expect(*due);
            }
            _ => lane.page.release(delivery),
        }
    }

    /// Tries again to write the reports that could not be written.
    pub(super) fn write_again(&mut self) {
        if self
            .paused_until
            .is_some_and(|until| until > self.clock.elapsed())
        {
            return;
        }
        self.paused_until = None;
        for delivery in std::mem::take(&mut self.unwritten) {
            if let Some(report) = self.recording.remove(&delivery) {
                self.record(report);
            }
        }
    }
}

/// What is said of a delivery that went out with others, as one message.
fn in_company(deliveries: usize) -> String {
    format!("as one message with {} others", deliveries - 1)
}

/// A response with every secret hidden.
fn hidden(mut response: Response, redaction: &Redaction) -> Response {
    redaction.hide(&mut response.body, false);
    response
}

/// What is kept of a response with each delivery of a request but the first.
fn outline(response: &Response) -> Response {
    const BYTES_MAX: usize = 512;
    let kept = response.body.len().min(BYTES_MAX);
    Response {
        status: response.status,
        body: response.body[..kept].to_vec(),
        truncated: response.truncated || kept < response.body.len(),
        ..Response::default()
    }
}

/// Nothing was sent: the stored endpoint cannot be used, e.g. its secret was edited by hand.
fn unsent(error: String) -> SendResult {
    SendResult::Unsent {
        error,
        is_final: false,
    }
}

/// Hides the secrets that the receiver repeated, in the texts of a decision.
fn hide_in(decision: &mut Decision, redaction: &Redaction) {
    let reason = match &mut decision.change {
        Transition::GiveUp { reason } | Transition::Cancel { reason } => Some(reason),
        Transition::Deliver | Transition::Retry { .. } | Transition::Postpone => None,
    };
    let texts = decision.error.iter_mut().chain(&mut decision.hold);
    texts.chain(reason).for_each(|text| redaction.hide_in(text));
}

/// Logs when an outage begins and ends. Its probes are recorded in the outage's row, not in the log.
fn log_outage(decision: &Decision, was_open: bool, endpoint: &str) {
    match (decision.outcome, was_open) {
        (Outcome::Unreachable, false) => {
            tracing::warn!(endpoint, error = decision.error, "endpoint.unreachable");
        }
        (Outcome::Delivered | Outcome::Refused, true) => {
            tracing::warn!(endpoint, "endpoint.reached")
        }
        _ => {}
    }
}
