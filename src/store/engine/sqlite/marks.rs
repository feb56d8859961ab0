//! The marks that make ids differ between a file and its copies.
//!
//! A process that makes rows draws a mark before its first one. Only where another process serves the file,
//! which drew one and is there to see that nobody replaces the file, that process's is used.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::{Error, Result};
use crate::model::id::{BoxId, Mark};
use crate::store::engine::conn::{Conn, params};
use crate::store::engine::published::Published;
use crate::store::engine::sqlite::lock::is_this_served;

/// Letters and digits that cannot be taken for each other (Crockford's base 32, lower case).
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Reads the marks that came since they were last read.
pub(crate) fn refresh(conn: Conn<'_>, box_id: &BoxId) -> Result<()> {
    let newest: Option<i64> =
        conn.one("select max(id) from hookbox_mark", &[], |row| row.get(0))?;
    if newest == box_id.newest_mark() {
        return Ok(());
    }
    let marks = conn.all::<Mark>(
        "select id, mark, event_from, delivery_from from hookbox_mark order by id",
        &[],
        |row| {
            Ok(Mark {
                id: row.get(0)?,
                mark: row.get(1)?,
                event_from: row.get(2)?,
                delivery_from: row.get(3)?,
            })
        },
    )?;
    box_id.set_marks(marks);
    Ok(())
}

/// Whether this process drew its mark. Belongs to the writer, who says when a job or a group is undone.
pub(crate) struct Marking {
    path: PathBuf,
    published: Arc<Published>,
    box_id: BoxId,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    None,
    /// Drawn in the transaction that is open.
    Drawn(Mark),
    /// On disk.
    Held,
}

impl Marking {
    pub(crate) fn new(path: &Path, published: Arc<Published>, box_id: BoxId) -> Marking {
        Marking {
            path: path.to_owned(),
            published,
            box_id,
            state: State::None,
        }
    }

    /// Draws a mark, unless that was done.
    pub(crate) fn ensure(&mut self, conn: Conn<'_>) -> Result<()> {
        if self.state != State::None {
            return Ok(());
        }
        let is_shared = !self.published.serves() && is_this_served(&self.path);
        self.state = match draw(conn, is_shared)? {
            Some(mark) => State::Drawn(mark),
            None => State::Held,
        };
        Ok(())
    }

    /// Whether one was drawn in the transaction that is open; what [`Marking::undo_to`] takes.
    pub(crate) fn is_drawn(&self) -> bool {
        matches!(self.state, State::Drawn(_))
    }

    /// Forgets what a job drew that was rolled back.
    pub(crate) fn undo_to(&mut self, was_drawn: bool) {
        if self.is_drawn() && !was_drawn {
            self.state = State::None;
        }
    }

    /// The transaction is rolled back.
    pub(crate) fn rolled_back(&mut self) {
        self.undo_to(false);
    }

    /// The transaction is committed: ids of what it made may be shown.
    pub(crate) fn committed(&mut self) {
        if let State::Drawn(mark) = &self.state {
            self.box_id.add_mark(mark.clone());
            self.state = State::Held;
            let serves = self.published.serves();
            self.published.has_mark.store(serves, Ordering::Release);
        }
    }
}

/// Draws a mark for what is made from now on; `is_shared` where another process that serves the file drew
/// one. Returns it, unless that one is used.
pub(crate) fn draw(conn: Conn<'_>, is_shared: bool) -> Result<Option<Mark>> {
    if is_shared {
        let known = conn.maybe("select 1 from hookbox_mark limit 1", &[], |_| Ok(()))?;
        if known.is_some() {
            return Ok(None);
        }
    }
    let mut bytes = [0; 5];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::io(
            "draw a random mark",
            std::io::Error::other(error.to_string()),
        )
    })?;
    let mark: String = bytes
        .iter()
        .map(|byte| char::from(DIGITS[usize::from(byte % 32)]))
        .collect();
    let id = conn.insert(
        "insert into hookbox_mark (mark, event_from, delivery_from)
         values (
             :mark,
             (select ifnull(max(id), 0) + 1 from hookbox_event),
             (select ifnull(max(id), 0) + 1 from hookbox_delivery)
         )",
        params! { ":mark": mark },
    )?;
    let drawn = conn.one(
        "select event_from, delivery_from from hookbox_mark where id = :id",
        params! { ":id": id },
        |row| {
            Ok(Mark {
                id,
                mark: mark.clone(),
                event_from: row.get(0)?,
                delivery_from: row.get(1)?,
            })
        },
    )?;
    Ok(Some(drawn))
}

/// Removes marks that no row has any more: the one behind them begins before the first row that is left.
pub(crate) fn forget(conn: Conn<'_>) -> Result<()> {
    conn.run("delete from hookbox_mark
              where id < (
                  select max(id) from hookbox_mark
                  where event_from <= (select min(id) from hookbox_event)
                      and delivery_from <= (select ifnull(min(id), delivery_from) from hookbox_delivery)
              )", &[])?;
    Ok(())
}
