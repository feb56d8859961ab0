//! An endpoint's rate limit: when it may get the next request. Pure.
//!
//! A limit of N requests per span is a sliding window: it holds for every span, not only for the minutes of
//! the clock. The limiter stores when each request ended. A request counts from the moment it is sent until
//! one span after it ended. The receiver counts it at some moment between start and end; so the receiver
//! also sees no span with more than N. Times are on the monotonic clock. Requests of an earlier process
//! have negative times.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::rate::Rates;

/// A moment, in nanoseconds after the start of the clock; negative before it.
type Nanos = i128;

#[derive(Debug, Default)]
pub(super) struct RateLimiter {
    /// When each request ended, oldest first.
    ended: VecDeque<Nanos>,
    /// No request before this moment: the endpoint asked for a pause.
    not_before: Nanos,
}

fn nanos(span: Duration) -> Nanos {
    // An `i128` of nanoseconds holds far more than the 300 years that can occur.
    span.as_nanos() as Nanos
}

fn span(nanos: Nanos) -> Duration {
    Duration::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}

impl RateLimiter {
    /// Restores what an earlier process knew.
    ///
    /// `ages` says how long ago requests ended, oldest first; `pause` is what is left of the endpoint's
    /// pause.
    pub(super) fn remembered(now: Duration, ages: &[Duration], pause: Duration) -> RateLimiter {
        RateLimiter {
            ended: ages.iter().map(|age| nanos(now) - nanos(*age)).collect(),
            not_before: nanos(now) + nanos(pause),
        }
    }

    /// Returns how long ago requests ended, oldest first.
    pub(super) fn ages(&self, now: Duration) -> impl Iterator<Item = Duration> {
        self.ended.iter().map(move |at| span(nanos(now) - at))
    }

    /// Records that a request which reached the endpoint has ended.
    pub(super) fn ended(&mut self, now: Duration, rates: Option<&Rates>) {
        let Some(rates) = rates else {
            self.ended.clear();
            return;
        };
        self.ended.push_back(nanos(now));
        let longest = rates.limits().iter().map(|rate| rate.span).max();
        let forgotten = nanos(now) - nanos(longest.unwrap_or_default());
        while self.ended.front().is_some_and(|at| *at < forgotten) {
            self.ended.pop_front();
        }
    }

    /// Records that the endpoint asked for a pause of this length.
    pub(super) fn pause(&mut self, now: Duration, pause: Duration) {
        self.not_before = self.not_before.max(nanos(now) + nanos(pause));
    }

    /// Ends the pause early: a person asked to send now.
    pub(super) fn clear_pause(&mut self) {
        self.not_before = 0;
    }

    /// Returns how much of the pause is left.
    pub(super) fn pause_left(&self, now: Duration) -> Duration {
        span(self.not_before - nanos(now))
    }

    /// Returns how many more requests may be sent now, besides the ones on the wire.
    pub(super) fn room(&self, now: Duration, on_wire: usize, rates: Option<&Rates>) -> usize {
        if self.not_before > nanos(now) {
            return 0;
        }
        let limits = rates.map_or(&[][..], Rates::limits).iter();
        let rooms = limits.map(|rate| {
            let counted = self.counted_since(now, rate.span) + on_wire;
            (rate.count as usize).saturating_sub(counted)
        });
        rooms.min().unwrap_or(usize::MAX)
    }

    /// Returns the time until another request may be sent.
    ///
    /// `None` if the limit is reached by requests still on the wire: one of them must end first.
    pub(super) fn wait(
        &self,
        now: Duration,
        on_wire: usize,
        rates: Option<&Rates>,
    ) -> Option<Duration> {
        let limits = rates.map_or(&[][..], Rates::limits).iter();
        let mut longest = span(self.not_before - nanos(now));
        for rate in limits {
            let count = rate.count as usize;
            let counted = self.counted_since(now, rate.span);
            if counted + on_wire < count {
                continue;
            }
            // The request that must leave the span before the next one fits.
            let index = (counted + on_wire - count).checked_add(self.ended.len() - counted)?;
            let leaves = *self.ended.get(index)? + nanos(rate.span);
            longest = longest.max(span(leaves - nanos(now)));
        }
        Some(longest)
    }

