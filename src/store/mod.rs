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
pub use drain::due::DueDelivery;
pub use drain::endpoint_state::RecentPace;
pub(crate) use drain::expire::Expired;
pub use drain::record::{FailingChange, Report};
pub use engine::conn::AppConnection;
pub use engine::directory::Directory;
pub use engine::forge::{Forge, ForgeLocation, HookRequest, HookTask, MysqlUrl};
pub use engine::idempotent_requests::{IdempotentRequest, StoredAnswer};
pub(crate) use engine::in_progress::{WorkItem, WorkLog};
pub use engine::location::{Location, Missing};
pub use engine::measures::{AttemptLabels, Measures, OutcomeLabel};
pub use engine::moving::{MovePhase, MoveProgress, Moved, MovedTable, move_to};
pub use engine::published::{GroupStats, Listening, Woken};
pub use engine::sqlite::backup::Copied;
pub use engine::sqlite::check::{Depth, Fault, check};
pub use engine::sqlite::compact::Compacted;
pub use engine::sqlite::disk_space::{KEEP_FREE, Limits, Sizes};
pub use engine::sqlite::names::{Named, names};
pub use engine::sqlite::restore::{Restored, restore};
pub use engine::sqlite::salvage::{Salvaged, SalvagedTable, salvage};
pub use engine::store::Serving;
pub use engine::store::Store;
pub(crate) use engine::writer::DIRECTORY_AGE_MAX;
pub use history::follow::{FeedBatch, FeedEvent, Follower};
pub use history::matches::{Match, Unowed};
pub use history::query::{OutageRecord, PAGE_DEFAULT, PAGE_MAX};
pub use history::search::Found;
pub use intake::accept::REPEAT_QUIET;
#[cfg(feature = "postgres")]
pub use intake::outbox::enqueue_async;
pub use intake::outbox::{Taken, enqueue};
pub use intake::rejected::SourceRejections;
pub use replay::{
    Original, PendingFound, Preview, PreviewOfEndpoint, REPLAY_BATCH, REPLAY_PENDING_MAX,
    ReplayOptions, Step, Stopped,
};
pub use setup::apply::{Setup, SetupError};
pub use upkeep::doctor::{Health, OpenTo};
pub(crate) use upkeep::index::IndexWork;
pub use upkeep::prune::{Before, Pruned};
pub use upkeep::retention::Retention;
