//! The SQLite file itself: what is held by reading it, running SQL in it, damaging it, or by the disk, the
//! folder and the users around it. The rest of `tests/it` goes through the public API and the built binary
//! alone, so that it would hold of another engine as well.

mod crowd;
mod damage;
mod embedded;
mod file;
mod import;
mod lock;
mod moving;
mod place;
mod power;
mod retention;
mod room;
mod rows;
mod schema;
mod secrets;
mod sharing;
mod text_index;
mod upkeep;
mod users;
