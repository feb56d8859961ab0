//! The query plan of a statement, for tests that check that a statement uses its index.

use crate::store::engine::Store;
use crate::store::engine::location::Missing;

/// The query plan of a statement on an empty store, one step per line.
pub(crate) fn plan_of(statement: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("h.db"), Missing::Create).unwrap();
    let steps = store.read(|conn| {
        let explain = format!("explain query plan {statement}");
        conn.all(&explain, &[], |row| row.get::<String>("detail"))
    });
    steps.unwrap().join("\n")
}
