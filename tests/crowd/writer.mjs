// One of a crowd: puts events in, some of them rolled back: writer.mjs DB NAME COUNT SEED
import { createRequire } from "node:module";

const Database = createRequire(`${process.cwd()}/`)("better-sqlite3");
const [path, name, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];
let seed = Number(process.argv[5]);
// A small generator (mulberry32's steps), so that a run can be had again.
let state = seed;
const chance = () => {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
};

const db = new Database(path, { timeout: 60000 });
const toLedger = db.prepare("insert into ledger values (?, ?, ?)");
const toOutbox = db.prepare("insert into hookbox_outbox (type, key, body) values ('crowd', ?, ?)");
const held = db
  .prepare("select count(*) as done, ifnull(max(number), 0) as number from ledger where writer = ?")
  .get(name);
let { done, number } = held;

while (done < count) {
  db.exec("begin immediate");
  const size = Math.min(1 + Math.floor(chance() * 20), count - done);
  for (let index = 0; index < size; index += 1) {
    number += 1;
    const key = `${name}-${number}-${seed}`;
    toLedger.run(name, number, key);
    toOutbox.run(key, Buffer.from(JSON.stringify({ key })));
  }
  if (chance() < 0.2) {
    db.exec("rollback");
    number -= size;
    seed += 1000;
  } else {
    db.exec("commit");
    done += size;
  }
}
