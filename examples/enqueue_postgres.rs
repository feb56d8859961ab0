//! An event in the application's own transaction, on a server:
//! `cargo run --example enqueue_postgres -- postgres://localhost/app`
//!
//! A `hookbox serve` on the same database sends it.
#![allow(clippy::print_stdout, reason = "an example that shows what it does")]

use hookbox::model::event::NewEvent;
use hookbox::postgres::{Client, NoTls};
use hookbox::store::{Missing, Store};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Fallible<()> {
    let url = std::env::args()
        .nth(1)
        .ok_or("name a database: postgres://localhost/app")?;
    // Adds hookbox's tables where they are not there yet.
    Store::open(&url, Missing::Create)?.close();
    let mut db = Client::connect(&url, NoTls)?;
    db.batch_execute(
        "create table if not exists orders (id bigint primary key, total bigint not null)",
    )?;
    pay(&mut db, 1, 42)?;
    if let Err(error) = pay(&mut db, 2, -1) {
        println!("order 2 was rolled back: {error}");
    }
    let orders: i64 = db.query_one("select count(*) from orders", &[])?.get(0);
    println!("orders: {orders}");
    Ok(())
}

/// The order and the event that tells of it: both are there, or neither is.
fn pay(db: &mut Client, order: i64, total: i64) -> Fallible<()> {
    let mut tx = db.transaction()?;
    tx.execute(
        "insert into orders (id, total) values ($1, $2)",
        &[&order, &total],
    )?;
    let event = NewEvent {
        key: Some(format!("order-{order}")),
        ..NewEvent::new(
            "order.paid",
            format!(r#"{{"order":{order},"total":{total}}}"#),
        )
    };
    hookbox::enqueue(&mut tx, &event)?;
    if total < 0 {
        // The transaction is rolled back when it is dropped.
        return Err("nobody pays less than nothing".into());
    }
    tx.commit()?;
    Ok(())
}