    /// Counts the requests that ended less than one span ago.
    fn counted_since(&self, now: Duration, span: Duration) -> usize {
        let recent = self.ended.iter().rev();
        recent
            .take_while(|at| **at + nanos(span) > nanos(now))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(text: &str) -> Rates {
        text.parse().unwrap()
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn no_span_holds_more_requests_than_it_may_wherever_they_were_counted() {
        let mut random = fastrand::Rng::with_seed(5);
        for text in ["20/m", "5/s,100/m", "1/s", "3/500ms,4/s"] {
            let rates = rates(text);
            let mut pace = RateLimiter::default();
            let mut on_wire: Vec<(Duration, Duration)> = Vec::new();
            // When the receiver counted each request: some time between its start and its end.
            let mut counted = Vec::new();
            let mut now = ms(1);
            while counted.len() < 400 {
                on_wire.retain(|(started, ends)| {
                    if *ends > now {
                        return true;
                    }
                    pace.ended(now, Some(&rates));
                    counted.push(*started + (*ends - *started).mul_f64(random.f64()));
                    false
                });
                let room = pace.room(now, on_wire.len(), Some(&rates));
                for _ in 0..room.min(8 - on_wire.len()) {
                    on_wire.push((now, now + ms(random.u64(1..2_000))));
                }
                now += ms(random.u64(1..50));
            }
            counted.sort();
            for limit in rates.limits() {
                for window in counted.windows(limit.count as usize + 1) {
                    let [first, .., last] = window else { continue };
                    assert!(
                        *last - *first >= limit.span,
                        "{text}: {first:?} to {last:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_wait_ends_when_there_is_room_and_not_before() {
        let rates = rates("2/s,3/m");
        let mut pace = RateLimiter::default();
        assert_eq!(pace.room(ms(0), 0, Some(&rates)), 2);
        assert_eq!(pace.wait(ms(0), 0, Some(&rates)), Some(ms(0)));
        // Both requests are on the wire: only a response makes room.
        assert_eq!(pace.room(ms(0), 2, Some(&rates)), 0);
        assert_eq!(pace.wait(ms(0), 2, Some(&rates)), None);
        pace.ended(ms(100), Some(&rates));
        pace.ended(ms(300), Some(&rates));
        assert_eq!(pace.wait(ms(400), 0, Some(&rates)), Some(ms(700)));
        assert_eq!(pace.room(ms(1_099), 0, Some(&rates)), 0);
        assert_eq!(pace.room(ms(1_100), 0, Some(&rates)), 1);
        assert_eq!(pace.wait(ms(1_100), 0, Some(&rates)), Some(ms(0)));
        pace.ended(ms(1_200), Some(&rates));
        // Now the limit per minute is reached.
        assert_eq!(pace.room(ms(5_000), 0, Some(&rates)), 0);
        assert_eq!(pace.wait(ms(5_000), 0, Some(&rates)), Some(ms(55_100)));
    }

    #[test]
    fn an_endpoint_that_asks_for_it_is_left_alone_and_the_longest_wish_counts() {
        let rates = rates("1000/s");
        let mut pace = RateLimiter::default();
        pace.pause(ms(10), ms(500));
        pace.pause(ms(20), ms(100));
        for rates in [None, Some(&rates)] {
            assert_eq!(pace.room(ms(509), 0, rates), 0);
            assert_eq!(pace.wait(ms(500), 0, rates), Some(ms(10)));
            assert!(pace.room(ms(510), 0, rates) > 0);
        }
    }

    #[test]
    fn what_a_former_process_sent_still_counts() {
        let rates = rates("2/m");
        let mut pace = RateLimiter::remembered(ms(5), &[ms(50_000), ms(20_000)], ms(0));
        assert_eq!(pace.room(ms(5), 0, Some(&rates)), 0);
        assert_eq!(pace.wait(ms(5), 0, Some(&rates)), Some(ms(10_000)));
        assert_eq!(pace.room(ms(10_005), 0, Some(&rates)), 1);
        pace.ended(ms(10_005), Some(&rates));
        let ages: Vec<Duration> = pace.ages(ms(10_005)).collect();
        assert_eq!(ages, [ms(60_000), ms(30_000), ms(0)]);
    }

    #[test]
    fn without_a_rate_there_is_always_room_and_nothing_is_remembered() {
        let mut pace = RateLimiter::default();
        for at in 0..1_000 {
            pace.ended(ms(at), None);
        }
        assert!(pace.ended.is_empty());
        assert_eq!(pace.room(ms(9), 64, None), usize::MAX);
        assert_eq!(pace.wait(ms(9), 64, None), Some(ms(0)));
        // The limiter keeps no more than the longest span needs.
        let rates = rates("1000/s");
        for at in 0..10_000 {
            pace.ended(ms(at), Some(&rates));
        }
        assert!(pace.ended.len() <= 1_001);
    }
}
