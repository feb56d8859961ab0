//! An event in the application's own transaction, and hookbox inside the application:
//! `cargo run --example enqueue -- app.db`
//!
//! With no more arguments it leaves the sending to a `hookbox serve` on the same file; with `serve`
//! behind the path it sends by itself, until all is sent.
#![allow(clippy::print_stdout, reason = "an example that shows what it does")]

use hookbox::Hookbox;
use hookbox::model::event::NewEvent;
use hookbox::rusqlite::{Connection, TransactionBehavior};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Fallible<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name a database: app.db")?;
    let mut db = Connection::open(&path)?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    db.execute_batch("create table if not exists orders (id integer primary key, total integer)")?;
    // Adds hookbox's tables where they are not there yet.
    let hookbox = Hookbox::open_in_wal_mode(&path)?;

    pay(&mut db, 1, 42)?;
    if let Err(error) = pay(&mut db, 2, -1) {
        println!("order 2 was rolled back: {error}");
    }
    let orders: i64 = db.query_row("select count(*) from orders", [], |row| row.get(0))?;
    println!("orders: {orders}");

    if arguments.next().as_deref() == Some("serve") {
        let running = hookbox.serve().start()?;
        // Ten seconds at most: somebody may be away.
        for _ in 0..500 {
            let stats = hookbox.store().stats()?;
            if stats.outbox + stats.pending == 0 {
                break;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
        running.stop();
    }
    Ok(())
}

/// The order and the event that tells of it: both are there, or neither is.
fn pay(db: &mut Connection, order: i64, total: i64) -> Fallible<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute(
        "insert into orders (id, total) values (?, ?)",
        [order, total],
    )?;
    let event = NewEvent {
        key: Some(format!("order-{order}")),
        ..NewEvent::new(
            "order.paid",
            format!(r#"{{"order":{order},"total":{total}}}"#),
        )
    };
    hookbox::enqueue(&tx, &event)?;
    if total < 0 {
        // The transaction is rolled back when it is dropped.
        return Err("nobody pays less than nothing".into());
    }
    tx.commit()?;
    Ok(())
}
