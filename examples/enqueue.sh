#!/bin/sh
# An event in a transaction of the sqlite3 shell: sh enqueue.sh app.db
#
# The database must have hookbox's tables: hookbox init --into-existing --wal --db app.db
# Needs sqlite3 3.37 or newer.
set -eu
[ $# -eq 1 ] || { echo "usage: enqueue.sh DATABASE" >&2; exit 2; }

# -bail ends at the first error, and what was not committed is rolled back.
sqlite3 -bail -cmd '.timeout 5000' "$1" <<'SQL'
create table if not exists orders (id integer primary key, total integer);

begin immediate;
insert into orders (id, total) values (1, 42);
insert into hookbox_outbox (type, key, body)
values ('order.paid', 'order-1', json_object('order', 1, 'total', 42));
commit;

begin immediate;
insert into orders (id, total) values (2, -1);
insert into hookbox_outbox (type, key, body)
values ('order.paid', 'order-2', json_object('order', 2, 'total', -1));
rollback;
select 'order 2 was rolled back';

select 'orders: ' || count(*) from orders;
SQL
