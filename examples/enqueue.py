"""An event in the application's own transaction, from Python: python3 enqueue.py app.db

The database must have hookbox's tables: hookbox init --into-existing --wal --db app.db
Needs nothing but Python's own sqlite3, with SQLite 3.37 or newer.
"""

import json
import sqlite3
import sys


def pay(db, order, total):
    """The order and the event that tells of it: both are there, or neither is."""
    with db:  # commits at the end, rolls back at an exception
        db.execute("begin immediate")
        db.execute("insert into orders (id, total) values (?, ?)", (order, total))
        db.execute(
            "insert into hookbox_outbox (type, key, body) values (?, ?, ?)",
            ("order.paid", f"order-{order}", json.dumps({"order": order, "total": total})),
        )
        if total < 0:
            raise ValueError("nobody pays less than nothing")


if len(sys.argv) < 2:
    sys.exit("usage: enqueue.py DATABASE")
# Waits up to five seconds for another writer's transaction to end; that is Python's default.
db = sqlite3.connect(sys.argv[1], timeout=5, isolation_level=None)
db.execute("create table if not exists orders (id integer primary key, total integer)")

pay(db, 1, 42)
try:
    pay(db, 2, -1)
except ValueError as error:
    print(f"order 2 was rolled back: {error}")
print("orders:", db.execute("select count(*) from orders").fetchone()[0])
