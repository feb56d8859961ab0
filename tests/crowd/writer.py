"""One of a crowd: puts events in, some of them rolled back: writer.py DB NAME COUNT SEED"""

import json
import random
import sqlite3
import sys

path, name, count, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
chance = random.Random(seed)
db = sqlite3.connect(path, timeout=60, isolation_level=None)


def written():
    query = "select count(*), ifnull(max(number), 0) from ledger where writer = ?"
    return db.execute(query, (name,)).fetchone()


done, number = written()
while done < count:
    db.execute("begin immediate")
    size = min(chance.randint(1, 20), count - done)
    for _ in range(size):
        # A number that was rolled back is used again: only what is in the ledger counts.
        number += 1
        key = f"{name}-{number}-{seed}"
        db.execute("insert into ledger values (?, ?, ?)", (name, number, key))
        db.execute(
            "insert into hookbox_outbox (type, key, body) values ('crowd', ?, ?)",
            (key, json.dumps({"key": key})),
        )
    if chance.random() < 0.2:
        db.execute("rollback")
        number -= size
        # Whatever comes of it must be another.
        seed += 1000
    else:
        db.execute("commit")
        done += size
