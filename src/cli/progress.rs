//! Shows the progress of long work on a terminal, in a line of its own; without one nothing is drawn.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::Context;
use crate::error::Result;
use crate::model::delivery::State;
use crate::model::id::{DeliveryId, ReplayId};
use crate::store::Store;
use crate::time::show_span;

/// How often a bulk replay is checked, and how often a line is drawn at most.
const PERIOD: Duration = Duration::from_millis(200);

/// Waits until a bulk replay is over, and shows its progress.
///
/// The replay continues if this command is interrupted.
#[allow(
    clippy::disallowed_methods,
    reason = "another process does the work, and cannot tell"
)]
pub(super) fn watch(context: &Context, store: &Store, id: ReplayId) -> Result<()> {
    let going = going(context, "");
    loop {
        let record = store.replay_record(id)?;
        let dead = record.count(State::Dead);
        let (settled, total) = (record.settled(), record.total());
        if record.state.is_over() {
            drop(going);
            context.out.note(&format!(
                "{}: {settled} of {total} settled, {} delivered, {dead} dead",
                record.state,
                record.count(State::Delivered),
            ));
            return Ok(());
        }
        going.says(match dead {
            0 => format!("{settled} of {total} settled, {}", record.state),
            dead => format!(
                "{settled} of {total} settled, {dead} of them dead, {}",
                record.state
            ),
        });
        std::thread::sleep(PERIOD);
    }
}

/// Waits until these deliveries are settled, and says what became of them.
#[allow(
    clippy::disallowed_methods,
    reason = "another process does the work, and cannot tell"
)]
pub(super) fn wait_for(context: &Context, store: &Store, made: &[DeliveryId]) -> Result<()> {
    let mut settled: Vec<State> = Vec::new();
    for id in made {
        settled.push(loop {
            match store.delivery(*id)?.state {
                State::Pending => std::thread::sleep(PERIOD),
                state => break state,
            }
        });
    }
    let count = |state| settled.iter().filter(|one| **one == state).count();
    context.out.note(&format!(
        "{} of {} delivered, {} dead",
        count(State::Delivered),
        made.len(),
        count(State::Dead),
    ));
    Ok(())
}

/// What is done, and how far it is; the line goes with it.
pub(super) struct Going<'c> {
    context: &'c Context,
    what: RefCell<String>,
    began: Duration,
    drawn: Cell<Option<Duration>>,
}

impl Going<'_> {
    pub(super) fn is_at(&self, done: u64, total: u64) {
        let percent = done.min(total).saturating_mul(100).checked_div(total);
        self.draw(percent);
    }

    /// Says what is done now.
    pub(super) fn says(&self, what: String) {
        *self.what.borrow_mut() = what;
        self.draw(None);
    }

    fn draw(&self, percent: Option<u64>) {
        let now = self.context.clock.elapsed();
        let is_soon = |drawn: Duration| now.saturating_sub(drawn) < PERIOD;
        if self.drawn.get().is_some_and(is_soon) {
            return;
        }
        self.drawn.set(Some(now));
        let (what, took) = (
            self.what.borrow(),
            show_span(now.saturating_sub(self.began)),
        );
        self.context.out.passing(&match percent {
            Some(percent) => format!("{what} {percent} %, {took}"),
            None => format!("{what}, {took}"),
        });
    }
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        self.context.out.passing("");
    }
}

/// Says that this begins.
pub(super) fn going<'c>(context: &'c Context, what: &str) -> Going<'c> {
    let going = Going {
        context,
        what: RefCell::new(what.to_owned()),
        began: context.clock.elapsed(),
        drawn: Cell::new(None),
    };
    if !what.is_empty() {
        context.out.passing(what);
    }
    going
}
