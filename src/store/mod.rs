//! The store: one SQLite file, and every SQL statement of the program.
//!
//! One writer thread owns the only write connection of the process and commits in groups. Readers have
//! their own read-only connections. Nothing here reads a clock or uses the network, and no transaction
//! stays open after a call returns.
//!
//! Its modules, from the lowest to the highest; each imports only from those before it:
//!
//! | module | does |
//! | --- | --- |
//! | `engine` | has the handle, the writer, the readers; `engine/sqlite` is the file |
//! | `intake` | stores events and decides which endpoints get them |
//! | `drain` | finds what is due and records attempts |
//! | `history` | lists and searches what happened |
//! | `setup` | adds, changes and removes sources and endpoints |
//! | `replay` | sends again what a person asks for |
//! | `upkeep` | removes old rows; checks the file for the doctor |

mod drain;
mod engine;
mod history;
mod intake;
mod replay;
mod setup;
mod upkeep;

pub(crate) use drain::clock_shift::Shift;
#[doc(hidden)]
pub use drain::due::DueDelivery;
#[doc(hidden)]
pub use drain::endpoint_state::RecentPace;
pub(crate) use drain::expire::Expired;
#[doc(hidden)]
pub use drain::record::{FailingChange, Report};
pub use engine::conn::AppConnection;
#[doc(hidden)]
pub use engine::directory::Directory;
#[doc(hidden)]
pub use engine::forge::{Forge, ForgeLocation, HookRequest, HookTask, MysqlUrl};
#[doc(hidden)]
pub use engine::idempotent_requests::{IdempotentRequest, StoredAnswer};
pub(crate) use engine::in_progress::{WorkItem, WorkLog};
pub use engine::location::{Location, Missing};
#[doc(hidden)]
pub use engine::measures::{AttemptLabels, Measures, OutcomeLabel};
#[doc(hidden)]
pub use engine::moving::{MovePhase, MoveProgress, Moved, MovedTable, move_to};
#[doc(hidden)]
pub use engine::published::{GroupStats, Listening, Woken};
#[doc(hidden)]
pub use engine::sqlite::backup::Copied;
#[doc(hidden)]
pub use engine::sqlite::check::{Depth, Fault, check};
#[doc(hidden)]
pub use engine::sqlite::compact::Compacted;
pub use engine::sqlite::disk_space::{KEEP_FREE, Limits, Sizes};
#[doc(hidden)]
pub use engine::sqlite::names::{Named, names};
#[doc(hidden)]
pub use engine::sqlite::restore::{Restored, restore};
#[doc(hidden)]
pub use engine::sqlite::salvage::{Salvaged, SalvagedTable, salvage};
#[doc(hidden)]
pub use engine::store::Serving;
pub use engine::store::Store;
pub(crate) use engine::writer::DIRECTORY_AGE_MAX;
#[doc(hidden)]
pub use history::follow::{FeedBatch, FeedEvent, Follower};
#[doc(hidden)]
pub use history::matches::{Match, Unowed};
pub use history::query::{OutageRecord, PAGE_DEFAULT, PAGE_MAX};
pub use history::search::Found;
#[doc(hidden)]
pub use intake::accept::REPEAT_QUIET;
#[cfg(feature = "postgres")]
pub use intake::outbox::enqueue_async;
pub use intake::outbox::{Taken, enqueue};
#[doc(hidden)]
pub use intake::rejected::SourceRejections;
pub use replay::{
    Original, PendingFound, Preview, PreviewOfEndpoint, REPLAY_BATCH, REPLAY_PENDING_MAX,
    ReplayOptions, Step, Stopped,
};
#[doc(hidden)]
pub use setup::apply::{Setup, SetupError};
#[doc(hidden)]
pub use upkeep::doctor::{Health, OpenTo};
pub(crate) use upkeep::index::IndexWork;
pub use upkeep::prune::{Before, Pruned};
pub use upkeep::retention::Retention;
