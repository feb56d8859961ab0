//! Marks: a part of each id, so that ids of a file and of its copies differ.
//!
//! A process draws a mark before it creates its first row. If another process serves the file, that
//! process's mark is used instead: the serving process checks that the file is not replaced.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::{Error, Result};
use crate::model::id::{BoxId, Mark};
use crate::store::engine::conn::{Conn, params};
use crate::store::engine::published::Published;

/// Letters and digits that are not confused with each other (Crockford's base 32, lower case).
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Reads the marks that were added since the last read.
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

/// Asks whether another process serves the database now, whose mark is used then.
pub(crate) type IsServed = Box<dyn Fn(Conn<'_>) -> Result<bool> + Send>;

/// Whether this process drew its mark. The writer owns this, and reports when a job or a group is rolled
/// back.
pub(crate) struct Marking {
    /// Whether another process serves the database now.
    is_served: IsServed,
    published: Arc<Published>,
    box_id: BoxId,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    None,
    /// Drawn in the open transaction.
    Drawn(Mark),
    /// Committed.
    Held,
}

impl Marking {
    pub(crate) fn new(is_served: IsServed, published: Arc<Published>, box_id: BoxId) -> Marking {
        Marking {
            is_served,
            published,
            box_id,
            state: State::None,
        }
    }

    /// Draws a mark, unless this process has one.
    pub(crate) fn ensure(&mut self, conn: Conn<'_>) -> Result<()> {
        if self.state != State::None {
            return Ok(());
        }
        let is_shared = (self.is_served)(conn)?;
        self.state = match draw(conn, is_shared)? {
            Some(mark) => State::Drawn(mark),
            None => State::Held,
        };
        if self.state == State::Held {
            self.hold();
        }
        Ok(())
    }

    /// Whether a mark was drawn in the open transaction; the argument of [`Marking::undo_to`].
    pub(crate) fn is_drawn(&self) -> bool {
        matches!(self.state, State::Drawn(_))
    }

    /// Forgets a mark that a rolled back job drew.
    pub(crate) fn undo_to(&mut self, was_drawn: bool) {
        if self.is_drawn() && !was_drawn {
            self.state = State::None;
        }
    }

    /// The transaction is rolled back.
    pub(crate) fn rolled_back(&mut self) {
        self.undo_to(false);
    }

    /// The transaction is committed: the ids of its rows may be shown.
    pub(crate) fn committed(&mut self) {
        if let State::Drawn(mark) = &self.state {
            self.box_id.add_mark(mark.clone());
            self.state = State::Held;
            self.hold();
        }
    }

    /// The rows from now on have a mark. While this process serves, no other one draws one.
    fn hold(&self) {
        let serves = self.published.serves();
        self.published.has_mark.store(serves, Ordering::Release);
    }
}

/// Draws a mark for the rows from now on. With `is_shared`, another process serves the file and drew a
/// mark. Returns the new mark; `None` if that other mark is used.
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
    let id = conn.insert(next_of(conn), params! { ":mark": mark })?;
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

/// The statement that adds a mark, for all rows that come from now on. On a server another process may have
/// rows that it has not committed yet, with an older mark: their ids are below the next one of the sequence.
fn next_of(conn: Conn<'_>) -> &'static str {
    match conn.is_file() {
        true => {
            "insert into hookbox_mark (mark, event_from, delivery_from)
             values (
                 :mark,
                 (select coalesce(max(id), 0) + 1 from hookbox_event),
                 (select coalesce(max(id), 0) + 1 from hookbox_delivery)
             )"
        }
        false => {
            "insert into hookbox_mark (mark, event_from, delivery_from)
             values (
                 :mark,
                 (select coalesce(pg_sequence_last_value(s), 0) + 1
                  from cast(pg_get_serial_sequence('hookbox_event', 'id') as regclass) as s),
                 (select coalesce(pg_sequence_last_value(s), 0) + 1
                  from cast(pg_get_serial_sequence('hookbox_delivery', 'id') as regclass) as s)
             )"
        }
    }
}

/// Removes marks that no row uses any more. A mark is unused when the next mark begins before the first row
/// that is left.
pub(crate) fn forget(conn: Conn<'_>) -> Result<()> {
    conn.run(
        "delete from hookbox_mark
         where id < (
             select max(id) from hookbox_mark
             where event_from <= (select min(id) from hookbox_event)
                 and delivery_from <= (select coalesce(min(id), delivery_from) from hookbox_delivery)
         )",
        &[],
    )?;
    Ok(())
}
