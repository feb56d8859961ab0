//! The tables that a move copies, with their columns and the order of their rows.
//!
//! Lanes and nodes are not among them: they belong to the processes that serve. Keys are made anew from the
//! events. The row of `hookbox_meta` is written by itself.

use crate::error::Result;
use crate::store::engine::conn::Row;
use crate::store::engine::value::Value;

/// A table that both engines have.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its name; in PostgreSQL it may be a view.
    pub(crate) name: &'static str,
    /// Where the rows go in PostgreSQL, if `name` is a view there: the table, and a column that is 0.
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "files have no such views")
    )]
    pub(crate) behind_view: Option<(&'static str, &'static str)>,
    pub(crate) columns: &'static [&'static str],
    /// The columns that order the rows. The first is a whole number, save for the counts.
    pub(crate) order: &'static str,
}

/// A table with rows ordered by `order`.
const fn table(name: &'static str, order: &'static str, columns: &'static [&'static str]) -> Table {
    Table {
        name,
        behind_view: None,
        columns,
        order,
    }
}

/// The name of the table of events, whose keys are made anew.
pub(crate) const EVENTS: &str = "hookbox_event";

/// Of rows of the outbox: whether the body is a text. SQLite has no such column, it keeps the type itself.
pub(crate) const IS_TEXT: &str = "is_text";

/// The tables, each after those that it refers to.
pub(crate) const TABLES: &[Table] = &[
    table(
        "hookbox_mark",
        "id",
        &["id", "mark", "event_from", "delivery_from"],
    ),
    table(
        "hookbox_source",
        "id",
        &[
            "id",
            "name",
            "kind",
            "secret",
            "tolerance_ms",
            "path_token",
            "on_repeat",
            "generic",
            "created_ms",
            "removed_ms",
        ],
    ),
    table(
        "hookbox_endpoint",
        "id",
        &[
            "id",
            "name",
            "url",
            "format",
            "template",
            "sign",
            "secret",
            "signature",
            "connection",
            "types",
            "sources",
            "branches",
            "when_true",
            "timeout_ms",
            "concurrency",
            "rate",
            "retry",
            "tries",
            "expire_ms",
            "expire_offline",
            "probe_max_ms",
            "digest_ms",
            "\"window\"",
            "ordered",
            "only_replays",
            "created_ms",
            "removed_ms",
            "held_ms",
            "held_reason",
            "manual_retry_seq",
        ],
    ),
    table(
        "hookbox_old_secret",
        "id",
        &["id", "of", "owner_id", "secret", "ends_ms"],
    ),
    table(
        "hookbox_rejected_request",
        "source_id, number",
        &[
            "source_id",
            "number",
            "at_ms",
            "count",
            "address",
            "status",
            "reason",
            "headers",
        ],
    ),
    table(
        "hookbox_relay_box",
        "source_id, box",
        &[
            "source_id",
            "box",
            "name",
            "first_ms",
            "last_ms",
            "requests",
            "events",
        ],
    ),
    table(
        "hookbox_failing_endpoint",
        "endpoint_id",
        &["endpoint_id", "lasting_ms"],
    ),
    table("hookbox_clock_set", "id", &["id", "from_ms", "by_ms"]),
    table(
        "hookbox_pace",
        "endpoint_id",
        &["endpoint_id", "ended", "not_before_ms", "until_ms"],
    ),
    Table {
        behind_view: Some(("hookbox_node_tally", "node_id")),
        ..table(
            "hookbox_tally",
            "of, id, what",
            &["of", "id", "what", "value"],
        )
    },
    Table {
        behind_view: Some(("hookbox_node_hour", "node_id")),
        ..table(
            "hookbox_hour",
            "endpoint_id, hour, outcome",
            &["endpoint_id", "hour", "outcome", "count"],
        )
    },
    table(
        EVENTS,
        "id",
        &[
            "id",
            "source_id",
            "type",
            "original_type",
            "key",
            "received_ms",
            "content_type",
            "summary",
            "branch",
            "is_json",
            "problem",
            "bytes",
            "encoding",
            "replay_of_event",
            "headers",
            "body",
        ],
    ),
    table(
        "hookbox_outbox_row",
        "id",
        &[
            "id",
            "type",
            "body",
            IS_TEXT,
            "key",
            "source",
            "content_type",
            "headers",
            "inserted_ms",
            "problem",
            "mark",
        ],
    ),
    table(
        "hookbox_alert",
        "id",
        &[
            "id",
            "name",
            "endpoint_id",
            "about",
            "every_ms",
            "created_ms",
            "memory",
        ],
    ),
    table(
        "hookbox_replay",
        "id",
        &[
            "id",
            "kind",
            "state",
            "asked_by",
            "created_ms",
            "ended_ms",
            "filter",
            "to_endpoint_id",
            "new_id",
            "rate",
            "expected",
            "up_to",
            "done_to",
            "made",
        ],
    ),
    table(
        "hookbox_delivery",
        "id",
        &[
            "id",
            "event_id",
            "endpoint_id",
            "state",
            "created_ms",
            "due_ms",
            "settled_ms",
            "tries",
            "attempts",
            "reason",
            "replay_of",
            "when_error",
            "replay_id",
            "new_id",
            "superseded_by",
        ],
    ),
    table(
        "hookbox_attempt",
        "id",
        &[
            "id",
            "delivery_id",
            "number",
            "started_ms",
            "resolve_us",
            "connect_us",
            "wait_us",
            "read_us",
            "total_us",
            "outcome",
            "status",
            "error",
            "request_headers",
            "response_headers",
            "response_body",
            "response_truncated",
        ],
    ),
    table("hookbox_recent_attempt", "id", &["id", "attempt_id"]),
    table(
        "hookbox_outage",
        "id",
        &[
            "id",
            "endpoint_id",
            "since_ms",
            "last_probe_ms",
            "probes",
            "error",
            "ended_ms",
        ],
    ),
    table(
        "hookbox_answer",
        "id",
        &["id", "key", "request", "made_ms", "status", "body"],
    ),
];

