//! Everything that is specific to the SQLite file: opening it, its schema, its place, the lock of the
//! serving process, copies of the file, the connection that writes, and how keys are stored in it.

pub(crate) mod backup;
mod bind;
pub(crate) mod check;
pub(crate) mod compact;
pub(crate) mod disk_space;
pub(crate) mod draft;
pub(crate) mod event_keys;
pub(crate) mod lock;
pub(crate) mod moving;
pub(crate) mod names;
pub(crate) mod open;
pub(crate) mod permission;
pub(crate) mod place;
pub(crate) mod restore;
pub(crate) mod salvage;
pub(crate) mod schema;
pub(crate) mod session;
pub(crate) mod text_index;
#[cfg(target_os = "linux")]
pub(crate) mod watch;
/// Elsewhere nothing is heard, and the writer looks.
#[cfg(not(target_os = "linux"))]
pub(crate) mod watch {
    pub(crate) type Watch = ();
}
