// Reads what a receiver got, as JSON, and verifies it with the public library.
const { readFileSync } = require("node:fs");
const { Webhook } = require("standardwebhooks");

const arrived = JSON.parse(readFileSync(0, "utf8"));
const webhook = new Webhook(arrived.secret);
webhook.verify(arrived.body, arrived.headers);
try {
  webhook.verify(`${arrived.body} `, arrived.headers);
} catch {
  process.exit(0);
}
console.error("a changed body was accepted");
process.exit(1);
