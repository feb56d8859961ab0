#!/bin/sh
# Three nodes over one PostgreSQL database, on one machine: sh three-nodes.sh postgres://localhost/hookbox
# They take events in at the ports 8801 to 8803 and show the page at 8811 to 8813; a second argument is another
# port than 8800 to count from. Ctrl-C ends all three.
set -eu

db=$1
from=${2-8800}
hookbox init --db "$db" >/dev/null

nodes=
stop() {
    # shellcheck disable=SC2086 # one word for each process
    kill $nodes 2>/dev/null || true
}
trap stop EXIT
trap 'exit 0' INT TERM

for node in 1 2 3; do
    hookbox serve --db "$db" \
        --ingest "127.0.0.1:$((from + node))" --status "127.0.0.1:$((from + 10 + node))" &
    nodes="$nodes $!"
done
wait
