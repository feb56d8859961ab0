// An event in the application's own transaction, from Node: node enqueue.mjs app.db
//
// The database must have hookbox's tables: hookbox init --into-existing --wal --db app.db
// Needs better-sqlite3 (npm install better-sqlite3), which brings its own SQLite. With Node 22 or
// newer node:sqlite does as well: its DatabaseSync has exec and prepare of the same names, and
// "begin immediate", "commit" and "rollback" are run by hand.
import { createRequire } from "node:module";

// Found where this is run, not where it lies.
const Database = createRequire(`${process.cwd()}/`)("better-sqlite3");

// Waits up to five seconds for another writer's transaction to end.
const db = new Database(process.argv[2], { timeout: 5000 });
db.exec("create table if not exists orders (id integer primary key, total integer)");

const addOrder = db.prepare("insert into orders (id, total) values (?, ?)");
const addEvent = db.prepare("insert into hookbox_outbox (type, key, body) values (?, ?, ?)");

// The order and the event that tells of it: both are there, or neither is.
const pay = db.transaction((order, total) => {
  addOrder.run(order, total);
  addEvent.run("order.paid", `order-${order}`, JSON.stringify({ order, total }));
  if (total < 0) {
    throw new RangeError("nobody pays less than nothing");
  }
});

pay.immediate(1, 42);
try {
  pay.immediate(2, -1);
} catch (error) {
  console.log(`order 2 was rolled back: ${error.message}`);
}
console.log("orders:", db.prepare("select count(*) as count from orders").get().count);
