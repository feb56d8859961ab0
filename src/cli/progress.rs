//! Shows the progress of long work on a terminal; without one nothing is drawn.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Context;
use crate::error::Result;
use crate::model::delivery::State;
use crate::model::id::{DeliveryId, ReplayId};
use crate::store::Store;

/// How often a bulk replay is checked.
const PERIOD: Duration = Duration::from_millis(200);

/// A progress display for work of unknown length.
pub(super) struct Searching(ProgressBar);

impl Searching {
    pub(super) fn finish(self) {
        self.0.finish_and_clear();
    }
}

/// Shows that a search is running.
pub(super) fn searching(context: &Context) -> Searching {
    let bar = ProgressBar::with_draw_target(None, target(context));
    bar.set_message("looking through the deliveries");
    bar.enable_steady_tick(PERIOD);
    Searching(bar)
}

/// Waits until a bulk replay is over, and shows its progress.
///
/// The replay continues if this command is interrupted.
#[allow(
    clippy::disallowed_methods,
    reason = "another process does the work, and cannot tell"
)]
pub(super) fn watch(context: &Context, store: &Store, id: ReplayId) -> Result<()> {
    let bar = ProgressBar::with_draw_target(Some(1), target(context));
    let template = "{bar:30} {pos}/{len} settled{msg} {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    loop {
        let record = store.replay_record(id)?;
        bar.set_length(u64::try_from(record.total()).unwrap_or(0));
        bar.set_position(u64::try_from(record.settled()).unwrap_or(0));
        let dead = record.count(State::Dead);
        bar.set_message(match dead {
            0 => format!(", {}", record.state),
            dead => format!(", {dead} of them dead, {}", record.state),
        });
        if record.state.is_over() {
            bar.finish_and_clear();
            context.out.note(&format!(
                "{}: {} of {} settled, {} delivered, {dead} dead",
                record.state,
                record.settled(),
                record.total(),
                record.count(State::Delivered),
            ));
            return Ok(());
        }
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

/// A progress bar for work of a known length.
pub(super) struct Going(ProgressBar);

impl Going {
    pub(super) fn is_at(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done.min(total));
    }

    /// Says what is done now.
    pub(super) fn says(&self, what: String) {
        self.0.set_message(what);
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Starts a bar for work of a known length; `is_bytes` says that the unit is bytes.
pub(super) fn going(context: &Context, is_bytes: bool, what: &'static str) -> Going {
    let bar = ProgressBar::with_draw_target(Some(1), target(context));
    let template = if is_bytes {
        "{msg} {bar:30} {bytes}/{total_bytes} {elapsed}"
    } else {
        "{msg} {bar:30} {percent} % {elapsed}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what);
    Going(bar)
}

fn target(context: &Context) -> ProgressDrawTarget {
    if context.out.is_json() {
        ProgressDrawTarget::hidden()
    } else {
        // Draws on standard error, and only on a terminal.
        ProgressDrawTarget::stderr()
    }
}