impl Table {
    /// The place of a column in a row.
    pub(crate) fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| *known == column)
    }

    /// Whether its ids are given out one after the other. Those of attempts are made of their deliveries'.
    pub(crate) fn gives_ids(&self) -> bool {
        self.columns[0] == "id" && self.name != "hookbox_attempt"
    }

    /// The statement that reads all rows, in order. The texts are in the order of their bytes in both
    /// engines.
    pub(crate) fn select(&self, is_file: bool) -> String {
        let column = |name: &&'static str| match *name {
            IS_TEXT if is_file => "typeof(body) = 'text'",
            name => name,
        };
        let columns: Vec<&str> = self.columns.iter().map(column).collect();
        let (name, order) = (self.name, self.order);
        format!("select {} from {name} order by {order}", columns.join(", "))
    }

    /// The columns of a row, as both engines would have them.
    pub(crate) fn read<'r>(&self, row: &'r Row<'_>) -> Result<Vec<Value<'r>>> {
        let mut values = (0..self.columns.len())
            .map(|index| row.value(index))
            .collect::<Result<Vec<Value<'_>>>>()?;
        if self.place(IS_TEXT).is_some()
            && let Some(place) = self.place("body")
            && let Value::Text(text) = &values[place]
        {
            values[place] = Value::Blob(text.clone());
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// Tables of the file that are not copied: one row that is written by itself, and the keys.
    const OTHERS: [&str; 4] = [
        "hookbox_key",
        "hookbox_key_move",
        "hookbox_meta",
        "hookbox_recent_key",
    ];

    fn texts(connection: &Connection, query: &str) -> Vec<String> {
        let mut statement = connection.prepare(query).unwrap();
        let texts = statement.query_map([], |row| row.get(0)).unwrap();
        texts.collect::<rusqlite::Result<_>>().unwrap()
    }

    #[test]
    fn every_table_and_every_column_of_the_file_is_moved() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("../../../../schema.sql"))
            .unwrap();
        let all = texts(
            &connection,
            "select name from sqlite_schema where type = 'table' order by name",
        );
        let mut known: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        known.extend(OTHERS);
        known.sort_unstable();
        assert_eq!(all, known);
        for table in TABLES {
            let query = format!("select name from pragma_table_info('{}')", table.name);
            let mut columns = texts(&connection, &query);
            columns.sort();
            let mut moved: Vec<&str> = table.columns.to_vec();
            moved.retain(|name| *name != IS_TEXT);
            let mut moved: Vec<&str> = moved.iter().map(|name| name.trim_matches('"')).collect();
            moved.sort_unstable();
            assert_eq!(columns, moved, "{}", table.name);
        }
    }
}
