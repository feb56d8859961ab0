//! How an endpoint stands: whether it gets what it is owed, and if not, whether a person must do something.

use std::time::Duration;

use crate::model::endpoint::{EndpointReport, Hold};
use crate::model::outage::Outage;
use crate::time::Timestamp;

/// A receiver that is started anew refuses for less than this.
const PASSING: Duration = Duration::from_secs(300);

/// How an endpoint stands. What comes first here is what a person should look at first.
#[derive(Debug, Clone, Copy)]
pub enum Standing<'r> {
    /// It refuses whatever it is sent, since it last took something: for minutes, until something was given up,
    /// or from the first.
    Refuses {
        /// How long it was asked and refused: the time between its refusals.
        lasting: Duration,
    },
    /// It cannot be reached.
    Offline(&'r Outage),
    /// Nothing is sent to it until a person resumes it.
    Held(&'r Hold),
    /// Its window is closed.
    Closed {
        /// When it opens again, if ever.
        opens: Option<Timestamp>,
    },
    /// Its rate is used up, or it asked to wait, while something waits for it.
    Paced {
        /// When it gets more.
        until: Timestamp,
    },
    /// It took nothing yet.
    Unused,
    /// It gets what it is owed.
    Fine,
}

/// An endpoint that gets more within this time is not told apart: at ten a second it would come and go.
const SOON: Duration = Duration::from_secs(5);

impl Standing<'_> {
    /// Whether a person must do something, or see that somebody does.
    pub fn needs_somebody(&self) -> bool {
        matches!(
            self,
            Standing::Refuses { .. }
                | Standing::Offline(_)
                | Standing::Held(_)
                | Standing::Closed { opens: None }
        )
    }

    /// Whether nothing is sent to it now, or nothing that it takes.
    pub fn stops(&self) -> bool {
        self.needs_somebody() || matches!(self, Standing::Closed { .. })
    }

    /// The word for it, which is the same in all languages.
    pub fn name(&self) -> &'static str {
        match self {
            Standing::Refuses { .. } => "refuses",
            Standing::Offline(_) => "offline",
            Standing::Held(_) => "held",
            Standing::Closed { .. } => "window",
            Standing::Paced { .. } => "pace",
            Standing::Unused => "unused",
            Standing::Fine => "fine",
        }
    }

    /// Where it stands in a list of what to look at first.
    pub fn place(&self) -> u8 {
        match self {
            Standing::Refuses { .. } => 0,
            Standing::Offline(_) => 1,
            Standing::Held(_) => 2,
            Standing::Closed { .. } => 3,
            Standing::Paced { .. } => 4,
            Standing::Unused => 5,
            Standing::Fine => 6,
        }
    }
}

impl EndpointReport {
    /// Whether it took nothing yet. One that refuses from the first is no receiver that is started anew.
    fn is_unused(&self) -> bool {
        self.last_delivered.is_none() && self.delivered == 0
    }

    /// How it stands at this time.
    pub fn standing(&self, now: Timestamp) -> Standing<'_> {
        let set = &self.endpoint.set;
        let closed = set.window.as_ref();
        let closed = closed.and_then(|window| window.closed_until(now));
        if let Some(hold) = &self.endpoint.held {
            Standing::Held(hold)
        } else if let Some(outage) = &self.outage {
            Standing::Offline(outage)
        } else if let Some(lasting) = self.failing
            && (lasting >= PASSING || self.dead > 0 || self.is_unused())
        {
            Standing::Refuses { lasting }
        } else if self.dead > 0 && self.is_unused() {
            // All within a moment.
            Standing::Refuses {
                lasting: Duration::ZERO,
            }
        } else if let Some(opens) = closed {
            Standing::Closed { opens }
        } else if let Some(until) = self.paced_until.filter(|until| *until > now.plus(SOON))
            && self.pending > 0
        {
            Standing::Paced { until }
        } else if self.is_unused() {
            Standing::Unused
        } else {
            Standing::Fine
        }
    }
}

impl EndpointReport {
    /// How long what waits for it takes at most, if it goes on as of late: at its rate, or as fast as so many were
    /// delivered since some time. `None` if none was.
    pub fn time_left(&self, of_late: Option<OfLate>, now: Timestamp) -> Option<Duration> {
        let pending = u64::try_from(self.pending).unwrap_or(0);
        if let Some(rates) = self.endpoint.set.rate() {
            let limits = rates.limits().iter();
            let spans = limits.map(|rate| {
                let spans = pending.div_ceil(u64::from(rate.count.max(1)));
                rate.span
                    .saturating_mul(u32::try_from(spans).unwrap_or(u32::MAX))
            });
            return spans.max();
        }
        let OfLate { delivered, since } = of_late?;
        let each = now
            .since(since)
            .checked_div(u32::try_from(delivered).ok()?)?;
        Some(each.saturating_mul(u32::try_from(pending).unwrap_or(u32::MAX)))
    }
}

/// What an endpoint took in the last minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfLate {
    /// How many deliveries.
    pub delivered: i64,
    /// When the first of them was tried.
    pub since: Timestamp,
}

/// Attempts of the hours since some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Attempts that delivered.
    pub delivered: i64,
    /// Attempts that were refused.
    pub refused: i64,
}

impl Ended {
    /// Adds up the hours of these endpoints that began after `since`.
    pub fn since<'r>(
        reports: impl IntoIterator<Item = &'r EndpointReport>,
        since: Timestamp,
    ) -> Ended {
        let hours = reports.into_iter().flat_map(|report| &report.hours);
        let hours = hours.filter(|hour| hour.began > since);
        hours.fold(Ended::default(), |sum, hour| Ended {
            delivered: sum.delivered + hour.delivered,
            refused: sum.refused + hour.refused,
        })
    }
}
