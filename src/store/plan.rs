//! How SQLite means to run a statement, for tests that hold what must be fast to its index.

use crate::store::{Missing, Store};

/// The plan of a statement on an empty store, one step a line.
pub(super) fn plan_of(statement: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("h.db"), Missing::Create).unwrap();
    let plan = store.read(|connection| {
        let mut prepared = connection.prepare(&format!("explain query plan {statement}"))?;
        let mut rows = prepared.raw_query();
        let mut plan = String::new();
        while let Some(row) = rows.next()? {
            plan.push_str(&row.get::<_, String>("detail")?);
            plan.push('\n');
        }
        Ok(plan)
    });
    plan.unwrap()
}
